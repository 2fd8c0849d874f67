//! Typed operations of a transaction.

use std::borrow::Borrow;

use selvedge_base::NodeId;
use selvedge_encoding::Document;
use selvedge_graph::{Edge, EdgeTypeDef, GraphError, Upserted};

use crate::error::{Error, Result};
use crate::read::Read as _;
use crate::transaction::Transaction;
use crate::typed::edge_type::{EdgeType, EndType};
use crate::typed::locate::{Locate, given_key, required_key};
use crate::typed::node_type::{NodeKey, NodeType};
use crate::typed::update::{EdgeTarget, EdgeUpdate, NodeUpdate, edge_document, node_document};

/// Typed operations: values of [`NodeType`]s and [`EdgeType`]s instead of documents.
impl Transaction<'_> {
    /// Inserts a node, under its key if the type has one.
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
    /// db.transaction(|ctx| {
    ///     let id = ctx.insert(&User { name: "alice".to_owned(), age: 31 })?;
    ///     let alice = ctx.get::<User>("alice")?.expect("inserted");
    ///     assert_eq!((alice.id(), alice.age), (id, 31));
    ///     Ok::<_, Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Input`] if the key is taken, or a limit is exceeded; [`Error::Typed`] if
    /// the value does not become a document, or has no key though its type has one.
    pub fn insert<T: NodeType>(&mut self, node: &T) -> Result<NodeId> {
        let document = node_document(node)?;
        self.insert_node(T::LABEL, given_key(node)?.as_deref(), document)
    }

    /// Inserts nodes, all or none; gives their ids in order. Takes values, or references
    /// if the type is named: `insert_many::<User>(&users)`.
    ///
    /// # Errors
    /// [`Error::Batch`] says which of them failed, counted from 0, and why: see
    /// [`insert`](Self::insert).
    pub fn insert_many<T: NodeType>(
        &mut self,
        nodes: impl IntoIterator<Item = impl Borrow<T>>,
    ) -> Result<Vec<NodeId>> {
        self.all_or_nothing(|ctx| {
            let insert = |(index, node)| {
                let inserted = ctx.insert::<T>(Borrow::<T>::borrow(&node));
                inserted.map_err(|source| Error::Batch { index, source: Box::new(source) })
            };
            nodes.into_iter().enumerate().map(insert).collect()
        })
    }

    /// Inserts a node, or replaces the document of the one with its key.
    ///
    /// # Errors
    /// As [`insert`](Self::insert), but for a taken key.
    pub fn upsert<T: NodeType<Key: NodeKey>>(&mut self, node: &T) -> Result<Upserted> {
        let document = node_document(node)?;
        self.upsert_node(T::LABEL, &required_key(node)?, document)
    }

    /// Changes fields of a node: see [`NodeUpdate`].
    pub fn update<T: NodeType>(&mut self, node: impl Locate<T>) -> NodeUpdate<T, &mut Self> {
        let target = node.place().to_target(Some(T::LABEL));
        NodeUpdate::new(self, target)
    }

    /// Deletes a node and all its edges; gives the number of edges.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such node; [`Error::Typed`] if it has another
    /// label.
    pub fn delete<T: NodeType>(&mut self, node: impl Locate<T>) -> Result<u64> {
        let id = node.place().existing(self, Some(T::LABEL))?.id();
        self.delete_node(id)
    }

    /// Links two nodes by an edge. For a unique type whose edge is there already, the
    /// value is replaced. The ends are ids, keys, values, or nodes as they were read.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Node)]
    /// struct User {
    ///     #[node(key)]
    ///     name: String,
    /// }
    ///
    /// #[derive(Serialize, Deserialize, Edge)]
    /// #[edge(from = User, to = User)]
    /// struct Knows {
    ///     since: u16,
    /// }
    ///
    /// let db = Db::in_memory();
    /// let [alice, bob] = ["alice", "bob"].map(|name| User { name: name.to_owned() });
    /// db.insert_many::<User>([&alice, &bob])?;
    /// db.link(&alice, Knows { since: 2020 }, &bob)?;
    /// db.link("bob", Knows { since: 2021 }, "alice")?;
    /// assert_eq!(db.snapshot()?.get_edge::<Knows>("bob", "alice")?.expect("linked").since, 2021);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// An edge does not run between nodes of other types:
    ///
    /// ```compile_fail,E0277
    /// # use selvedge::prelude::*;
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Node)]
    /// # struct User {
    /// #     #[node(key)]
    /// #     name: String,
    /// # }
    /// # #[derive(Serialize, Deserialize, Edge)]
    /// # #[edge(from = User, to = User)]
    /// # struct Knows {
    /// #     since: u16,
    /// # }
    /// # #[derive(Serialize, Deserialize, Node)]
    /// # struct City {
    /// #     #[node(key)]
    /// #     name: String,
    /// # }
    /// # let db = Db::in_memory();
    /// # let alice = User { name: "alice".to_owned() };
    /// let oslo = City { name: "Oslo".to_owned() };
    /// db.link(&alice, Knows { since: 2020 }, &oslo);
    /// ```
    ///
    /// The first link of a type that is not defined defines it, as far as labels and
    /// number go; what its documents hold is defined by `Db::define` alone.
    ///
    /// # Errors
    /// [`Error::Input`] if an end does not exist, the type is defined otherwise, or the
    /// document cannot be stored; [`Error::Typed`] if an end has another label.
    pub fn link<E: EdgeType>(
        &mut self,
        source: impl Locate<E::From>,
        edge: E,
        target: impl Locate<E::To>,
    ) -> Result<Edge> {
        let source = source.place().existing_id(self, E::From::LABEL)?;
        let target = target.place().existing_id(self, E::To::LABEL)?;
        let ends = (source, target);
        self.link_as(ends, E::TYPE, E::MULTI, E::edge_type_def, edge_document(&edge)?)
    }

    /// Links two nodes by an edge of a type that is, or becomes, multi or not.
    pub(crate) fn link_as(
        &mut self,
        (source, target): (NodeId, NodeId),
        edge_type: &str,
        multi: bool,
        def: impl FnOnce() -> EdgeTypeDef,
        document: Document,
    ) -> Result<Edge> {
        match self.edge_type_def(edge_type)? {
            None => self.all_or_nothing(|ctx| {
                ctx.define_edge_type(edge_type, def())?;
                ctx.link_nodes(source, edge_type, target, document)
            }),
            Some(defined) if defined.is_multi() != multi => {
                let wanted = if multi { "multi" } else { "unique" };
                let (name, defined) = (edge_type.to_owned(), defined.to_string());
                let wanted = format!("the Rust type takes it for {wanted}");
                Err(GraphError::EdgeType { name, defined, wanted }.into())
            }
            Some(_) => self.link_nodes(source, edge_type, target, document),
        }
    }

    /// Removes every edge of a type from one node to another; gives their number.
    ///
    /// # Errors
    /// [`Error::Input`] if an end does not exist; [`Error::Typed`] if it has another label.
    pub fn unlink<E: EdgeType>(
        &mut self,
        source: impl Locate<E::From>,
        target: impl Locate<E::To>,
    ) -> Result<u64> {
        let source = source.place().existing_id(self, E::From::LABEL)?;
        let target = target.place().existing_id(self, E::To::LABEL)?;
        self.unlink_nodes(source, E::TYPE, target)
    }

    /// Changes fields of the edge from one node to another.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Edge)]
    /// struct Knows {
    ///     since: u16,
    /// }
    ///
    /// let db = Db::in_memory();
    /// let (a, b) = (db.insert_node("User", "a", doc! {})?, db.insert_node("User", "b", doc! {})?);
    /// db.link(a, Knows { since: 2020 }, b)?;
    /// db.update_edge::<Knows>(a, b).set("since", 2021).execute()?;
    /// assert_eq!(db.snapshot()?.get_edge::<Knows>(a, b)?.expect("linked").since, 2021);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn update_edge<E: EdgeType>(
        &mut self,
        source: impl Locate<E::From>,
        target: impl Locate<E::To>,
    ) -> EdgeUpdate<E, &mut Self> {
        let source = source.place().to_target(E::From::LABEL);
        let target = target.place().to_target(E::To::LABEL);
        EdgeUpdate::new(self, EdgeTarget::Between(source, target))
    }

    /// Changes fields of this edge, which may be one of several between its ends.
    pub fn update_edge_at<E: EdgeType>(&mut self, edge: Edge) -> EdgeUpdate<E, &mut Self> {
        EdgeUpdate::new(self, EdgeTarget::This(edge))
    }

    /// Stages all that `work` does, or nothing if it fails.
    fn all_or_nothing<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        let before = self.savepoint()?;
        let done = work(self);
        if done.is_err() {
            self.rollback_to(before)?;
        }
        self.release(before)?;
        done
    }
}
