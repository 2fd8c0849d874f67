//! Judging a transaction's writes against the latest state, under the commit
//! lock: the order of the questions is told at the crate root.
#![expect(unsafe_code, reason = "the newest version of a record is read under a pin")]

use selvedge_base::Timestamp;
use selvedge_mvcc::{Overtaken, Pin, check_read, check_write, pin};

use crate::entry::EntryPointer;
use crate::entry_writes::EntryWrites;
use crate::error::{Refusal, WrongType};
use crate::keyspace::Keyspace;
use crate::number_steps::NumberSteps;
use crate::staged::{Plan, Staged};
use crate::staged_versions::StagedVersions;

impl EntryWrites {
    /// Judges the writes of a transaction that began at `start`, evaluates its
    /// computations, and plans what to install. Changes nothing but these writes.
    ///
    /// # Panics
    /// If they are committed already.
    pub(crate) fn judge(&mut self, keyspace: &Keyspace, start: Timestamp) -> Result<(), Refusal> {
        assert!(!self.committed, "a transaction's writes are committed once");
        let pin = pin();
        self.judge_checks(keyspace, &pin)?;
        self.judge_writes(keyspace, start, &pin)?;
        self.judge_reads(keyspace, start, &pin)?;
        let Self { entries, versions, steps, .. } = self;
        for (key, staged) in entries.iter_mut() {
            evaluate(key, staged, versions, steps, &pin)?;
        }
        Ok(())
    }

    fn judge_checks(&self, keyspace: &Keyspace, pin: &Pin) -> Result<(), Refusal> {
        let failed = |index: &usize| {
            let check = &self.checks[*index];
            let latest = keyspace.entry(&check.key, pin);
            !check.expected.holds(latest.map(|entry| entry.record.stamp()))
        };
        let failed: Vec<usize> = (0..self.checks.len()).filter(failed).collect();
        if failed.is_empty() { Ok(()) } else { Err(Refusal::ChecksFailed(failed)) }
    }

    /// First committer wins. Notes the entries on the way, so that each key is
    /// looked up once.
    fn judge_writes(
        &mut self,
        keyspace: &Keyspace,
        start: Timestamp,
        pin: &Pin,
    ) -> Result<(), Refusal> {
        for (key, staged) in self.entries.iter_mut() {
            staged.plan = Plan::Insert;
            let Some(entry) = keyspace.entry(key, pin) else { continue };
            staged.plan = Plan::Replace(EntryPointer::to(entry));
            if staged.conflicts {
                check_write(entry.record.stamp(), start)
                    .map_err(|overtaken| conflict(key, start, overtaken, false))?;
            }
        }
        Ok(())
    }

    /// What has no entry has not changed since the start: deleting it, be it
    /// right after inserting it, would have left a tombstone there (K4).
    fn judge_reads(&self, keyspace: &Keyspace, start: Timestamp, pin: &Pin) -> Result<(), Refusal> {
        let points = self.reads.points().filter_map(|key| Some((key, keyspace.entry(key, pin)?)));
        let ranges = self.reads.ranges().flat_map(|bounds| keyspace.walk(bounds, false, pin));
        for (key, entry) in points.chain(ranges) {
            check_read(entry.record.stamp().commit(), start)
                .map_err(|overtaken| conflict(key, start, overtaken, true))?;
        }
        Ok(())
    }
}

fn conflict(key: &[u8], start: Timestamp, overtaken: Overtaken, read: bool) -> Refusal {
    Refusal::Conflict { key: key.into(), start, committed: overtaken.by, read }
}

/// Computes what is to be computed, and plans nothing for the deletion of what
/// does not exist.
fn evaluate(
    key: &[u8],
    staged: &mut Staged,
    versions: &mut StagedVersions,
    steps: &NumberSteps,
    _pin: &Pin,
) -> Result<(), WrongType> {
    let entry = match staged.plan {
        // SAFETY: found in the index under the pin, which is still held.
        Plan::Replace(pointer) => Some(unsafe { pointer.entry() }),
        Plan::Insert | Plan::Nothing => None,
    };
    if staged.steps.is_some() {
        // SAFETY: under the pin.
        let newest = || entry.and_then(|entry| unsafe { entry.record.newest() });
        let value = staged.effect(versions, steps, key, newest)?;
        let number = value.and_then(|value| value.number()).expect("a computation gives a number");
        let result = staged.result.and_then(|at| versions.get_mut(at));
        let result = result.expect("staged with the computation");
        result.bytes_mut().copy_from_slice(&number.to_le_bytes());
    } else {
        let staged_version = staged.replacement.and_then(|at| versions.get(at));
        let staged_version = staged_version.expect("what is not computed is replaced");
        let exists = entry.is_some_and(|entry| entry.record.stamp().is_alive());
        if staged_version.is_tombstone() && !exists {
            staged.plan = Plan::Nothing;
        }
    }
    Ok(())
}
