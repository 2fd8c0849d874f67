//! The keyspace's part in a commit: validate, install, prune.
#![expect(unsafe_code, reason = "installs and prunes under the commit lock of the engine")]

use selvedge_base::Timestamp;
use selvedge_base::sync::atomic::AtomicU64;
use selvedge_engine::{Participant, Settling};
use selvedge_mvcc::{Pin, Record, VersionBox, pin};

use crate::entry::{Entry, EntryHeader};
use crate::entry_names::{EntryName, EntryNames, NO_NAME};
use crate::entry_writes::EntryWrites;
use crate::error::Refusal;
use crate::keyspace::Keyspace;
use crate::staged::Plan;

impl Keyspace {
    /// Installs what was validated, for a participant that the keyspace is a part
    /// of; tells every entry that now has an older version.
    ///
    /// # Safety
    /// As [`Participant::install`]; and these writes have passed
    /// [`Participant::validate`] since the commit lock was taken.
    pub unsafe fn install_entries(
        &self,
        names: &mut EntryNames,
        writes: &mut EntryWrites,
        commit: Timestamp,
        mut superseded: impl FnMut(EntryName),
    ) {
        let pin = pin();
        writes.committed = true;
        let EntryWrites { entries, versions, .. } = writes;
        for (key, staged) in entries.iter_mut() {
            let plan = std::mem::take(&mut staged.plan);
            if matches!(plan, Plan::Nothing) {
                continue;
            }
            let version = staged.outcome().and_then(|at| versions.take(at));
            let version = version.expect("validated with a version for each key");
            match plan {
                Plan::Nothing => {}
                Plan::Replace(pointer) => {
                    // SAFETY: found in the index since the lock was taken, by the
                    // caller's contract, and nothing was taken out since.
                    let entry = unsafe { pointer.entry() };
                    superseded(names.name(entry));
                    // SAFETY: the caller holds the lock and publishes.
                    unsafe { entry.record.install(version, commit) };
                }
                // SAFETY: as above; validation did not find the key.
                Plan::Insert => unsafe { self.insert(key, version, commit, &pin) },
            }
        }
    }

    /// Makes an entry, with its first version in it (K1).
    ///
    /// # Safety
    /// As [`Participant::install`]; there is no entry with this key.
    unsafe fn insert(
        &self,
        key: &[u8],
        version: VersionBox<EntryHeader>,
        commit: Timestamp,
        pin: &Pin,
    ) {
        let entry = Entry { record: Record::default(), name: AtomicU64::new(NO_NAME) };
        // SAFETY: the caller holds the commit lock and publishes.
        unsafe { entry.record.install(version, commit) };
        // SAFETY: whoever writes to the index holds the commit lock.
        let inserted = unsafe { self.index.insert(key, entry, pin.guard()) };
        assert!(inserted.is_ok(), "validated as a key without an entry");
    }

    /// Prunes one entry, and takes it out if nothing is left of it; for a
    /// participant that the keyspace is a part of, and that calls the entry
    /// `named` in its engine.
    ///
    /// # Safety
    /// As [`Participant::prune`].
    pub unsafe fn prune_entry<R: Copy>(
        &self,
        names: &mut EntryNames,
        name: EntryName,
        named: R,
        settling: &mut Settling<'_, R>,
    ) {
        // Gone since it was filed, see `EntryNames`.
        let Some(pointer) = names.entry(name) else { return };
        let pin = pin();
        // SAFETY: an entry has no name when it is taken out of the index (below),
        // so this one is there; and whoever takes it out from now on is this
        // very call, under the pin.
        let entry = unsafe { pointer.entry() };
        // SAFETY: under the pin, which keeps it even when it is pruned next.
        let newest = unsafe { entry.record.newest() };
        // SAFETY: the commit lock is held.
        let emptied = unsafe { settling.prune(named, &entry.record) };
        if emptied {
            names.release(entry);
            let key = newest.expect("a record was emptied of its last version").bytes();
            // SAFETY: the commit lock is held. No snapshot sees the entry, and
            // none that begins later will.
            let removed = unsafe { self.index.remove(key, pin.guard()) };
            assert!(removed, "an entry is in the index until its record is empty");
        // SAFETY: the commit lock is held.
        } else if entry.record.stamp().is_alive() && unsafe { entry.record.chain_len() } == 1 {
            // Nothing is retained, so nothing is filed that matters.
            names.release(entry);
        }
    }
}

impl Participant for Keyspace {
    type Writer = EntryNames;
    type Writes = EntryWrites;
    type Record = EntryName;
    type Refusal = Refusal;

    fn prepare(&self, _writes: &mut EntryWrites) {
        // Versions are built, and keys ordered, as they are staged.
    }

    fn validate(
        &self,
        _names: &mut EntryNames,
        writes: &mut EntryWrites,
        start: Timestamp,
    ) -> Result<(), Refusal> {
        writes.judge(self, start)
    }

    unsafe fn install(
        &self,
        names: &mut EntryNames,
        writes: &mut EntryWrites,
        commit: Timestamp,
        superseded: &mut Vec<EntryName>,
    ) {
        // SAFETY: the caller's contract; the engine installs what it has just
        // validated, holding the lock all the while.
        unsafe { self.install_entries(names, writes, commit, |name| superseded.push(name)) };
    }

    unsafe fn prune(
        &self,
        names: &mut EntryNames,
        name: EntryName,
        settling: &mut Settling<'_, EntryName>,
    ) {
        // SAFETY: the caller's contract.
        unsafe { self.prune_entry(names, name, name, settling) };
    }

    unsafe fn settle(&self, _names: &mut EntryNames, _settling: &mut Settling<'_, EntryName>) {
        // Whatever is to be forgotten hangs from a record, and goes with it.
    }
}
