//! Batches: several operations as one transaction.

use std::borrow::Cow;

use selvedge_base::NodeId;
use selvedge_encoding::{Document, Value};
use selvedge_graph::{Edge, EdgeTypeDef, Entity, GraphError};

use crate::db::Db;
use crate::error::{Error, Result};
use crate::read::Read;
use crate::transaction::Transaction;
use crate::typed::edge_type::{EdgeType, EndType};
use crate::typed::error::TypedError;
use crate::typed::locate::{Locate, given_key, required_key};
use crate::typed::node_type::{NodeKey, NodeType};
use crate::typed::update::{
    EdgePlan, EdgeTarget, EdgeUpdate, InBatch, NodePlan, NodeUpdate, check_label, edge_document,
    node_document,
};

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
    /// A value without a key, of the type with this label: it is no node's.
    Keyless(&'static str),
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
    Insert {
        label: String,
        key: Option<String>,
        document: Document,
    },
    Upsert {
        label: String,
        key: String,
        document: Document,
    },
    Set {
        node: Target,
        field: String,
        value: Value,
    },
    Unset {
        node: Target,
        field: String,
    },
    Replace {
        node: Target,
        document: Document,
    },
    Delete {
        node: Target,
        label: Option<&'static str>,
    },
    Link {
        source: Target,
        edge_type: String,
        target: Target,
        document: Document,
    },
    Unlink {
        source: Target,
        edge_type: String,
        target: Target,
    },
    Update(NodePlan),
    LinkAs {
        source: End,
        edge_type: &'static str,
        def: EdgeTypeDef,
        target: End,
        document: Document,
    },
    UpdateEdge(EdgePlan),
    /// What was to be stored does not become a document.
    Refused(Error),
}

/// An end of an edge, and the label that it has.
type End = (Target, Option<&'static str>);

/// What finds a node, for a batch.
fn end<N: EndType>(node: &impl Locate<N>) -> End {
    (node.place().to_target(N::LABEL), N::LABEL)
}

/// One operation of a batch.
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::Target;
///
/// let db = Db::in_memory();
/// db.batch([
///     Op::insert_node("User", "alice", doc! { "age": 31 }),
///     Op::insert_node("Event", None, doc! { "what": "login" }),
///     Op::link_nodes(("User", "alice"), "DID", Target::Inserted(1), doc! {}),
///     Op::set(("User", "alice"), "age", 32),
/// ])?;
/// assert_eq!(db.snapshot()?.count_edges("DID")?, 1);
/// # Ok::<(), Error>(())
/// ```
///
/// By type:
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::Target;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Node)]
/// struct User {
///     #[node(key)]
///     name: String,
///     age: u8,
/// }
///
/// #[derive(Serialize, Deserialize, Edge)]
/// #[edge(from = User, to = User)]
/// struct Knows {
///     since: u16,
/// }
///
/// let db = Db::in_memory();
/// db.batch([
///     Op::insert(&User { name: "alice".to_owned(), age: 31 }),
///     Op::upsert(&User { name: "bob".to_owned(), age: 40 }),
///     Op::link("alice", Knows { since: 2020 }, Target::Inserted(1)),
///     Op::update::<User>("alice").set("age", 32).into(),
/// ])?;
/// assert_eq!(db.get::<User>("alice")?.expect("inserted").age, 32);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Op(Kind);

