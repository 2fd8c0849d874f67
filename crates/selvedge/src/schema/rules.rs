//! What a transaction's documents have to keep: the definitions as of its start.

use selvedge_encoding::{DocRef, EncodeError, set_fields};
use selvedge_graph::{GraphError, NodeChanging, Rules};
use selvedge_keyspace::{EntryView, EntryWrites, Keyspace, ReadTime};
use selvedge_mvcc::SnapshotRef;
use selvedge_schema::{DocumentDef, Owner, Schema};
use smallvec::SmallVec;

use crate::index::maintenance::{DocumentChange, stage};

/// The rules of one operation of a transaction.
#[derive(Debug)]
pub(crate) struct SchemaRules<'t> {
    pub(crate) schema: &'t Schema,
    /// Where entries of indexes are staged.
    pub(crate) entries: &'t mut Option<Box<EntryWrites>>,
    pub(crate) keyspace: &'t Keyspace,
    pub(crate) at: SnapshotRef<'t>,
    pub(crate) time: &'t ReadTime,
}

impl Rules for SchemaRules<'_> {
    fn node_changes(&mut self, change: NodeChanging<'_>) -> Result<(), GraphError> {
        let Some(def) = self.schema.node(change.label) else { return Ok(()) };
        let NodeChanging { id, label, key, old, mut new } = change;
        if let Some(new) = &mut new {
            keep(def, new, key, || Owner::Label(label.to_owned()))?;
        }
        if def.indexes().is_empty() {
            return Ok(());
        }
        let new = new.map(|new| DocRef::trusted(new));
        let change = DocumentChange { label, node: id, old, new };
        let Self { keyspace, at, time, .. } = *self;
        stage(self.entries.get_or_insert_default(), def.indexes(), change, |entries, key| {
            // It is written at the snapshot, or not at all: no need to note the read.
            let value =
                EntryView::new(keyspace, at, Some(entries), time).get(key).ok().flatten()?;
            Some(SmallVec::from_slice(value.bytes()))
        })
    }

    fn edge_changes(&mut self, edge_type: &str, document: &mut Vec<u8>) -> Result<(), GraphError> {
        let Some(def) = self.schema.edge(edge_type) else { return Ok(()) };
        keep(def, document, None, || Owner::EdgeType(edge_type.to_owned()))
    }
}

/// Checks a document, and gives it the defaults that it lacks.
fn keep(
    def: &DocumentDef,
    document: &mut Vec<u8>,
    key: Option<&str>,
    owner: impl Fn() -> Owner,
) -> Result<(), GraphError> {
    let missing = def.check(DocRef::trusted(document), key);
    let missing = missing.map_err(|violation| violation.of(owner()))?;
    if !missing.is_none() {
        complete(def, document).map_err(|source| GraphError::Document {
            entity: format!("{} with its defaults", owner()),
            source,
        })?;
    }
    Ok(())
}

#[cold]
fn complete(def: &DocumentDef, document: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut complete = Vec::with_capacity(document.capacity());
    set_fields(document, &def.defaults(DocRef::trusted(document)), &mut complete)?;
    *document = complete;
    Ok(())
}
