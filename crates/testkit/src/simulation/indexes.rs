//! Indexes of a story: defined in its midst, built again after whatever went wrong, and
//! read beside a scan.

use std::sync::Arc;

use selvedge::{Error, ErrorKind, IndexDef, InputError, NodeDef, NodeId, Read, Transaction, Value};

use super::look::{Damage, agree, sure};
use super::model::{Name, NodeState, State};
use super::story::{Story, Told};
use super::workload::Staged;

/// The label whose nodes are indexed.
pub(super) const INDEXED: Name = "A";
/// The field of the unique index.
pub(super) const UNIQUE: Name = "more";
/// The field of the index that is not.
const ORDERED: Name = "n";

fn definition() -> NodeDef {
    let lists = IndexDef::on(["map.list[]", ORDERED]).named("lists");
    NodeDef::new(INDEXED).allow_unknown_fields().index(IndexDef::on([ORDERED])).index(lists)
}

/// The nodes that have a field, in the order of its values.
fn ordered(state: &State, field: Name) -> Vec<NodeId> {
    let indexed = state.nodes.iter().filter(|(_, node)| node.label == INDEXED);
    let mut found: Vec<(&Value, NodeId)> =
        indexed.filter_map(|(id, node)| Some((node.document.get(field)?, *id))).collect();
    found.sort_by(|one, other| one.0.total_cmp(other.0).then(one.1.cmp(&other.1)));
    found.into_iter().map(|(_, id)| id).collect()
}

/// Every index that there is says what was scanned.
pub(super) fn see_indexes(reader: &impl Read, damage: Damage, state: &State) -> Result<(), String> {
    if damage == Damage::Told {
        // What could not be read may be anywhere in an index.
        return Ok(());
    }
    for field in [ORDERED, UNIQUE] {
        let Ok(index) = reader.index(INDEXED, field) else { continue };
        let ids = |reverse: bool| -> Result<Vec<NodeId>, String> {
            let scan = if reverse { index.scan().reverse() } else { index.scan() };
            sure(sure(scan.ids())?.collect::<Result<Vec<_>, Error>>())
        };
        let expected = ordered(state, field);
        agree(&format!("index {field}"), &ids(false)?, &expected)?;
        let mut backwards = ids(true)?;
        backwards.reverse();
        agree(&format!("index {field} backwards"), &backwards, &expected)?;
    }
    let unique = reader.index(INDEXED, UNIQUE).ok();
    for (id, node) in state.nodes.iter().filter(|(_, node)| node.label == INDEXED) {
        let (Some(index), Some(value)) = (&unique, node.document.get(UNIQUE)) else { continue };
        let found = sure(index.find(value.clone()))?.map(|node| node.id());
        agree("the node with a unique value", found, Some(*id))?;
    }
    Ok(())
}

/// Another node that has, in a transaction, what a unique index allows once.
fn twin(staged: &Staged, value: Option<&Value>, but: Option<NodeId>) -> Option<NodeId> {
    let value = value?;
    let has = |node: &Arc<NodeState>| {
        let found = node.document.get(UNIQUE).filter(|_| node.label == INDEXED);
        found.is_some_and(|found| found.total_cmp(value).is_eq())
    };
    let mut nodes = staged.now.nodes.iter().filter(|(id, _)| Some(**id) != but);
    nodes.find(|(_, node)| has(node)).map(|(id, _)| *id)
}

/// Judges whether a value was rightly taken, or refused for a twin; whether it was
/// refused for that.
pub(super) fn judge_unique<T>(
    txn: &Transaction<'_>,
    staged: &Staged,
    (value, node): (Option<&Value>, Option<NodeId>),
    result: &Result<T, Error>,
) -> Result<bool, String> {
    let twin = twin(staged, value, node);
    match result {
        Ok(_) if twin.is_some() && txn.index(INDEXED, UNIQUE).is_ok() => {
            Err(format!("{value:?} was given to a second node beside {twin:?}"))
        }
        Ok(_) => Ok(false),
        Err(error) => match error.input() {
            Some(InputError::UniqueViolation { holder, .. }) if twin == Some(*holder) => Ok(true),
            Some(InputError::UniqueViolation { holder, .. }) => {
                Err(format!("{value:?} is refused for {holder}, and {twin:?} has it"))
            }
            _ => Ok(false),
        },
    }
}

impl Story {
    /// Defines the indexes, or goes on building what was not built to its end; drops the
    /// unique one, or adds it, now and then.
    pub(super) fn index(&mut self) -> Told {
        let what = self.rng.u8(..6);
        let unique = IndexDef::on([UNIQUE]).unique();
        let db = self.db();
        let done = match what {
            0..3 => db.define([definition()]),
            3 => db.build_indexes(|_| {}),
            4 => db.migrate(INDEXED).add_index(unique).run(),
            _ => db.migrate(INDEXED).drop_index(UNIQUE).run(),
        };
        let name =
            ["define", "define", "define", "build", "add index", "drop index"][what as usize];
        if self.files.down().is_some() || self.db().statistics().storage.is_none() {
            self.fenced = true;
        } else if let Ok(snapshot) = self.db().snapshot() {
            // Its commits are none of the history.
            self.now = snapshot.timestamp();
        }
        self.work.given.timestamp = self.work.given.timestamp.max(self.now);
        match done {
            Ok(()) => {
                self.counts.indexings += 1;
                self.note(format!("{name}: done"));
                Ok(())
            }
            // It is there already, or not there yet; it differs; or two are the same.
            Err(error @ Error::Schema(_)) => {
                self.note(format!("{name}: {error}"));
                Ok(())
            }
            Err(error) if matches!(error.input(), Some(InputError::Duplicate { .. })) => {
                self.note(format!("{name}: {error}"));
                Ok(())
            }
            Err(error) => {
                debug_assert_ne!(error.kind(), ErrorKind::Input, "{error}");
                self.permit(name, &error)
            }
        }
    }
}
