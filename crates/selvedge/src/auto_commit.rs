//! Single operations on the database: each is a transaction of its own.

use selvedge_base::NodeId;
use selvedge_encoding::{Document, Value};
use selvedge_graph::{Edge, EdgeTypeDef, Upserted};

use crate::db::Db;
use crate::error::Result;

/// Each of these is one transaction: see the method of the same name of
/// [`Transaction`](crate::Transaction) for what it does and how it fails. Besides,
/// each may fail with [`Error::Conflict`](crate::Error::Conflict), and inside a
/// transaction's closure with
/// [`Error::NestedTransaction`](crate::Error::NestedTransaction).
impl Db {
    /// Inserts a node.
    ///
    /// # Errors
    /// As [`Transaction::insert_node`](crate::Transaction::insert_node).
    pub fn insert_node<'k>(
        &self,
        label: &str,
        key: impl Into<Option<&'k str>>,
        document: impl Into<Document>,
    ) -> Result<NodeId> {
        self.transaction(|ctx| ctx.insert_node(label, key, document))
    }

    /// Inserts a node, or replaces the document of the one with this key.
    ///
    /// # Errors
    /// As [`Transaction::upsert_node`](crate::Transaction::upsert_node).
    pub fn upsert_node(
        &self,
        label: &str,
        key: &str,
        document: impl Into<Document>,
    ) -> Result<Upserted> {
        self.transaction(|ctx| ctx.upsert_node(label, key, document))
    }

    /// Sets one field of a node's document.
    ///
    /// # Errors
    /// As [`Transaction::set`](crate::Transaction::set).
    pub fn set(&self, node: NodeId, field: &str, value: impl Into<Value>) -> Result<()> {
        self.transaction(|ctx| ctx.set(node, field, value))
    }

    /// Sets several fields of a node's document.
    ///
    /// # Errors
    /// As [`Transaction::set_many`](crate::Transaction::set_many).
    pub fn set_many(&self, node: NodeId, fields: impl Into<Document>) -> Result<()> {
        self.transaction(|ctx| ctx.set_many(node, fields))
    }

    /// Removes a field of a node's document; whether it was there.
    ///
    /// # Errors
    /// As [`Transaction::unset`](crate::Transaction::unset).
    pub fn unset(&self, node: NodeId, field: &str) -> Result<bool> {
        self.transaction(|ctx| ctx.unset(node, field))
    }

    /// Replaces a node's whole document.
    ///
    /// # Errors
    /// As [`Transaction::replace`](crate::Transaction::replace).
    pub fn replace(&self, node: NodeId, document: impl Into<Document>) -> Result<()> {
        self.transaction(|ctx| ctx.replace(node, document))
    }

    /// Deletes a node and all its edges; gives the number of edges.
    ///
    /// # Errors
    /// As [`Transaction::delete_node`](crate::Transaction::delete_node).
    pub fn delete_node(&self, node: NodeId) -> Result<u64> {
        self.transaction(|ctx| ctx.delete_node(node))
    }

    /// Defines an edge type.
    ///
    /// # Errors
    /// As [`Transaction::define_edge_type`](crate::Transaction::define_edge_type).
    pub fn define_edge_type(&self, name: &str, def: EdgeTypeDef) -> Result<()> {
        self.transaction(|ctx| ctx.define_edge_type(name, def))
    }

    /// Links `source` to `target`.
    ///
    /// # Errors
    /// As [`Transaction::link_nodes`](crate::Transaction::link_nodes).
    pub fn link_nodes(
        &self,
        source: NodeId,
        edge_type: &str,
        target: NodeId,
        document: impl Into<Document>,
    ) -> Result<Edge> {
        self.transaction(|ctx| ctx.link_nodes(source, edge_type, target, document))
    }

    /// Removes every edge of a type from `source` to `target`; gives their
    /// number.
    ///
    /// # Errors
    /// As [`Transaction::unlink_nodes`](crate::Transaction::unlink_nodes).
    pub fn unlink_nodes(&self, source: NodeId, edge_type: &str, target: NodeId) -> Result<u64> {
        self.transaction(|ctx| ctx.unlink_nodes(source, edge_type, target))
    }

    /// Removes one edge.
    ///
    /// # Errors
    /// As [`Transaction::unlink_edge`](crate::Transaction::unlink_edge).
    pub fn unlink_edge(&self, edge: Edge) -> Result<()> {
        self.transaction(|ctx| ctx.unlink_edge(edge))
    }

    /// Sets fields of an edge's document.
    ///
    /// # Errors
    /// As [`Transaction::set_edge`](crate::Transaction::set_edge).
    pub fn set_edge(&self, edge: Edge, fields: impl Into<Document>) -> Result<()> {
        self.transaction(|ctx| ctx.set_edge(edge, fields))
    }
}
