//! The world outside: files, clock and randomness, real or simulated.
//!
//! Everything that would make two runs differ comes through an [`Env`], so that
//! a simulation with a seed repeats exactly. This crate knows nothing of
//! transactions. Reading order: [`clock`], [`mod@file`], [`real_files`],
//! [`simulated_files`], [`Env`].

pub mod clock;
pub mod env;
pub mod file;
pub mod real_files;
pub mod simulated_files;

pub use clock::{Clock, RealClock, SimulatedClock};
pub use env::Env;
pub use file::{File, FileLock, FileSystem, Mapping, OpenMode};
pub use real_files::RealFiles;
pub use simulated_files::{Fault, FaultRates, Operation, OperationKind, SimulatedFiles};
