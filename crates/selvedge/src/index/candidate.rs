//! Whether indexes that are to be defined can hold what is there.

use std::collections::hash_map::Entry;

use selvedge_base::NodeId;
use selvedge_base::hash::Map;
use selvedge_encoding::DocRef;
use selvedge_graph::GraphError;
use selvedge_schema::{DocumentDef, IndexDef, IndexKey, IndexPath, Presence};

use crate::index::maintenance::{misfit, shown_values};

/// Indexes that a change of a definition adds, or whose values it makes, and, of the
/// unique ones, which node has which values: that takes memory for each of them.
#[derive(Debug)]
pub(crate) struct Candidates<'d> {
    label: &'d str,
    indexes: Vec<(&'d IndexDef, Map<IndexKey, NodeId>)>,
}

impl<'d> Candidates<'d> {
    /// What `to` has and `from` has not; and unique indexes over fields with defaults,
    /// which several nodes may get.
    pub(crate) fn new(label: &'d str, from: Option<&DocumentDef>, to: &'d DocumentDef) -> Self {
        let known = from.map(DocumentDef::indexes).unwrap_or_default();
        let known = |index: &IndexDef| {
            known.iter().any(|known| known.number().is_some() && known.number() == index.number())
        };
        let has_default = |path: &IndexPath| {
            let field = to.field(path.field());
            field.is_some_and(|field| matches!(field.presence(), Presence::Default(_)))
        };
        let makes_values =
            |index: &IndexDef| index.is_unique() && index.paths().iter().any(has_default);
        let is_new = |index: &&IndexDef| !known(index) || makes_values(index);
        let indexes = to.indexes().iter().filter(is_new).map(|index| (index, Map::default()));
        Self { label, indexes: indexes.collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    /// Adds a node with the document that it will have.
    pub(crate) fn add(&mut self, node: NodeId, document: DocRef<'_>) -> Result<(), GraphError> {
        for (index, holders) in &mut self.indexes {
            let keys = index.keys(document);
            let keys = keys.map_err(|source| misfit(self.label, index, source))?;
            for key in keys.into_iter().filter(|_| index.is_unique()) {
                match holders.entry(key) {
                    Entry::Vacant(free) => {
                        free.insert(node);
                    }
                    Entry::Occupied(holder) => {
                        return Err(GraphError::Duplicate {
                            label: self.label.to_owned(),
                            index: index.name().to_owned(),
                            values: shown_values(index, document),
                            nodes: [*holder.get(), node],
                        });
                    }
                }
            }
        }
        Ok(())
    }
}
