//! Keyspaces: what a program that keeps values under keys relies on.

#![allow(clippy::unwrap_used, reason = "tests")]

mod atomic;
mod durability;
mod expiry;
mod lives;
mod queues;
mod reading;
mod transactions;
mod watching;
