//! Typed operations on the database: each is a transaction of its own.

use std::borrow::Borrow;

use selvedge_base::NodeId;
use selvedge_graph::{Edge, Upserted};

use crate::db::Db;
use crate::error::Result;
use crate::read::Read as _;
use crate::typed::edge_type::{EdgeType, EndType};
use crate::typed::locate::Locate;
use crate::typed::node_type::{NodeKey, NodeType};
use crate::typed::stored::Stored;
use crate::typed::update::{EdgeTarget, EdgeUpdate, NodeUpdate};

/// Typed operations, each one transaction: see the method of the same name of
/// [`Transaction`](crate::Transaction), or [`Read`](crate::Read), for what it does and how
/// it fails. Besides, those that write may fail with
/// [`Error::Conflict`](crate::Error::Conflict), and inside a transaction's closure with
/// [`Error::NestedTransaction`](crate::Error::NestedTransaction).
impl Db {
    /// The node of a type, as the newest commit left it.
    ///
    /// # Errors
    /// As [`Read::get`](crate::Read::get).
    pub fn get<T: NodeType>(&self, node: impl Locate<T>) -> Result<Option<Stored<T>>> {
        self.view(|snapshot| snapshot.get(node))
    }

    /// Inserts a node.
    ///
    /// # Errors
    /// As [`Transaction::insert`](crate::Transaction::insert).
    pub fn insert<T: NodeType>(&self, node: &T) -> Result<NodeId> {
        self.transaction(|ctx| ctx.insert(node))
    }

    /// Inserts nodes, all or none; gives their ids in order.
    ///
    /// # Errors
    /// As [`Transaction::insert_many`](crate::Transaction::insert_many).
    pub fn insert_many<T: NodeType>(
        &self,
        nodes: impl IntoIterator<Item = impl Borrow<T>>,
    ) -> Result<Vec<NodeId>> {
        self.transaction(|ctx| ctx.insert_many::<T>(nodes))
    }

    /// Inserts a node, or replaces the document of the one with its key.
    ///
    /// # Errors
    /// As [`Transaction::upsert`](crate::Transaction::upsert).
    pub fn upsert<T: NodeType<Key: NodeKey>>(&self, node: &T) -> Result<Upserted> {
        self.transaction(|ctx| ctx.upsert(node))
    }

    /// Changes fields of a node: see [`NodeUpdate`].
    pub fn update<T: NodeType>(&self, node: impl Locate<T>) -> NodeUpdate<T, &Self> {
        NodeUpdate::new(self, node.place().to_target(Some(T::LABEL)))
    }

    /// Deletes a node and all its edges; gives the number of edges.
    ///
    /// # Errors
    /// As [`Transaction::delete`](crate::Transaction::delete).
    pub fn delete<T: NodeType>(&self, node: impl Locate<T>) -> Result<u64> {
        self.transaction(|ctx| ctx.delete(node))
    }

    /// Links two nodes by an edge.
    ///
    /// # Errors
    /// As [`Transaction::link`](crate::Transaction::link).
    pub fn link<E: EdgeType>(
        &self,
        source: impl Locate<E::From>,
        edge: E,
        target: impl Locate<E::To>,
    ) -> Result<Edge> {
        self.transaction(|ctx| ctx.link(source, edge, target))
    }

    /// Removes every edge of a type from one node to another; gives their number.
    ///
    /// # Errors
    /// As [`Transaction::unlink`](crate::Transaction::unlink).
    pub fn unlink<E: EdgeType>(
        &self,
        source: impl Locate<E::From>,
        target: impl Locate<E::To>,
    ) -> Result<u64> {
        self.transaction(|ctx| ctx.unlink::<E>(source, target))
    }

    /// Changes fields of the edge from one node to another.
    pub fn update_edge<E: EdgeType>(
        &self,
        source: impl Locate<E::From>,
        target: impl Locate<E::To>,
    ) -> EdgeUpdate<E, &Self> {
        let source = source.place().to_target(E::From::LABEL);
        let target = target.place().to_target(E::To::LABEL);
        EdgeUpdate::new(self, EdgeTarget::Between(source, target))
    }

    /// Changes fields of this edge, which may be one of several between its ends.
    pub fn update_edge_at<E: EdgeType>(&self, edge: Edge) -> EdgeUpdate<E, &Self> {
        EdgeUpdate::new(self, EdgeTarget::This(edge))
    }
}
