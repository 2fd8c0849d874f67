//! What a transaction's documents have to keep: the definitions as of its start.

use std::borrow::Cow;

use selvedge_base::mutant;
use selvedge_encoding::{DocRef, EncodeError, set_fields};
use selvedge_graph::{GraphError, NodeChanging, Rules};
use selvedge_keyspace::{EntryView, Keyspace, ReadTime};
use selvedge_mvcc::SnapshotRef;
use selvedge_schema::{Change, Definition, GainedDefault, Kind, Owner, Schema};
use smallvec::SmallVec;

use crate::index::maintenance::{DocumentChange, misfit, stage};
use crate::stores::EntrySlot;

/// The rules of one operation of a transaction.
#[derive(Debug)]
pub(crate) struct SchemaRules<'t> {
    pub(crate) schema: &'t Schema,
    /// Where entries of indexes are staged.
    pub(crate) entries: EntrySlot<'t>,
    pub(crate) keyspace: &'t Keyspace,
    pub(crate) at: SnapshotRef<'t>,
    pub(crate) time: &'t ReadTime,
    /// What is read of indexes has to be so at the commit.
    pub(crate) is_serializable: bool,
}

impl Rules for SchemaRules<'_> {
    fn upgrade_node(
        &mut self,
        label: &str,
        stored: DocRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, GraphError> {
        let definition = self.schema.named(Kind::Nodes, label);
        upgrade(definition, stored, out, || Owner::Label(label.to_owned()))
    }

    fn upgrade_edge(
        &mut self,
        edge_type: &str,
        stored: DocRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, GraphError> {
        let definition = self.schema.named(Kind::Edges, edge_type);
        upgrade(definition, stored, out, || Owner::EdgeType(edge_type.to_owned()))
    }

    fn node_changes(&mut self, change: NodeChanging<'_>) -> Result<(), GraphError> {
        let NodeChanging { id, label, key, old, mut new } = change;
        let Some(definition) = self.schema.named(Kind::Nodes, label) else { return Ok(()) };
        let owner = || Owner::Label(label.to_owned());
        if let Some(new) = &mut new {
            keep(definition, new, key, owner)?;
            if let Some(change) = definition.change() {
                leave_defaults(change, label, old, DocRef::trusted(new))?;
            }
        }
        let indexes = definition.document().map(|document| document.indexes()).unwrap_or_default();
        if indexes.is_empty() {
            return Ok(());
        }
        let indexed = old.map(|old| definition.as_indexed(old)).transpose();
        let indexed = indexed.map_err(|source| too_long(&owner(), source))?;
        let old = indexed.as_ref().map(|old| DocRef::trusted(old));
        let new = new.map(|new| DocRef::trusted(new));
        let change = DocumentChange { label, node: id, old, new };
        let Self { keyspace, at, time, is_serializable, .. } = *self;
        stage(self.entries.reborrow().get(), indexes, change, |entries, key| {
            // What it leads to is written at the snapshot, which is validated; or
            // refused, which is an answer like that to any read.
            if is_serializable {
                entries.validate_read(key);
            }
            let view = EntryView::new(keyspace, at, Some(entries), time);
            Some(SmallVec::from_slice(view.get(key).ok().flatten()?.bytes()))
        })
    }

    fn edge_changes(&mut self, edge_type: &str, document: &mut Vec<u8>) -> Result<(), GraphError> {
        let Some(definition) = self.schema.named(Kind::Edges, edge_type) else { return Ok(()) };
        keep(definition, document, None, || Owner::EdgeType(edge_type.to_owned()))
    }
}

/// What has become of a stored document by the change that is under way: an edit begins
/// with that.
pub(crate) fn upgraded<'d>(
    definition: Option<&Definition>,
    stored: DocRef<'d>,
    owner: impl Fn() -> Owner,
) -> Result<Cow<'d, [u8]>, GraphError> {
    let mut out = Vec::new();
    let moved = upgrade(definition, stored, &mut out, owner)?;
    Ok(if moved { Cow::Owned(out) } else { Cow::Borrowed(stored.as_bytes()) })
}

fn upgrade(
    definition: Option<&Definition>,
    stored: DocRef<'_>,
    out: &mut Vec<u8>,
    owner: impl Fn() -> Owner,
) -> Result<bool, GraphError> {
    let Some(definition) = definition.filter(|_| !mutant::is("upgrade-skipped")) else {
        return Ok(false);
    };
    definition.upgrade(stored, out).map_err(|source| too_long(&owner(), source))
}

/// Checks a document, and gives it the defaults that it lacks.
fn keep(
    definition: &Definition,
    document: &mut Vec<u8>,
    key: Option<&str>,
    owner: impl Fn() -> Owner,
) -> Result<(), GraphError> {
    let missing = definition.check(DocRef::trusted(document), key);
    let missing = missing.map_err(|violation| violation.of(owner()))?;
    if !missing.is_none() {
        complete(definition, document).map_err(|source| too_long(&owner(), source))?;
    }
    Ok(())
}

/// Refuses a document that would take what a change under way has for others.
#[cold]
fn leave_defaults(
    change: &Change,
    label: &str,
    old: Option<DocRef<'_>>,
    new: DocRef<'_>,
) -> Result<(), GraphError> {
    let gained = change.gains_default(old, new);
    let gained = gained.map_err(|source| too_long(&Owner::Label(label.to_owned()), source))?;
    match gained.filter(|_| !mutant::is("gained-default-unchecked")) {
        None => Ok(()),
        Some(GainedDefault::Misfit(index, source)) => Err(misfit(label, index, source)),
        Some(GainedDefault::Kept(index)) => {
            let (label, index) = (label.to_owned(), index.name().to_owned());
            Err(GraphError::DefaultKept { label, index })
        }
    }
}

#[cold]
fn complete(definition: &Definition, document: &mut Vec<u8>) -> Result<(), EncodeError> {
    let Some(def) = definition.document() else { return Ok(()) };
    let mut complete = Vec::with_capacity(document.capacity());
    set_fields(document, &def.defaults(DocRef::trusted(document)), &mut complete)?;
    *document = complete;
    Ok(())
}

#[cold]
fn too_long(owner: &Owner, source: EncodeError) -> GraphError {
    GraphError::Document { entity: format!("{owner}, with its defaults,"), source }
}
