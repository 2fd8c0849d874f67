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
use selvedge_schema::{IndexDef, IndexKeyError, IndexKeys, IndexPath, IndexState, Shown};
use smallvec::SmallVec;

use crate::index::place::{Place, held};
use crate::kv::space::FullKey;

/// Room for the key of an entry; most are shorter.
const KEY_ROOM: usize = 64;

/// A node's document, before and after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DocumentChange<'d> {
    pub(crate) label: &'d str,
    pub(crate) node: NodeId,
    pub(crate) old: Option<DocRef<'d>>,
    pub(crate) new: Option<DocRef<'d>>,
}

/// Entries that come and go with a document. No two are under the same key.
#[derive(Default)]
struct EntryChanges {
    /// Entries of others that are to be as they are until the commit.
    kept: Vec<(FullKey, NodeId)>,
    gone: Vec<FullKey>,
    /// Each with whether its index is unique.
    new: Vec<(FullKey, bool)>,
}

/// Stages what a change of a document does to the indexes of its label. `read` gives
/// the value of an entry.
pub(crate) fn stage(
    entries: &mut EntryWrites,
    indexes: &[IndexDef],
    change: DocumentChange<'_>,
    read: impl Fn(&EntryWrites, &[u8]) -> Option<SmallVec<[u8; 8]>>,
) -> Result<(), GraphError> {
    let mut changes = EntryChanges::default();
    changes.new.reserve(indexes.len());
    let mut scratch = Vec::with_capacity(KEY_ROOM);
    for index in indexes {
        let Some(place) = Place::of(index) else { continue };
        let (mut gone, new) = difference(index, &place, change, &mut scratch)?;
        if place.unique {
            let holder = |key: &FullKey| place.node(key, &read(entries, key)?);
            if let (Some(holder), Some(document)) = (new.iter().find_map(holder), change.new) {
                return Err(taken(index, change.label, document, holder));
            }
            if index.state() == IndexState::Building {
                // Of two nodes with the same value, the entry is the other's: unless that
                // gives it up meanwhile, and the build hands it on to this one.
                gone.retain(|key| {
                    let other = holder(key).filter(|holder| *holder != change.node);
                    changes.kept.extend(other.map(|other| (key.clone(), other)));
                    other.is_none()
                });
            }
        }
        changes.gone.extend(gone);
        changes.new.extend(new.into_iter().map(|key| (key, place.unique)));
    }
    let EntryChanges { kept, gone, new } = changes;
    let count = entries.len() + kept.len() + gone.len() + new.len();
    if count > TRANSACTION_WRITES_MAX {
        let what = "the number of entries that a transaction writes";
        let (actual, limit) = (count as u64, TRANSACTION_WRITES_MAX as u64);
        return Err(GraphError::Limit { what, actual, limit });
    }
    let fits = "keys and their number are within the limits";
    for (key, holder) in kept {
        entries.put(&key, Encoding::BYTES, &holder.get().to_be_bytes()).expect(fits);
    }
    for key in gone {
        let is_kept = mutant::is("index-entry-kept") && change.new.is_some();
        let is_absent = || mutant::is("absent-entry-undeleted") && read(entries, &key).is_none();
        if !is_kept && !is_absent() {
            entries.delete(&key).expect(fits);
        }
    }
    let node = change.node.get().to_be_bytes();
    for (key, is_unique) in new {
        entries.put(&key, Encoding::BYTES, held(is_unique, &node)).expect(fits);
    }
    Ok(())
}

/// Another node has the values of this document already.
fn taken(index: &IndexDef, label: &str, document: DocRef<'_>, holder: NodeId) -> GraphError {
    let (label, values) = (label.to_owned(), shown_values(index, document));
    GraphError::UniqueViolation { label, index: index.name().to_owned(), values, holder }
}

/// Keys of entries that go, and that come. What was stored fits the limits, as it is
/// stored.
fn difference(
    index: &IndexDef,
    place: &Place,
    change: DocumentChange<'_>,
    scratch: &mut Vec<u8>,
) -> Result<(IndexKeys, IndexKeys), GraphError> {
    let mut entries = |document| place.entries(index, document, change.node, scratch);
    let new = change.new.map(&mut entries).transpose();
    let mut new = new.map_err(|source| misfit(change.label, index, source))?.unwrap_or_default();
    // A document from before the index may not fit it: then it has no entry.
    let gone = change.old.and_then(|document| entries(document).ok());
    let mut gone = gone.unwrap_or_default();
    if gone == new {
        return Ok((IndexKeys::new(), IndexKeys::new()));
    }
    if !gone.is_empty() {
        let before = gone.clone();
        gone.retain(|key| new.binary_search(key).is_err());
        new.retain(|key| before.binary_search(key).is_err());
    }
    Ok((gone, new))
}

/// An index of a label cannot hold a document.
pub(crate) fn misfit(label: &str, index: &IndexDef, source: IndexKeyError) -> GraphError {
    GraphError::IndexKey { label: label.to_owned(), index: index.name().to_owned(), source }
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
