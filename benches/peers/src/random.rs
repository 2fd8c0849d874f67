//! Random numbers that are the same in every run.

pub use selvedge_benches::random::Random;
