//! CPU time, of the process and of a thread.

pub use selvedge_benches::measure::{process_cpu as cpu, thread_cpu};
