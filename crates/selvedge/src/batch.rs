//! Batches: several operations as one transaction.

use selvedge_base::NodeId;
use selvedge_encoding::{Document, Value};
use selvedge_graph::{Edge, Entity, GraphError};

use crate::db::Db;
use crate::error::{Error, Result};
use crate::read::Read;
use crate::transaction::Transaction;

/// The node that an operation of a batch is about.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Target {
    /// The node with this id.
    Id(NodeId),
    /// The node with this label and key.
    Key(String, String),
    /// The node that the operation with this place in the batch, counted from 0,
    /// inserted.
    Inserted(usize),
}

impl From<NodeId> for Target {
    fn from(id: NodeId) -> Self {
        Self::Id(id)
    }
}

impl From<(&str, &str)> for Target {
    fn from((label, key): (&str, &str)) -> Self {
        Self::Key(label.to_owned(), key.to_owned())
    }
}

#[derive(Clone, PartialEq, Debug)]
enum Kind {
    Insert { label: String, key: Option<String>, document: Document },
    Upsert { label: String, key: String, document: Document },
    Set { node: Target, field: String, value: Value },
    Unset { node: Target, field: String },
    Replace { node: Target, document: Document },
    Delete { node: Target },
    Link { source: Target, edge_type: String, target: Target, document: Document },
    Unlink { source: Target, edge_type: String, target: Target },
}

/// One operation of a batch.
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::Target;
///
/// let db = Db::in_memory();
/// db.batch([
///     Op::insert("User", "alice", doc! { "age": 31 }),
///     Op::insert("Event", None, doc! { "what": "login" }),
///     Op::link(("User", "alice"), "DID", Target::Inserted(1), doc! {}),
///     Op::set(("User", "alice"), "age", 32),
/// ])?;
/// assert_eq!(db.snapshot()?.count_edges("DID")?, 1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Op(Kind);

impl Op {
    /// Inserts a node.
    #[must_use]
    pub fn insert<'k>(
        label: &str,
        key: impl Into<Option<&'k str>>,
        document: impl Into<Document>,
    ) -> Self {
        let (label, key) = (label.to_owned(), key.into().map(str::to_owned));
        Self(Kind::Insert { label, key, document: document.into() })
    }

    /// Inserts a node, or replaces the document of the one with this key.
    #[must_use]
    pub fn upsert(label: &str, key: &str, document: impl Into<Document>) -> Self {
        let (label, key) = (label.to_owned(), key.to_owned());
        Self(Kind::Upsert { label, key, document: document.into() })
    }

    /// Sets a field of a node's document.
    #[must_use]
    pub fn set(node: impl Into<Target>, field: &str, value: impl Into<Value>) -> Self {
        Self(Kind::Set { node: node.into(), field: field.to_owned(), value: value.into() })
    }

    /// Removes a field of a node's document.
    #[must_use]
    pub fn unset(node: impl Into<Target>, field: &str) -> Self {
        Self(Kind::Unset { node: node.into(), field: field.to_owned() })
    }

    /// Replaces a node's document.
    #[must_use]
    pub fn replace(node: impl Into<Target>, document: impl Into<Document>) -> Self {
        Self(Kind::Replace { node: node.into(), document: document.into() })
    }

    /// Deletes a node with its edges.
    #[must_use]
    pub fn delete(node: impl Into<Target>) -> Self {
        Self(Kind::Delete { node: node.into() })
    }

    /// Links two nodes.
    #[must_use]
    pub fn link(
        source: impl Into<Target>,
        edge_type: &str,
        target: impl Into<Target>,
        document: impl Into<Document>,
    ) -> Self {
        let (source, target) = (source.into(), target.into());
        let (edge_type, document) = (edge_type.to_owned(), document.into());
        Self(Kind::Link { source, edge_type, target, document })
    }

    /// Removes every edge of a type between two nodes.
    #[must_use]
    pub fn unlink(source: impl Into<Target>, edge_type: &str, target: impl Into<Target>) -> Self {
        let (source, target) = (source.into(), target.into());
        Self(Kind::Unlink { source, edge_type: edge_type.to_owned(), target })
    }

    fn apply(self, ctx: &mut Transaction<'_>, done: &[OpResult]) -> Result<OpResult> {
        let find = |ctx: &Transaction<'_>, target| find(ctx, target, done);
        Ok(match self.0 {
            Kind::Insert { label, key, document } => {
                OpResult::Inserted(ctx.insert_node(&label, key.as_deref(), document)?)
            }
            Kind::Upsert { label, key, document } => {
                let upserted = ctx.upsert_node(&label, &key, document)?;
                if upserted.created {
                    OpResult::Inserted(upserted.id)
                } else {
                    OpResult::Updated(upserted.id)
                }
            }
            Kind::Set { node, field, value } => {
                let node = find(ctx, node)?;
                ctx.set(node, &field, value)?;
                OpResult::Updated(node)
            }
            Kind::Unset { node, field } => {
                let node = find(ctx, node)?;
                ctx.unset(node, &field)?;
                OpResult::Updated(node)
            }
            Kind::Replace { node, document } => {
                let node = find(ctx, node)?;
                ctx.replace(node, document)?;
                OpResult::Updated(node)
            }
            Kind::Delete { node } => {
                let node = find(ctx, node)?;
                OpResult::Deleted { node, edges: ctx.delete_node(node)? }
            }
            Kind::Link { source, edge_type, target, document } => {
                let (source, target) = (find(ctx, source)?, find(ctx, target)?);
                OpResult::Linked(ctx.link_nodes(source, &edge_type, target, document)?)
            }
            Kind::Unlink { source, edge_type, target } => {
                let (source, target) = (find(ctx, source)?, find(ctx, target)?);
                OpResult::Unlinked(ctx.unlink_nodes(source, &edge_type, target)?)
            }
        })
    }
}

fn find(ctx: &Transaction<'_>, target: Target, done: &[OpResult]) -> Result<NodeId> {
    match target {
        Target::Id(id) => Ok(id),
        Target::Key(label, key) => match ctx.get_node(&label, &key)?.map(|node| node.id()) {
            Some(id) => Ok(id),
            None => Err(GraphError::NotFound(Entity::Key { label, key }).into()),
        },
        Target::Inserted(place) => match done.get(place) {
            Some(OpResult::Inserted(id) | OpResult::Updated(id)) => Ok(*id),
            _ => Err(GraphError::NoInsert { place }.into()),
        },
    }
}

/// What an operation of a batch did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OpResult {
    /// Inserted this node.
    Inserted(NodeId),
    /// Changed this node's document.
    Updated(NodeId),
    /// Deleted this node, and so many edges with it.
    Deleted {
        /// The node.
        node: NodeId,
        /// The number of its edges.
        edges: u64,
    },
    /// Linked two nodes by this edge.
    Linked(Edge),
    /// Removed so many edges.
    Unlinked(u64),
}

impl Db {
    /// Runs several operations, in order, as one transaction; gives what each
    /// did.
    ///
    /// # Errors
    /// [`Error::Batch`] says which operation failed, and why; none is applied
    /// then. Otherwise as [`transaction`](Db::transaction).
    pub fn batch(&self, ops: impl IntoIterator<Item = Op>) -> Result<Vec<OpResult>> {
        self.transaction(|ctx| {
            let mut done = Vec::new();
            for (index, op) in ops.into_iter().enumerate() {
                let result = op.apply(ctx, &done);
                let boxed = |source| Error::Batch { index, source: Box::new(source) };
                done.push(result.map_err(boxed)?);
            }
            Ok(done)
        })
    }
}
