//! Entries of indexes that change with a node.
//!
//! Every staged change of a node's document comes here before it is staged. What is
//! refused has changed nothing: all that can be wrong is looked for first.
//!
//! An entry that goes is deleted at the snapshot even while its index is being built
//! and it may not be there yet: so a writer whose snapshot is from before a commit of the
//! build sees a conflict on its key. The other way round the build has to look after
//! itself: a deletion of what is not there leaves nothing to meet. While a unique index is being built the
//! entry may be another node's: then it is written as it is, for the same reason.

use selvedge_base::limits::TRANSACTION_WRITES_MAX;
use selvedge_base::{NodeId, mutant};
use selvedge_encoding::DocRef;
use selvedge_graph::GraphError;
use selvedge_keyspace::{Encoding, EntryWrites};
use selvedge_schema::{IndexDef, IndexKey, IndexKeys, IndexPath, IndexState, Shown};
use smallvec::SmallVec;

use crate::index::place::Place;
use crate::kv::space::FullKey;

/// A node's document, before and after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DocumentChange<'d> {
    pub(crate) label: &'d str,
    pub(crate) node: NodeId,
    pub(crate) old: Option<DocRef<'d>>,
    pub(crate) new: Option<DocRef<'d>>,
}

/// Entries of one index that come and go.
struct EntryChange {
    place: Place,
    gone: IndexKeys,
    new: IndexKeys,
    /// Entries of others that are to be as they are until the commit.
    kept: SmallVec<[(FullKey, NodeId); 1]>,
}

/// Stages what a change of a document does to the indexes of its label. `read` gives
/// the value of an entry.
pub(crate) fn stage(
    entries: &mut EntryWrites,
    indexes: &[IndexDef],
    change: DocumentChange<'_>,
    read: impl Fn(&EntryWrites, &[u8]) -> Option<SmallVec<[u8; 8]>>,
) -> Result<(), GraphError> {
    let mut changes: SmallVec<[EntryChange; 4]> = SmallVec::new();
    let mut count = entries.len();
    for index in indexes {
        let Some(place) = Place::of(index) else { continue };
        let (mut gone, mut new) = difference(index, change)?;
        let mut kept = SmallVec::new();
        if place.unique {
            let holder = |values: &IndexKey| {
                let key = place.values(values);
                place.node(&key, &read(entries, &key)?)
            };
            if let (Some(holder), Some(document)) = (new.iter().find_map(holder), change.new) {
                return Err(taken(index, change.label, document, holder));
            }
            if index.state() == IndexState::Building {
                // Of two nodes with the same value, the entry is the other's: unless that
                // gives it up meanwhile, and the build hands it on to this one.
                gone.retain(|values| {
                    let other = holder(values).filter(|holder| *holder != change.node);
                    kept.extend(other.map(|other| (place.values(values), other)));
                    other.is_none()
                });
            }
        }
        count += gone.len() + new.len() + kept.len();
        if gone.is_empty() && new.is_empty() && kept.is_empty() {
            continue;
        }
        gone.shrink_to_fit();
        new.shrink_to_fit();
        changes.push(EntryChange { place, gone, new, kept });
    }
    if count > TRANSACTION_WRITES_MAX {
        let what = "the number of entries that a transaction writes";
        let (actual, limit) = (count as u64, TRANSACTION_WRITES_MAX as u64);
        return Err(GraphError::Limit { what, actual, limit });
    }
    for EntryChange { place, gone, new, kept } in changes {
        for (key, holder) in kept {
            let staged = entries.put(&key, Encoding::BYTES, &holder.get().to_be_bytes());
            staged.expect("keys and their number are within the limits");
        }
        for values in &gone {
            let (key, _) = place.entry(values, change.node);
            let is_kept = mutant::is("index-entry-kept") && change.new.is_some();
            let is_absent =
                || mutant::is("absent-entry-undeleted") && read(entries, &key).is_none();
            if is_kept || is_absent() {
                continue;
            }
            entries.delete(&key).expect("keys and their number are within the limits");
        }
        for values in &new {
            let (key, value) = place.entry(values, change.node);
            let staged = entries.put(&key, Encoding::BYTES, &value);
            staged.expect("keys and their number are within the limits");
        }
    }
    Ok(())
}

/// Another node has the values of this document already.
fn taken(index: &IndexDef, label: &str, document: DocRef<'_>, holder: NodeId) -> GraphError {
    let (label, values) = (label.to_owned(), shown_values(index, document));
    GraphError::UniqueViolation { label, index: index.name().to_owned(), values, holder }
}

/// Keys that go, and that come. What was stored fits the limits, as it is stored.
fn difference(
    index: &IndexDef,
    change: DocumentChange<'_>,
) -> Result<(IndexKeys, IndexKeys), GraphError> {
    let new = change.new.map(|document| keys_of(change.label, index, document)).transpose();
    let mut new = new?.unwrap_or_default();
    // A document from before the index may not fit it: then it has no entry.
    let gone = change.old.and_then(|document| index.keys(document).ok());
    let mut gone = gone.unwrap_or_default();
    if gone == new {
        return Ok((IndexKeys::new(), IndexKeys::new()));
    }
    let before = gone.clone();
    gone.retain(|key| new.binary_search(key).is_err());
    new.retain(|key| before.binary_search(key).is_err());
    Ok((gone, new))
}

/// The keys of a document in an index of a label.
pub(crate) fn keys_of(
    label: &str,
    index: &IndexDef,
    document: DocRef<'_>,
) -> Result<IndexKeys, GraphError> {
    index.keys(document).map_err(|source| {
        let (label, index) = (label.to_owned(), index.name().to_owned());
        GraphError::IndexKey { label, index, source }
    })
}

/// The values that a document has at the paths of an index, for messages.
pub(crate) fn shown_values(index: &IndexDef, document: DocRef<'_>) -> String {
    let shown = |path: &IndexPath| {
        let value = document.get_path(path.path()).map(|value| value.to_value());
        value.map_or_else(String::new, |value| Shown(&value).to_string())
    };
    let values: Vec<String> = index.paths().iter().map(shown).collect();
    values.join(", ")
}
