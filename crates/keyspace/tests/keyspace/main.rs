//! The keyspace behind a real engine: schedules step by step, random operations
//! against a model, and threads.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected has failed")]

mod commit;
mod model;
mod store;
mod threads;
