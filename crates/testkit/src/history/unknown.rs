//! Commits of which nobody was told whether they happened: decided by what others saw.
//!
//! ```text
//! life 1   @5 told   @6 unknown   @7 told   @8 unknown   @9 unknown | reopened: life 2
//!          \_________ has happened ______/      has it? only if life 2 sees it, and then
//!                                               all before it has
//! ```
//!
//! The log keeps commits in order. So each life of a database has a last timestamp that
//! surely lasts: of a commit that was told, of one that a later life has seen, or of a
//! snapshot that waited for the disk. What is unknown up to there has happened, and
//! must be seen by all who begin behind it. What is unknown behind it has not, though
//! others may have seen it for a while, or met a conflict with it. Of those who began
//! behind the last timestamp that lasts, and were not told to have committed, nothing is
//! said: what they read may be lost.
//!
//! When an unknown commit happened tells the version of its documents. So it has to
//! write one, and somebody has to read it before it is written over.

use std::borrow::Cow;
use std::collections::HashMap;

use super::committing::concerns;
use super::marks::{self, Item, Marks};
use super::txn::{
    Clash, Content, EntryValue, History, Name, Op, Outcome, SeenEntry, Timestamp, Txn, stamped,
};

/// A history of which every outcome is decided.
pub(super) struct Settled<'h> {
    /// Unknown are only those of which nothing is said any more.
    pub(super) history: Cow<'h, History>,
    pub(super) lost: Lost<'h>,
    /// How many unknown commits have happened.
    pub(super) happened: usize,
}

/// Commits that were applied for a while at most.
#[derive(Default)]
pub(super) struct Lost<'h>(Vec<&'h Txn>);

/// A version of an unknown commit, as it was seen.
struct Sighting {
    by: usize,
    of: usize,
    version: Timestamp,
}

pub(super) fn settle(history: &History) -> Settled<'_> {
    let is_unknown = |txn: &Txn| txn.outcome == Outcome::Unknown;
    if !history.txns.iter().any(is_unknown) {
        let (history, lost) = (Cow::Borrowed(history), Lost::default());
        return Settled { history, lost, happened: 0 };
    }
    let sightings = sightings(history);
    let lasting = lasting(history, &sightings);
    let mut versions = HashMap::new();
    for Sighting { of, version, .. } in &sightings {
        versions.entry(*of).or_insert(*version);
    }
    let (mut settled, mut lost, mut happened) = (history.clone(), Vec::new(), 0);
    for (txn, old) in settled.txns.iter_mut().zip(&history.txns) {
        let life = history.life(txn.number);
        let Some(last) = lasting[life] else { continue };
        if is_unknown(old) {
            let version = versions.get(&txn.number).filter(|version| **version <= last);
            if let Some(version) = version {
                txn.outcome = Outcome::Committed(*version);
                // Whenever it became visible, nobody was told.
                txn.end.returned = u64::MAX;
                for op in &mut txn.ops {
                    if let Op::Stamp { prefix, key, .. } = op {
                        *key = Some(stamped(prefix, *version));
                    }
                }
                happened += 1;
                continue;
            }
            txn.outcome = Outcome::RolledBack;
            lost.push(old);
        }
        let is_in_doubt = !txn.is_durable && txn.commit().is_none() && txn.start > last;
        if is_in_doubt {
            txn.outcome = Outcome::Unknown;
        }
    }
    Settled { history: Cow::Owned(settled), lost: Lost(lost), happened }
}

/// Versions that others than their writers have seen of unknown commits.
fn sightings(history: &History) -> Vec<Sighting> {
    let marks = Marks::of(history);
    let mut sightings = Vec::new();
    for txn in &history.txns {
        for (item, content, version) in txn.ops.iter().flat_map(versions) {
            let Some(mark) = marks.get(content.mark).filter(|mark| mark.item == item) else {
                continue;
            };
            let is_unknown = history.txns[mark.txn].outcome == Outcome::Unknown;
            if is_unknown && mark.txn != txn.number {
                sightings.push(Sighting { by: txn.number, of: mark.txn, version });
            }
        }
    }
    sightings
}

/// The documents that an operation saw with their versions.
fn versions(op: &Op) -> Vec<(Item, &Content, Timestamp)> {
    match op {
        Op::Node { node, seen: Some(seen) } => {
            let version = seen.version.into_iter();
            version.map(|version| (Item::Node(*node), &seen.content, version)).collect()
        }
        Op::Entry { key, seen: Some(seen) } => entry_version(key, seen).into_iter().collect(),
        Op::Range { seen, .. } => {
            seen.iter().filter_map(|(key, seen)| entry_version(key, seen)).collect()
        }
        _ => Vec::new(),
    }
}

fn entry_version<'s>(key: &Name, seen: &'s SeenEntry) -> Option<(Item, &'s Content, Timestamp)> {
    match &seen.value {
        EntryValue::Document(content) => Some((Item::Entry(key.clone()), content, seen.version?)),
        EntryValue::Number(_) => None,
    }
}

/// The last timestamp of each life that surely lasts; `None` where nothing is unknown.
fn lasting(history: &History, sightings: &[Sighting]) -> Vec<Option<Timestamp>> {
    let mut lasting = vec![None; history.reopened.len() + 1];
    for txn in history.txns.iter().filter(|txn| txn.outcome == Outcome::Unknown) {
        lasting[history.life(txn.number)] = Some(Timestamp::ZERO);
    }
    let known = history.txns.iter().filter_map(|txn| {
        let start = txn.is_durable.then_some(txn.start);
        Some((history.life(txn.number), txn.commit().or(start)?))
    });
    let seen_later = sightings.iter().filter_map(|sighting| {
        let (life, later) = (history.life(sighting.of), history.life(sighting.by));
        (life < later).then_some((life, sighting.version))
    });
    for (life, at) in known.chain(seen_later) {
        if let Some(last) = &mut lasting[life] {
            *last = at.max(*last);
        }
    }
    lasting
}

impl Lost<'_> {
    /// What was lost and concerned others, as far as it could: of the same life, and
    /// asked for before they were told.
    fn beside<'l>(&'l self, history: &'l History, txn: &'l Txn) -> impl Iterator<Item = &'l Txn> {
        let life = history.life(txn.number);
        let lost = self.0.iter().copied();
        lost.filter(move |lost| {
            history.life(lost.number) == life && lost.end.called <= txn.end.returned
        })
    }

    /// Whether a conflict may be over something that was lost.
    pub(super) fn explains(&self, history: &History, txn: &Txn, clash: &Clash) -> bool {
        self.beside(history, txn).any(|lost| concerns(clash, lost))
    }

    /// Whether an entry may have been changed by something that was lost.
    pub(super) fn changed(&self, history: &History, txn: &Txn, key: &Name) -> bool {
        let entry = Item::Entry(key.clone());
        let writes = |op| marks::written(op).is_some_and(|(written, _)| written == entry);
        self.beside(history, txn).any(|lost| lost.ops.iter().any(writes))
    }
}
