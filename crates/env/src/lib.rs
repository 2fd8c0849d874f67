//! The world outside: files, clock and randomness, real or simulated.
//!
//! Everything that would make two runs differ comes through an [`Env`], so that
//! a simulation with a seed repeats exactly. This crate knows nothing of
//! transactions. Reading order: [`clock`], [`file`], [`Env`].

pub mod clock;
pub mod env;
pub mod file;

pub use clock::{Clock, RealClock, SimulatedClock};
pub use env::Env;
pub use file::{File, FileLock, FileSystem, Mapping, OpenMode};
