//! What the log has done since it was opened.

/// What the log has done since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LogStatistics {
    /// Records appended.
    pub records: u64,
    /// Bytes appended, headers and padding included.
    pub bytes: u64,
    /// Groups made durable together.
    pub groups: u64,
    /// Records in the largest of them.
    pub group_records_max: u64,
    /// Segments synced for them: one for each group, and one more for each border
    /// that a group crossed.
    pub syncs: u64,
    /// Times the buffer was given to the system without a sync.
    pub write_outs: u64,
    /// Segments that there are now, in use, ready ahead and spare.
    pub segments: usize,
}
