//! Threads under `loom`. It has none with a scope: what uses these is compiled, and in
//! no model.

pub use loom::thread::{Builder, JoinHandle, Thread, current, park, spawn, yield_now};
pub use std::thread::{panicking, scope};
