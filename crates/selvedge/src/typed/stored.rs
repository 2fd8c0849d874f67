//! Nodes and edges as they were read, as Rust types.

use std::ops::Deref;

use selvedge_base::{NodeId, Timestamp};
use selvedge_encoding::{DocRef, SerdeError, encode};
use selvedge_graph::{Edge, EdgeRef, Node};

use crate::error::{Error, Result};
use crate::typed::edge_type::EdgeType;
use crate::typed::error::TypedError;
use crate::typed::node_type::NodeType;

/// A node as it was read: its value, which it derefs to, its id and its version.
///
/// ```
/// use selvedge::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Node)]
/// struct User {
///     #[node(key)]
///     name: String,
///     age: u8,
/// }
///
/// let db = Db::in_memory();
/// let id = db.insert(&User { name: "alice".to_owned(), age: 31 })?;
/// let alice = db.get::<User>("alice")?.expect("inserted");
/// assert_eq!((alice.id(), alice.age), (id, 31));
/// // Unchanged since it was read, or the transaction fails.
/// let checked = db.transaction(|ctx| {
///     ctx.check(alice.id(), alice.version());
///     ctx.update::<User>(&alice).set("age", alice.age + 1).execute()
/// });
/// assert!(checked.is_ok());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stored<T> {
    value: T,
    id: NodeId,
    version: Option<Timestamp>,
}

impl<T> Stored<T> {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The timestamp of the commit that last wrote it; `None` if the very transaction
    /// did that read it.
    #[must_use]
    pub fn version(&self) -> Option<Timestamp> {
        self.version
    }

    /// The value alone.
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// An edge as it was read: its value, which it derefs to, and which edge it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StoredEdge<E> {
    value: E,
    edge: Edge,
}

impl<E> StoredEdge<E> {
    /// Which edge it is.
    #[must_use]
    pub fn edge(&self) -> Edge {
        self.edge
    }

    /// Where it starts.
    #[must_use]
    pub fn source(&self) -> NodeId {
        self.edge.source
    }

    /// Where it ends.
    #[must_use]
    pub fn target(&self) -> NodeId {
        self.edge.target
    }

    /// The value alone.
    #[must_use]
    pub fn into_value(self) -> E {
        self.value
    }
}

impl<E> Deref for StoredEdge<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.value
    }
}

/// A node, whose label is known to be that of the type, as the type.
pub(crate) fn read_node<T: NodeType>(node: &Node<'_>) -> Result<Stored<T>> {
    let read = match (T::KEY_FIELD, node.key()) {
        (Some(field), Some(key)) if !node.document().contains(field) => {
            with_key(node.document(), field, key)
        }
        _ => T::from_document(node.document()),
    };
    match read {
        Ok(value) => Ok(Stored { value, id: node.id(), version: node.version() }),
        Err(source) => Err(unreadable(node, source)),
    }
}

/// A node whose document does not hold its key, as untyped programs write them.
#[cold]
fn with_key<T: NodeType>(document: DocRef<'_>, field: &str, key: &str) -> Result<T, SerdeError> {
    let mut document = document.to_document();
    document.set(field, T::key_value(key));
    T::from_document(DocRef::trusted(&encode(&document)?))
}

#[cold]
fn unreadable(node: &Node<'_>, source: SerdeError) -> Error {
    let (id, label) = (node.id(), node.label());
    let entity = match node.key() {
        Some(key) => format!("node {id} with label {label:?} and key {key:?}"),
        None => format!("node {id} with label {label:?}"),
    };
    TypedError::Read { entity, source }.into()
}

/// An edge, whose type is known to be that of the Rust type, as that.
pub(crate) fn read_edge<E: EdgeType>(edge: &EdgeRef<'_>) -> Result<StoredEdge<E>> {
    match E::from_document(edge.document()) {
        Ok(value) => Ok(StoredEdge { value, edge: edge.edge() }),
        Err(source) => Err(TypedError::Read { entity: edge.named().to_string(), source }.into()),
    }
}
