//! What a database stores, and how a handle holds on to its engine.

use std::ops::Deref;
use std::sync::Arc;

use selvedge_engine::Engine;
use selvedge_graph::Graph;

/// The engine of a database.
pub(crate) type DbEngine = Engine<Graph>;

/// An engine, borrowed for the length of a closure, or owned by a handle that
/// may outlive the database it came from.
#[derive(Debug)]
pub(crate) enum EngineRef<'db> {
    Borrowed(&'db DbEngine),
    Owned(Arc<DbEngine>),
}

impl Deref for EngineRef<'_> {
    type Target = DbEngine;

    #[inline]
    fn deref(&self) -> &DbEngine {
        match self {
            Self::Borrowed(engine) => engine,
            Self::Owned(engine) => engine,
        }
    }
}
