//! The limits of the wire. Clients know them, and tell them in the same words.

/// Bytes of a key that is written.
pub const WRITE_KEY_BYTES_MAX: usize = 2048;
/// Bytes of a key that is read: the bounds of ranges have one more.
pub const READ_KEY_BYTES_MAX: usize = WRITE_KEY_BYTES_MAX + 1;
/// Bytes of a value.
pub const VALUE_BYTES_MAX: usize = 65_536;
/// Ranges in one read.
pub const READ_RANGES_MAX: usize = 10;
/// Entries in one read, over all its ranges.
pub const READ_ENTRIES_MAX: usize = 1000;
/// Checks in one atomic operation.
pub const CHECKS_MAX: usize = 100;
/// Mutations and messages in one atomic operation.
pub const MUTATIONS_MAX: usize = 1000;
/// Bytes of keys, values and messages in one atomic operation.
pub const MUTATION_BYTES_MAX: usize = 819_200;
/// Bytes of keys that one atomic operation gives values.
pub const KEY_BYTES_MAX: usize = 81_920;
/// Keys in one watch.
pub const WATCHED_KEYS_MAX: usize = 10;
/// Milliseconds that the delivery of a message may be put off: 30 days.
pub const ENQUEUE_DELAY_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
/// Milliseconds before a message is delivered again.
pub const ENQUEUE_BACKOFF_MS_MAX: u32 = 3_600_000;
/// How often a message may be delivered again.
pub const ENQUEUE_BACKOFFS_MAX: usize = 5;
/// Keys that get a message that was not delivered.
pub const ENQUEUE_UNDELIVERED_KEYS_MAX: usize = 10;
