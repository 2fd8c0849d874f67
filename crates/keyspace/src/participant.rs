//! The keyspace's part in a commit: validate, install, prune, expire.
#![expect(unsafe_code, reason = "installs and prunes under the commit lock of the engine")]

use selvedge_base::sync::atomic::AtomicU64;
use selvedge_base::{Timestamp, mutant};
use selvedge_engine::{Participant, Settling};
use selvedge_index::{KeyedEdit, RetiredParts};
use selvedge_mvcc::{Pin, Record, Retired, VersionBox, pin};

use crate::entry::{Entry, EntryHeader};
use crate::entry_names::{EntryName, NO_NAME};
use crate::entry_writes::{CommitTime, EntryWrites, StampedWrite};
use crate::error::Refusal;
use crate::keyspace::Keyspace;
use crate::leaves::ReplacedValue;
use crate::staged::Plan;
use crate::stamped_key::put_stamp;
use crate::writer::EntryWriter;

/// Expired entries that one commit removes.
const EXPIRED_PER_COMMIT: usize = 1000;

impl Keyspace {
    /// Installs what was validated, for a participant that the keyspace is a part
    /// of; tells every entry that now has an older version.
    ///
    /// # Safety
    /// As [`Participant::install`]; and these writes have passed
    /// [`Participant::validate`] since the commit lock was taken.
    pub unsafe fn install_entries(
        &self,
        writer: &mut EntryWriter,
        writes: &mut EntryWrites,
        commit: Timestamp,
        mut superseded: impl FnMut(EntryName),
    ) {
        let pin = pin();
        // SAFETY: whoever writes to the index holds the commit lock, and until this is
        // dropped all is written through it.
        let mut inserts = unsafe { self.index.edit(pin.guard()) };
        writes.committed = true;
        self.clock.not_before(writes.time.get());
        let EntryWrites { entries, versions, stamped, .. } = writes;
        for (key, staged) in entries.iter_mut() {
            let plan = std::mem::take(&mut staged.plan);
            if matches!(plan, Plan::Nothing) {
                continue;
            }
            let version = staged.outcome().and_then(|at| versions.take(at));
            let version = version.expect("validated with a version for each key");
            let old = match plan {
                // SAFETY: found in the index since the lock was taken, by the
                // caller's contract, and nothing was taken out since.
                Plan::Replace(pointer) => Some(unsafe { pointer.entry() }),
                Plan::Insert | Plan::Nothing => None,
            };
            // SAFETY: the caller's contract.
            let name = unsafe { self.put(writer, &mut inserts, key, (old, version), commit, &pin) };
            name.into_iter().for_each(&mut superseded);
        }
        // The last one with a beginning counts, so it comes first.
        for StampedWrite { key, version } in stamped.iter_mut().rev() {
            let Some(version) = version.take() else { continue };
            put_stamp(key, if mutant::is("stamped-key-late") { commit.next() } else { commit });
            // SAFETY: as above, here and below.
            let old = unsafe { self.entry(key, &pin) };
            // A record has one version of a commit: that of a later mutation with this
            // beginning, or of one that guessed the whole key.
            if old.is_some_and(|old| old.record.stamp().commit() == commit) {
                continue;
            }
            // SAFETY: as above.
            let name = unsafe { self.put(writer, &mut inserts, key, (old, version), commit, &pin) };
            name.into_iter().for_each(&mut superseded);
        }
        // Whoever begins behind this commit walks a tree that has its entries.
        pin.count_retired(inserts.publish());
    }

    /// Makes `version` the newest of the `old` entry, or of a new one; names the
    /// entry if it has an older version now.
    ///
    /// # Safety
    /// As [`Participant::install`]; `old` is the entry with this key, if there is one.
    unsafe fn put(
        &self,
        writer: &mut EntryWriter,
        inserts: &mut KeyedEdit<'_, Entry>,
        key: &[u8],
        (old, version): (Option<&Entry>, VersionBox<EntryHeader>),
        commit: Timestamp,
        pin: &Pin,
    ) -> Option<EntryName> {
        let expires = version.header().expires;
        let bytes = version.bytes().len();
        let expired = old.map_or(0, |entry| entry.newest_expires(pin));
        // For the leaves, before there is a newer version.
        let replaced = old.filter(|_| writer.leaves.is_some()).map(|entry| {
            let (commit, bytes) = (entry.record.stamp().commit(), entry.newest_bytes(pin));
            ReplacedValue { commit, bytes }
        });
        writer.expirations.change(key, expired, expires);
        let name = match old {
            Some(entry) => {
                let name = writer.names.name(entry);
                // SAFETY: the caller holds the lock and publishes.
                unsafe { entry.record.install(version, commit) };
                // SAFETY: as above; the entry is in the index until it is pruned.
                unsafe { self.index.moved(key, entry) };
                Some(name)
            }
            None => {
                // SAFETY: as above; there is no entry with this key.
                let retired = unsafe { insert(inserts, key, version, commit) };
                writer.retired.extend(retired);
                None
            }
        };
        if let Some(leaves) = &mut writer.leaves
            && let Some(too_large) = leaves.written(key, bytes, commit, replaced)
        {
            // It is measured by a walk.
            pin.count_retired(inserts.publish());
            leaves.cut(&too_large, self, pin);
        }
        name
    }

