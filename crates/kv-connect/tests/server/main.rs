//! The server as a client on a socket meets it, byte by byte where it matters.

#![allow(clippy::unwrap_used, reason = "tests")]

mod client;
mod connections;
mod databases;
mod decoding;
mod failing_disk;
mod http2;
mod limits;
mod metadata;
mod reading;
mod refusals;
mod running;
mod slow_readers;
mod slow_streams;
mod tls;
mod watching;
mod writing;
