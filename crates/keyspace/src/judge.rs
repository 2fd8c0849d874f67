//! Judging a transaction's writes against the latest state, under the commit
//! lock: the order of the questions is told at the crate root.
#![expect(unsafe_code, reason = "the newest version of a record is read under a pin")]

use selvedge_base::{Timestamp, mutant};
use selvedge_mvcc::{Overtaken, Pin, VersionBox, check_read, check_write, pin};

use crate::encoding::Encoding;
use crate::entry::{Entry, EntryHeader, EntryPointer};
use crate::entry_writes::{CommitTime, EntryWrites};
use crate::error::{ComputationError, Refusal};
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
        self.evaluate(&pin)
    }

    fn judge_checks(&self, keyspace: &Keyspace, pin: &Pin) -> Result<(), Refusal> {
        if self.checks.is_empty() {
            return Ok(());
        }
        let failed = |index: &usize| {
            let check = &self.checks[*index];
            // SAFETY: commits are judged under the commit lock, here and below.
            let latest = unsafe { keyspace.entry(&check.key, pin) }.filter(|entry| {
                // SAFETY: under the pin.
                let newest = unsafe { entry.record.newest() };
                newest.is_some_and(|newest| !newest.header().has_expired(|| self.time.get()))
            });
            !check.expected.holds(latest.map(|entry| entry.record.stamp()))
        };
        let failed: Vec<usize> = (0..self.checks.len()).filter(failed).collect();
        if failed.is_empty() || mutant::is("check-ignored") {
            Ok(())
        } else {
            Err(Refusal::ChecksFailed(failed))
        }
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
            // SAFETY: as above.
            let Some(entry) = (unsafe { keyspace.entry(key, pin) }) else { continue };
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
        let reads = self.reads.borrow();
        if reads.len() == 0 {
            return Ok(());
        }
        // SAFETY: as above, here and below.
        let entry = |key| unsafe { keyspace.entry(key, pin) };
        let points = reads.points().filter_map(|key| Some((key, entry(key)?)));
        // SAFETY: as above.
        let walk = |bounds| unsafe { keyspace.walk(bounds, false, pin) };
        let ranges = reads.ranges().flat_map(walk);
        for (key, entry) in points.chain(ranges) {
            check_read(entry.record.stamp().commit(), start)
                .map_err(|overtaken| conflict(key, start, overtaken, true))?;
        }
        Ok(())
    }

    /// Computes what is to be computed, and plans nothing for the deletion of what
    /// does not exist.
    fn evaluate(&mut self, pin: &Pin) -> Result<(), Refusal> {
        let Self { entries, versions, steps, results, time, .. } = self;
        results.clear();
        for (at, (key, staged)) in (0..).zip(entries.iter_mut()) {
            if staged.steps.is_some() {
                let number = compute(key, staged, versions, steps, (*time, pin))?;
                results.insert(at, number);
            } else {
                staged.plan = plan_of(staged, versions, (*time, pin));
            }
        }
        Ok(())
    }
}

fn conflict(key: &[u8], start: Timestamp, overtaken: Overtaken, read: bool) -> Refusal {
    Refusal::Conflict { key: key.into(), start, committed: overtaken.by, read }
}

/// The entry that validation found.
fn entry_of(plan: Plan, _pin: &Pin) -> Option<&Entry> {
    match plan {
        // SAFETY: found in the index under the pin, which is still held.
        Plan::Replace(pointer) => Some(unsafe { pointer.entry() }),
        Plan::Insert | Plan::Nothing => None,
    }
}

/// Computes the number of a key, into the version that waits for it.
fn compute(
    key: &[u8],
    staged: &Staged,
    versions: &mut StagedVersions,
    steps: &NumberSteps,
    (time, pin): (CommitTime, &Pin),
) -> Result<(Encoding, Vec<u8>), ComputationError> {
    let entry = entry_of(staged.plan, pin);
    // SAFETY: under the pin.
    let newest = || entry.and_then(|entry| unsafe { entry.record.newest() });
    let value = staged.effect(versions, steps, key, newest, || time.get())?;
    let value = value.expect("a computation gives a number");
    let (encoding, bytes) = (value.encoding(), value.bytes().to_vec());
    drop(value);
    let at = staged.result.expect("staged with the computation");
    let result = versions.get_mut(at).expect("staged with the computation");
    if encoding == Encoding::LE64 && result.header().encoding == Encoding::LE64 {
        result.bytes_mut().copy_from_slice(&bytes);
    } else {
        *result = VersionBox::new(EntryHeader { encoding, expires: 0 }, &[&bytes]);
    }
    Ok((encoding, bytes))
}

fn plan_of(staged: &Staged, versions: &StagedVersions, (time, pin): (CommitTime, &Pin)) -> Plan {
    let version = staged.replacement.and_then(|at| versions.get(at));
    let version = version.expect("what is not computed is replaced");
    if !version.is_tombstone() {
        return staged.plan;
    }
    let alive = entry_of(staged.plan, pin).filter(|entry| entry.record.stamp().is_alive());
    // SAFETY: under the pin.
    let newest = alive.and_then(|entry| unsafe { entry.record.newest() });
    let goes = newest
        .is_some_and(|newest| !staged.only_expired || newest.header().has_expired(|| time.get()));
    if goes { staged.plan } else { Plan::Nothing }
}