    /// Prunes one entry, and takes it out if nothing is left of it; for a
    /// participant that the keyspace is a part of, and that calls the entry
    /// `named` in its engine.
    ///
    /// # Safety
    /// As [`Participant::prune`].
    pub unsafe fn prune_entry<R: Copy>(
        &self,
        writer: &mut EntryWriter,
        name: EntryName,
        named: R,
        settling: &mut Settling<'_, R>,
    ) {
        // Gone since it was filed, see `EntryNames`.
        let Some(pointer) = writer.names.entry(name) else { return };
        let pin = pin();
        // SAFETY: an entry has no name when it is taken out of the index (below),
        // so this one is there; and whoever takes it out from now on is this
        // very call, which frees nothing.
        let entry = unsafe { pointer.entry() };
        // SAFETY: under the pin, which keeps it even when it is pruned next.
        let newest = unsafe { entry.record.newest() };
        // SAFETY: the commit lock is held.
        let emptied = unsafe { settling.prune(named, &entry.record) };
        if emptied {
            writer.names.release(entry);
            let key = newest.expect("a record was emptied of its last version").bytes();
            // SAFETY: the commit lock is held. No snapshot sees the entry, and
            // none that begins later will.
            let removed = unsafe { self.index.remove(key, pin.guard()) };
            pin.count_retired(0);
            let removed = removed.expect("an entry is in the index until its record is empty");
            if let Some(leaves) = &mut writer.leaves {
                leaves.removed(key);
            }
            retire(removed, settling);
        // SAFETY: the commit lock is held.
        } else if entry.record.stamp().is_alive() && unsafe { entry.record.chain_len() } == 1 {
            // Nothing is retained, so nothing is filed that matters.
            writer.names.release(entry);
        }
    }
}

impl Keyspace {
    /// Hands on what waits for the open snapshots, for a participant that the keyspace
    /// is a part of.
    pub fn settle_writer<R: Copy>(&self, writer: &mut EntryWriter, settling: &mut Settling<'_, R>) {
        while let Some(retired) = writer.retired.pop() {
            retire(retired, settling);
        }
        while let Some(moved) = writer.moved.pop() {
            settling.retire(moved);
        }
    }

    /// Removes up to so many expired entries, if there are any.
    #[must_use]
    pub fn expired(&self, writer: &EntryWriter) -> Option<EntryWrites> {
        let mut writes = EntryWrites::new();
        for key in writer.expirations.due(self.clock.now(), EXPIRED_PER_COMMIT) {
            writes.expire(key).expect("the key of an entry");
        }
        (!writes.is_empty()).then_some(writes)
    }
}

/// Makes an entry, with its first version in it (K1). What comes back waits for the
/// open snapshots.
///
/// # Safety
/// As [`Participant::install`]; there is no entry with this key.
#[must_use]
pub(crate) unsafe fn insert(
    inserts: &mut KeyedEdit<'_, Entry>,
    key: &[u8],
    version: VersionBox<EntryHeader>,
    commit: Timestamp,
) -> Option<RetiredParts<Entry>> {
    let entry = Entry { record: Record::default(), name: AtomicU64::new(NO_NAME) };
    // SAFETY: the caller holds the commit lock and publishes.
    unsafe { entry.record.install(version, commit) };
    // SAFETY: the caller's contract.
    let inserted = unsafe { inserts.insert(key, entry) };
    inserted.expect("validated as a key without an entry")
}

/// Hands what left the index on, to be freed behind the snapshots of now (K5).
fn retire<R: Copy>(parts: RetiredParts<Entry>, settling: &mut Settling<'_, R>) {
    if !mutant::is("entry-freed-early") {
        settling.retire(Retired::new(parts));
    }
}

impl Participant for Keyspace {
    type Writer = EntryWriter;
    type Writes = EntryWrites;
    type Record = EntryName;
    type Refusal = Refusal;

    fn prepare(&self, writes: &mut EntryWrites) {
        // Versions are built, and keys ordered, as they are staged.
        if let CommitTime::Prepared(now) = &mut writes.time {
            *now = self.clock.now();
        }
    }

    fn validate(
        &self,
        _writer: &mut EntryWriter,
        writes: &mut EntryWrites,
        start: Timestamp,
    ) -> Result<(), Refusal> {
        writes.judge(self, start).inspect_err(|refusal| self.refused.count(refusal))
    }

    unsafe fn install(
        &self,
        writer: &mut EntryWriter,
        writes: &mut EntryWrites,
        commit: Timestamp,
        superseded: &mut Vec<EntryName>,
    ) {
        // SAFETY: the caller's contract; the engine installs what it has just
        // validated, holding the lock all the while.
        unsafe { self.install_entries(writer, writes, commit, |name| superseded.push(name)) };
    }

    unsafe fn prune(
        &self,
        writer: &mut EntryWriter,
        name: EntryName,
        settling: &mut Settling<'_, EntryName>,
    ) {
        // SAFETY: the caller's contract.
        unsafe { self.prune_entry(writer, name, name, settling) };
    }

    unsafe fn settle(&self, writer: &mut EntryWriter, settling: &mut Settling<'_, EntryName>) {
        self.settle_writer(writer, settling);
    }

    fn committed(&self, writes: &mut EntryWrites) {
        self.watchers().ring(writes.keys());
    }

    fn due(&self, writer: &mut EntryWriter) -> Option<EntryWrites> {
        self.expired(writer)
    }

    fn expects(writer: &EntryWriter) -> bool {
        writer.expects()
    }
}
