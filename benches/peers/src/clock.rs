//! CPU time of the process.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time that all threads of the process have used so far.
pub fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
