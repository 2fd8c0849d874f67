//! Entries of a keyspace, judged by the history that they leave.

use selvedge::Background;
use selvedge_testkit::history::{Active, Done, EntryValue, Isolation, KeyRange, Name, Outcome};

use crate::schedules::explore;
use crate::story::{Act, Story, act, conflicts};

const KEY: Name = Name::Borrowed("b");
const OTHER: Name = Name::Borrowed("c");
const COUNT: Name = Name::Borrowed("a");

fn look_at_all(active: &mut Active) -> Done {
    let (from, to) = (Name::Borrowed("a"), Name::Borrowed("z"));
    active.range(KeyRange { from, to, is_backward: false, limit: None }).map(drop)
}

/// Reads an entry, and replaces it by an atomic operation if it is still the same.
fn replace_if_same() -> Act {
    act(|worker| {
        let mut active = worker.snapshot()?;
        let seen = active.entry(&KEY)?;
        active.commit()?;
        let atomic = worker.atomic().check(&KEY, seen.and_then(|seen| seen.version));
        atomic.set(&KEY, 2).sum(&COUNT, 1).commit().map(drop)
    })
}

/// Two replace an entry that is as they have seen it, a transaction does by what it
/// reads, and one looks at the whole range, twice. An operation whose check failed has
/// changed nothing, the sum included.
#[test]
fn atomic_operations_against_a_transaction() {
    explore("atomic_operations_against_a_transaction", &[0, 1, 2, 3], || {
        let mut story = Story::in_memory(Background::Manual);
        story.alone(|worker| {
            let mut active = worker.begin(Isolation::Snapshot)?;
            active.set(&KEY, 1)?;
            active.commit().map(drop)
        });
        let transact = act(|worker| {
            let mut active = worker.begin(Isolation::Serializable)?;
            let number = match active.entry(&KEY)?.map(|seen| seen.value) {
                Some(EntryValue::Document(content)) => content.number,
                _ => 0,
            };
            active.set(&KEY, number + 1)?;
            active.set(&OTHER, number)?;
            active.commit().map(drop)
        });
        let look = act(|worker| {
            let mut active = worker.snapshot()?;
            look_at_all(&mut active)?;
            look_at_all(&mut active)?;
            active.commit().map(drop)
        });
        story.together([replace_if_same(), replace_if_same(), transact, look]);
        story.alone(|worker| {
            let mut active = worker.snapshot()?;
            look_at_all(&mut active)?;
            active.commit().map(drop)
        });
        let history = story.judge();
        let mut failed = history.txns.iter().map(|txn| &txn.outcome);
        let is_failed = failed.any(|outcome| matches!(outcome, Outcome::ChecksFailed(_)));
        u64::from(is_failed) | u64::from(conflicts(&history) > 0) << 1
    });
}
