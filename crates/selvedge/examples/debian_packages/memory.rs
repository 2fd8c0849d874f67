//! How much memory this process takes, as the kernel tells it.

use std::fmt;
use std::fs;

/// Resident memory now, and the most there ever was.
pub(crate) struct Memory {
    kib: Option<(u64, u64)>,
}

impl Memory {
    /// A reading; elsewhere than on Linux it knows nothing.
    pub(crate) fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        };
        Self { kib: field("VmRSS:").zip(field("VmHWM:")) }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kib {
            Some((now, most)) => write!(f, "{} MiB (at most {} MiB)", now >> 10, most >> 10),
            None => f.write_str("unknown on this system"),
        }
    }
}
