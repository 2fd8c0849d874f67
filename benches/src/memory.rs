//! Memory that a process holds.

use std::fs;

/// Resident bytes of this process; 0 where the system does not tell.
#[must_use]
pub fn resident_bytes() -> u64 {
    // Pages: in all, resident, shared, ..
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.and_then(|pages| pages.split(' ').nth(1)?.parse::<u64>().ok());
    resident.unwrap_or(0) * rustix::param::page_size() as u64
}
