//! When entries expire.

use std::time::Duration;

use selvedge_keyspace::Keyspace;

/// The moment after so much time from now on, in milliseconds since the epoch. Never
/// before that time has passed.
pub(crate) fn expires_in(keyspace: &Keyspace, time: Duration) -> u64 {
    let millis = time.as_nanos().div_ceil(1_000_000);
    keyspace.now().saturating_add(u64::try_from(millis).unwrap_or(u64::MAX)).max(1)
}
