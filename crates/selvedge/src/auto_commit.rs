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

    /// Links each source to its target by an edge with an empty document, all of them in
    /// one transaction; gives the number of edges that are new. The fastest way to load a
    /// graph: edges are sorted together, and not staged one by one. They are staged one by
    /// one all the same if any of them is there already, or if the definition of the type
    /// gives them defaults.
    ///
    /// A pair that comes twice, or is linked already, gets one edge more if the type is
    /// [multi](EdgeTypeDef::multi); otherwise it has one edge, with nothing in its document
    /// afterwards but defaults.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let a = db.insert_node("User", "a", doc! {})?;
    /// let b = db.insert_node("User", "b", doc! {})?;
    /// assert_eq!(db.link_many("FOLLOWS", [(a, b), (b, a), (a, b)])?, 2);
    /// assert_eq!(db.link_many("FOLLOWS", [(a, b), (a, a)])?, 1);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Transaction::link_nodes`](crate::Transaction::link_nodes); then there is none
    /// of these edges.
    pub fn link_many(
        &self,
        edge_type: &str,
        ends: impl IntoIterator<Item = (NodeId, NodeId)>,
    ) -> Result<u64> {
        let ends: Vec<_> = ends.into_iter().collect();
        self.transaction(|ctx| ctx.link_many(edge_type, &ends))
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

#[cfg(test)]
mod tests {
    use selvedge_encoding::doc;

    use super::*;
    use crate::error::Error;
    use crate::options::{Isolation, TransactionOptions};
    use crate::{Define, EdgeDef, FieldDef};

    fn pair(db: &Db) -> [NodeId; 2] {
        ["a", "b"].map(|key| db.insert_node("N", key, doc! {}).unwrap())
    }

    fn in_order<T>(is_first: bool, one: T, other: T) -> (T, T) {
        if is_first { (one, other) } else { (other, one) }
    }

    /// Edges that come together meet those of others as any do: first committer wins.
    #[test]
    fn edges_that_come_together_conflict_like_others() {
        for together_first in [false, true] {
            let db = Db::in_memory();
            let [a, b] = pair(&db);
            db.define_edge_type("E", EdgeTypeDef::unique()).unwrap();
            let options = TransactionOptions::new();
            let mut together = db.begin(&options).unwrap();
            together.link_many("E", &[(b, a), (a, b)]).unwrap();
            let mut single = db.begin(&options).unwrap();
            single.link_nodes(a, "E", b, doc! {}).unwrap();
            let (first, second) = in_order(together_first, together, single);
            first.commit().unwrap();
            let refused = second.commit();
            assert!(matches!(refused, Err(Error::Conflict(_))), "{together_first}: {refused:?}");
            // Who begins later is not refused.
            db.link_nodes(a, "E", b, doc! {}).unwrap();
            assert_eq!(db.link_many("E", [(a, b), (b, b)]).unwrap(), 1);
        }
    }

    #[test]
    fn ends_that_go_meanwhile_are_a_conflict() {
        for together_first in [false, true] {
            for at in 0..2 {
                let db = Db::in_memory();
                let ends = pair(&db);
                let options = TransactionOptions::new();
                let mut together = db.begin(&options).unwrap();
                together.link_many("E", &[(ends[0], ends[1])]).unwrap();
                let mut deleting = db.begin(&options).unwrap();
                deleting.delete_node(ends[at]).unwrap();
                let (first, second) = in_order(together_first, together, deleting);
                first.commit().unwrap();
                let refused = second.commit();
                assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
                assert_eq!(db.check().unwrap(), Vec::<String>::new());
            }
        }
    }

    /// Otherwise there were edges that break the definition.
    #[test]
    fn a_definition_that_comes_meanwhile_is_a_conflict() {
        for def in [None, Some(EdgeTypeDef::unique())] {
            let db = Db::in_memory();
            let [a, b] = pair(&db);
            if let Some(def) = def {
                db.define_edge_type("E", def).unwrap();
            }
            let mut together = db.begin(&TransactionOptions::new()).unwrap();
            together.link_many("E", &[(a, b)]).unwrap();
            let required = EdgeDef::unique("E").field(FieldDef::int("weight"));
            db.define([Define::from(required)]).unwrap();
            let refused = together.commit();
            assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
            assert_eq!(db.check().unwrap(), Vec::<String>::new());
        }
    }

    /// What is validated is noted edge by edge.
    #[test]
    fn serializable_transactions_note_what_they_read() {
        let db = Db::in_memory();
        let [a, b] = pair(&db);
        let options = TransactionOptions::new().isolation(Isolation::Serializable);
        let mut together = db.begin(&options).unwrap();
        assert_eq!(together.link_many("E", &[(a, b), (a, b)]).unwrap(), 1);
        db.delete_node(b).unwrap();
        assert!(matches!(together.commit(), Err(Error::Conflict(_))));
    }

    /// As many as one by one, to the last: a pair that comes twice is one edge, and a type
    /// that is known needs no room.
    #[test]
    fn the_limit_of_writes_counts_them_as_if_one_by_one() {
        for def in [None, Some(EdgeTypeDef::unique()), Some(EdgeTypeDef::multi())] {
            for (writes_max, is_linked) in (0..8).flat_map(|max| [(max, false), (max, true)]) {
                let done = [false, true].map(|together| {
                    let db = Db::in_memory();
                    let [a, b] = pair(&db);
                    if let Some(def) = &def {
                        db.define_edge_type("E", def.clone()).unwrap();
                    }
                    if is_linked {
                        db.link_nodes(a, "E", b, doc! {}).unwrap();
                    }
                    let ends = [(a, b), (b, a), (a, b), (a, a), (b, a)];
                    let options = TransactionOptions::new().writes_max(writes_max);
                    db.transaction_with(&options, |ctx| match together {
                        true => ctx.link_many("E", &ends).map(drop),
                        false => ends
                            .iter()
                            .try_for_each(|(a, b)| ctx.link_nodes(*a, "E", *b, doc! {}).map(drop)),
                    })
                    .is_ok()
                });
                assert_eq!(done[0], done[1], "{def:?}, {writes_max}, {is_linked}");
            }
        }
    }
}
