//! A server of the KV Connect protocol, which Deno, `@deno/kv` for Node and others
//! speak, over a Selvedge database.
//!
//! ```text
//! connection --> Service --> Read   answered at once, from one snapshot
//!                        |-> Write  --> Committer: applied at once, synced in groups
//!                        |-> Watch  frames, as long as both sides like
//! ```
//!
//! - Both HTTP/1.1 and HTTP/2 without negotiation are spoken on one port: which one,
//!   the first bytes of a connection tell.
//! - An answer tells only what is durable, if the database is opened so: of a commit
//!   that is on its way to the disk no read and no watch speaks.
//! - What a client sends is judged before the database sees it; limits are told in the
//!   words that clients test for.
//! - 5xx is for what passes: clients try that again, for ever.
//!
//! Every deviation from the reference server is in `docs/protocol/kv-connect.md`.
//! Reading order: [`server`], `service`, `database`, `read`, `write`, `committer`,
//! `watch`; then the rest.
//!
//! This crate knows the protocol, and of the database no more than the public crate
//! shows.
#![deny(missing_docs)]

mod access;
mod answer;
mod body;
mod committer;
mod database;
pub mod limits;
mod metadata;
mod metrics;
mod metrics_page;
mod read;
mod refusal;
mod room;
pub mod server;
mod service;
mod tls;
mod unstalled;
mod untaken;
mod watch;
mod wire;
mod write;

pub use access::Access;
pub use metrics_page::MetricsPage;
pub use server::{Server, ServerOptions};
pub use tls::Tls;