impl Op {
    /// Inserts a node.
    #[must_use]
    pub fn insert_node<'k>(
        label: &str,
        key: impl Into<Option<&'k str>>,
        document: impl Into<Document>,
    ) -> Self {
        let (label, key) = (label.to_owned(), key.into().map(str::to_owned));
        Self(Kind::Insert { label, key, document: document.into() })
    }

    /// Inserts a node, or replaces the document of the one with this key.
    #[must_use]
    pub fn upsert_node(label: &str, key: &str, document: impl Into<Document>) -> Self {
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
    pub fn delete_node(node: impl Into<Target>) -> Self {
        Self(Kind::Delete { node: node.into(), label: None })
    }

    /// Links two nodes.
    #[must_use]
    pub fn link_nodes(
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
    pub fn unlink_nodes(
        source: impl Into<Target>,
        edge_type: &str,
        target: impl Into<Target>,
    ) -> Self {
        let (source, target) = (source.into(), target.into());
        Self(Kind::Unlink { source, edge_type: edge_type.to_owned(), target })
    }

    /// Inserts a node of a type.
    #[must_use]
    pub fn insert<T: NodeType>(node: &T) -> Self {
        let insert = || {
            let (label, key) = (T::LABEL.to_owned(), given_key(node)?.map(Cow::into_owned));
            Ok(Kind::Insert { label, key, document: node_document(node)? })
        };
        Self(insert().unwrap_or_else(Kind::Refused))
    }

    /// Inserts a node of a type, or replaces the document of the one with its key.
    #[must_use]
    pub fn upsert<T: NodeType<Key: NodeKey>>(node: &T) -> Self {
        let upsert = || {
            let (label, key) = (T::LABEL.to_owned(), required_key(node)?.into_owned());
            Ok(Kind::Upsert { label, key, document: node_document(node)? })
        };
        Self(upsert().unwrap_or_else(Kind::Refused))
    }

    /// Changes fields of a node of a type: `Op::update::<User>("alice").set("age", 32).into()`.
    pub fn update<T: NodeType>(node: impl Locate<T>) -> NodeUpdate<T, InBatch> {
        NodeUpdate::new(InBatch, node.place().to_target(Some(T::LABEL)))
    }

    /// Deletes a node of a type with its edges.
    #[must_use]
    pub fn delete<T: NodeType>(node: impl Locate<T>) -> Self {
        let (node, label) = end::<T>(&node);
        Self(Kind::Delete { node, label })
    }

    /// Links two nodes by an edge of a type.
    #[must_use]
    pub fn link<E: EdgeType>(
        source: impl Locate<E::From>,
        edge: E,
        target: impl Locate<E::To>,
    ) -> Self {
        let (source, target) = (end(&source), end(&target));
        let (edge_type, def) = (E::TYPE, E::edge_type_def());
        let link = |document| Kind::LinkAs { source, edge_type, def, target, document };
        Self(edge_document(&edge).map_or_else(Kind::Refused, link))
    }

    /// Removes every edge of a type between two nodes.
    #[must_use]
    pub fn unlink<E: EdgeType>(source: impl Locate<E::From>, target: impl Locate<E::To>) -> Self {
        let ((source, _), (target, _)) = (end(&source), end(&target));
        Self(Kind::Unlink { source, edge_type: E::TYPE.to_owned(), target })
    }

    /// Changes fields of the edge of a type between two nodes, as [`update`](Self::update)
    /// does those of a node.
    pub fn update_edge<E: EdgeType>(
        source: impl Locate<E::From>,
        target: impl Locate<E::To>,
    ) -> EdgeUpdate<E, InBatch> {
        let ((source, _), (target, _)) = (end(&source), end(&target));
        EdgeUpdate::new(InBatch, EdgeTarget::Between(source, target))
    }

    /// Changes fields of this edge, which may be one of several between its ends.
    pub fn update_edge_at<E: EdgeType>(edge: Edge) -> EdgeUpdate<E, InBatch> {
        EdgeUpdate::new(InBatch, EdgeTarget::This(edge))
    }

    pub(crate) fn of_node_update(plan: NodePlan) -> Self {
        Self(Kind::Update(plan))
    }

    pub(crate) fn of_edge_update(plan: EdgePlan) -> Self {
        Self(Kind::UpdateEdge(plan))
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
            Kind::Delete { node, label } => {
                let node = find_end(ctx, (node, label), done)?;
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
            Kind::Update(plan) => {
                let node = find(ctx, plan.target.clone())?;
                OpResult::Updated(plan.apply(ctx, node)?)
            }
            Kind::LinkAs { source, edge_type, def, target, document } => {
                let ends = (find_end(ctx, source, done)?, find_end(ctx, target, done)?);
                let multi = def.is_multi();
                OpResult::Linked(ctx.link_as(ends, edge_type, multi, || def, document)?)
            }
            Kind::UpdateEdge(plan) => OpResult::UpdatedEdge(plan.apply(ctx, &find)?),
            Kind::Refused(error) => return Err(error),
        })
    }
}

/// The node of a label, if one is given.
fn find_end(ctx: &Transaction<'_>, (target, label): End, done: &[OpResult]) -> Result<NodeId> {
    let id = find(ctx, target, done)?;
    if let (Some(label), Some(node)) = (label, ctx.node(id)?) {
        check_label(&node, label)?;
    }
    Ok(id)
}

pub(crate) fn find(ctx: &Transaction<'_>, target: Target, done: &[OpResult]) -> Result<NodeId> {
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
        Target::Keyless(label) => Err(TypedError::NoKey { label }.into()),
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
    /// Changed this edge's document.
    UpdatedEdge(Edge),
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
