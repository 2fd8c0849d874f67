//! A record: the versioned slot of one entity.
#![expect(unsafe_code, reason = "versions hang from the record by raw pointer")]

use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use selvedge_base::prefetch::prefetch;
use selvedge_base::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use selvedge_base::{Timestamp, mutant};

use crate::horizon::ActiveStarts;
use crate::reclaim::{self, Pin};
use crate::version::{Version, VersionBox};

/// The right to read at `start`: proof that a snapshot with this start
/// timestamp stays open for `'s`.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotRef<'s> {
    start: Timestamp,
    open: PhantomData<&'s ()>,
}

impl SnapshotRef<'_> {
    /// The right to read at `start`.
    ///
    /// # Safety
    /// A slot of the registry that guards the records to be read holds `start`,
    /// and is not closed during `'s`.
    #[must_use]
    #[inline]
    pub unsafe fn new(start: Timestamp) -> Self {
        Self { start, open: PhantomData }
    }

    /// The start timestamp.
    #[must_use]
    #[inline]
    pub fn start(self) -> Timestamp {
        self.start
    }
}

/// Timestamp and kind of the newest version, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp(u64);

impl Stamp {
    const EMPTY: Self = Self(0);

    fn new(commit: Timestamp, tombstone: bool) -> Self {
        Self(commit.get() << 1 | u64::from(tombstone))
    }

    /// The stamp of a value committed at `commit`, for what is versioned without
    /// a record of its own.
    #[must_use]
    pub fn of(commit: Timestamp) -> Self {
        Self::new(commit, false)
    }

    /// The commit timestamp of the newest version; zero if there is none.
    #[must_use]
    #[inline]
    pub fn commit(self) -> Timestamp {
        Timestamp::again(self.0 >> 1)
    }

    /// Whether the newest version is a value: neither missing nor a tombstone.
    #[must_use]
    #[inline]
    pub fn is_alive(self) -> bool {
        self.0 & 1 == 0 && self.0 != 0
    }

    /// Whether who sees this version sees nothing.
    #[inline]
    fn is_absent(self) -> bool {
        !self.is_alive() && (self.is_empty() || !mutant::is("tombstone-ignored"))
    }

    /// Whether the record holds no version at all.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.commit(), if self.is_alive() { "" } else { " gone" })
    }
}

/// The versioned slot of one entity. 16 bytes; all zero means "never existed".
///
/// Writers hold the commit lock; readers hold an open snapshot and nothing else.
///
/// Invariant R1: `stamp` describes the newest version, and is stored before
/// `head` points to it. Invariant R2: a version that an active snapshot sees is
/// linked, and neither unlinked nor freed while that snapshot is open.
///
/// Reading without a pin rests on both. A reader at `start` loads the stamp, the
/// head, and the stamp again. If both stamps agree and are not newer than
/// `start`, the head is the version of that stamp: it cannot be older, since the
/// commit was published, and so installed, before the reader began; and had it
/// been newer, the second stamp would be newer too (R1). That version is the one
/// the snapshot sees, so R2 keeps it alive. Otherwise the reader pins and walks
/// the chain; what it finds there is again protected by R2 after the pin.
pub struct Record<H> {
    stamp: AtomicU64,
    head: AtomicPtr<Version<H>>,
}

impl<H> Default for Record<H> {
    fn default() -> Self {
        Self { stamp: AtomicU64::new(0), head: AtomicPtr::new(ptr::null_mut()) }
    }
}

impl<H> Record<H> {
    /// Timestamp and kind of the newest version, installed or being installed.
    #[must_use]
    #[inline]
    pub fn stamp(&self) -> Stamp {
        Stamp(self.stamp.load(Ordering::Acquire))
    }

    /// The version that the snapshot sees; `None` if the entity does not exist
    /// there.
    #[must_use]
    #[inline]
    pub fn read<'s>(&'s self, at: SnapshotRef<'s>) -> Option<&'s Version<H>> {
        // Acquire: the head load below may not move before it.
        let stamp = self.stamp();
        if stamp.commit() <= at.start {
            if stamp.is_absent() {
                return None;
            }
            // Partner: the Release store in `install`.
            let head = self.head.load(Ordering::Acquire);
            prefetch(head, [64, 128]);
            if self.stamp.load(Ordering::Relaxed) == stamp.0 || mutant::is("stamp-read-once") {
                // SAFETY: the head is the version of `stamp`, which this
                // snapshot sees, so it outlives 's (R1, R2; see above).
                return Some(unsafe { &*head });
            }
        }
        self.walk(at)
    }

    /// Asks for the record, which is to be read soon. A hint, no access.
    #[inline]
    pub fn prefetch(&self) {
        prefetch(self, [0]);
    }

    /// Asks for the newest version, which is to be read soon; accesses the record
    /// itself.
    #[inline]
    pub fn prefetch_newest(&self) {
        prefetch(self.newest_address(), [0, 64, 128]);
    }

    /// Where the newest version lies, or null. To be asked for, not to be accessed.
    #[must_use]
    #[inline]
    pub fn newest_address(&self) -> *const () {
        // Relaxed: nothing is read through it.
        self.head.load(Ordering::Relaxed).cast_const().cast()
    }

    /// The commit timestamp of what the snapshot sees, and whether it exists
    /// there, without touching a version if that can be avoided.
    #[must_use]
    #[inline]
    pub fn exists(&self, at: SnapshotRef<'_>) -> bool {
        let stamp = self.stamp();
        if stamp.commit() <= at.start { !stamp.is_absent() } else { self.walk(at).is_some() }
    }

    /// The slow path of `read`: newest to oldest, the first version that is not
    /// newer than the start.
    #[cold]
    fn walk<'s>(&'s self, at: SnapshotRef<'s>) -> Option<&'s Version<H>> {
        let _pin = (!mutant::is("walk-without-pin")).then(reclaim::pin);
        let mut next = self.head.load(Ordering::Acquire);
        // Ends: a chain has at most one version per active snapshot and one per
        // commit not yet pruned.
        loop {
            // SAFETY: loaded under the pin from a linked place, so not freed
            // before the pin ends.
            let version = unsafe { next.as_ref() }?;
            if version.commit() <= at.start {
                let seen = !version.is_tombstone() || mutant::is("tombstone-ignored");
                // Returned beyond the pin: R2 protects it as long as 's.
                return seen.then_some(version);
            }
            next = version.prev();
        }
    }

    /// The newest version, tombstone or not, for the holder of the commit lock.
    ///
    /// # Safety
    /// The caller holds the commit lock of this record's database for `'w`, or
    /// is pinned for `'w`.
    #[must_use]
    pub unsafe fn newest<'w>(&self) -> Option<&'w Version<H>> {
        // SAFETY: the head is not unlinked while the lock is held, and not
        // freed while the caller is pinned.
        unsafe { self.head.load(Ordering::Acquire).as_ref() }
    }

    /// Hangs `version` on top, committed at `commit`, which is not yet
    /// published.
    ///
    /// # Safety
    /// The caller holds the commit lock, and publishes `commit` afterwards or
    /// poisons the database.
    pub unsafe fn install(&self, version: VersionBox<H>, commit: Timestamp) {
        let stamp = Stamp::new(commit, version.is_tombstone());
        debug_assert!(self.stamp().commit() < commit, "one version per commit");
        version.set_commit(commit);
        version.set_prev(self.head.load(Ordering::Relaxed));
        let version = version.into_raw();
        if mutant::is("head-before-stamp") {
            self.head.store(version.as_ptr(), Ordering::Release);
        }
        // R1: the stamp first. Partner of both: the loads in `read`.
        self.stamp.store(stamp.0, Ordering::Release);
        self.head.store(version.as_ptr(), Ordering::Release);
    }

    /// Puts a copy of the newest version in its place, so that it lies elsewhere
    /// in memory, and gives the old one. Does nothing if the newest is a
    /// tombstone.
    ///
    /// A reader finds the same stamp before and after, and between them the one
    /// or the other; both say the same. Older versions hang below the copy. One
    /// who walks the chain from the old one is pinned, and so keeps what is
    /// unlinked below it from then on.
    ///
    /// # Safety
    /// The caller holds the commit lock, nothing unpublished is installed, `copy`
    /// gives an equal version, and the old one goes to the limbo: snapshots that
    /// are open now may be reading it.
    pub unsafe fn move_newest(
        &self,
        copy: impl FnOnce(&Version<H>) -> VersionBox<H>,
    ) -> Option<VersionBox<H>> {
        let head = NonNull::new(self.head.load(Ordering::Relaxed))?;
        // SAFETY: under the commit lock the head stays linked.
        let old = unsafe { head.as_ref() };
        if old.is_tombstone() {
            return None;
        }
        let new = copy(old);
        new.set_commit(old.commit());
        new.set_prev(old.prev());
        // Partner: the Acquire loads in `read` and `walk`.
        self.head.store(new.into_raw().as_ptr(), Ordering::Release);
        // SAFETY: just unlinked, and by nobody else (commit lock).
        Some(unsafe { VersionBox::from_raw(head) })
    }

    /// Unlinks every version that no snapshot can see, reports what stays and
    /// why, and retires the rest. A tombstone that nobody needs leaves the
    /// record empty.
    ///
    /// # Safety
    /// The caller holds the commit lock; `active` was scanned under it, after
    /// the newest visible timestamp was read (V0), and nothing newer than V0 is
    /// installed.
    pub unsafe fn prune(&self, active: &ActiveStarts, pin: &Pin, outcome: &mut impl PruneOutcome) {
        // SAFETY: under the commit lock the head stays linked.
        let Some(head) = (unsafe { self.newest() }) else { return };
        let mut newer = head;
        // Ends: the chain is finite, and each turn passes or drops a version.
        // SAFETY: under the commit lock nobody else unlinks or retires.
        while let Some(version) = unsafe { newer.prev().as_ref() } {
            let blocker = match active.within(version.commit(), newer.commit()) {
                // Below the oldest version there is nothing either.
                Some(_) if version.is_tombstone() && version.prev().is_null() => None,
                _ if mutant::is("prune-one-too-far") => None,
                blocker => blocker,
            };
            if let Some(blocker) = blocker {
                outcome.kept(version.fate(), blocker);
                newer = version;
            } else {
                newer.set_prev(version.prev());
                // SAFETY: just unlinked, and by nobody else (commit lock).
                unsafe { retire(version, pin, outcome) };
            }
        }
        if head.is_tombstone() {
            match active.before(head.commit()) {
                Some(blocker) => outcome.kept(head.fate(), blocker),
                None if head.prev().is_null() => {
                    self.stamp.store(Stamp::EMPTY.0, Ordering::Release);
                    self.head.store(ptr::null_mut(), Ordering::Release);
                    outcome.emptied();
                    // SAFETY: just unlinked, and by nobody else (commit lock).
                    unsafe { retire(head, pin, outcome) };
                }
                None => {}
            }
        }
    }

    /// The number of versions in the chain, the newest included, tombstones too.
    ///
    /// # Safety
    /// As [`Record::newest`].
    #[must_use]
    pub unsafe fn chain_len(&self) -> usize {
        let mut len = 0;
        // SAFETY: the caller's contract.
        let mut next = unsafe { self.newest() };
        while let Some(version) = next {
            len += 1;
            // SAFETY: linked, and not freed under the lock or pin.
            next = unsafe { version.prev().as_ref() };
        }
        len
    }
}

/// Retires a version that was just unlinked.
///
/// # Safety
/// The version is unlinked, and nobody else retires it.
unsafe fn retire<H>(version: &Version<H>, pin: &Pin, outcome: &mut impl PruneOutcome) {
    outcome.dropped(version.fate());
    let (bytes, version) = (version.memory(), NonNull::from(version));
    // SAFETY: unreachable for whoever pins from now on; freed once.
    unsafe { pin.retire(bytes, move || Version::free(version)) };
}

/// The version that a pruning decided about.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    /// Its commit timestamp.
    pub commit: Timestamp,
    /// Bytes of memory that it takes.
    pub bytes: usize,
    /// Whether it is a tombstone.
    pub tombstone: bool,
}

impl<H> Version<H> {
    fn fate(&self) -> Fate {
        Fate { commit: self.commit(), bytes: self.memory(), tombstone: self.is_tombstone() }
    }
}

/// What a pruning did, told version by version, newest first; the newest itself
/// is mentioned last, and only if it is a tombstone.
pub trait PruneOutcome {
    /// A version stays, because the snapshot that started at `blocker` needs it.
    fn kept(&mut self, version: Fate, blocker: Timestamp);
    /// A version is gone.
    fn dropped(&mut self, version: Fate);
    /// The record holds nothing any more.
    fn emptied(&mut self);
}

impl<H> Drop for Record<H> {
    fn drop(&mut self) {
        let mut next = self.head.load(Ordering::Acquire);
        while let Some(version) = NonNull::new(next) {
            // SAFETY: the record is owned alone, and so is its chain: versions
            // unlinked earlier belong to the epoch collector, not to the chain.
            unsafe {
                next = version.as_ref().prev();
                Version::free(version);
            }
        }
    }
}

impl<H> fmt::Debug for Record<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Record").field(&self.stamp()).finish()
    }
}

// SAFETY: versions are shared by reference and freed on whichever thread
// collects them.
unsafe impl<H: Send + Sync> Sync for Record<H> {}
// SAFETY: as above.
unsafe impl<H: Send + Sync> Send for Record<H> {}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Log(Vec<String>);

    impl PruneOutcome for Log {
        fn kept(&mut self, version: Fate, blocker: Timestamp) {
            self.0.push(format!("kept {} for {blocker}", version.commit));
        }
        fn dropped(&mut self, version: Fate) {
            self.0.push(format!("dropped {}", version.commit));
        }
        fn emptied(&mut self) {
            self.0.push("emptied".into());
        }
    }

    fn ts(number: u64) -> Timestamp {
        Timestamp::new(number)
    }

    fn seen(record: &Record<u32>, start: u64) -> Option<u32> {
        // SAFETY: single-threaded, and nothing is pruned that a test reads.
        let at = unsafe { SnapshotRef::new(ts(start)) };
        let read = record.read(at).map(|version| *version.header());
        assert_eq!(record.exists(at), read.is_some());
        read
    }

    fn chain(versions: &[(u64, Option<u32>)]) -> Record<u32> {
        let record = Record::default();
        for (commit, value) in versions {
            let version = match value {
                Some(value) => VersionBox::new(*value, &[]),
                None => VersionBox::tombstone(0, &[]),
            };
            // SAFETY: single-threaded.
            unsafe { record.install(version, ts(*commit)) };
        }
        record
    }

    fn prune(record: &Record<u32>, active: &[u64]) -> Vec<String> {
        let active = active.iter().copied().map(ts).collect();
        let mut log = Log::default();
        // SAFETY: single-threaded.
        unsafe { record.prune(&active, &reclaim::pin(), &mut log) };
        log.0
    }

    #[test]
    fn a_snapshot_sees_the_newest_version_not_newer_than_its_start() {
        let record = chain(&[(80, Some(8)), (120, Some(12)), (150, Some(15))]);
        assert_eq!(seen(&record, 75), None);
        assert_eq!(seen(&record, 115), Some(8));
        assert_eq!(seen(&record, 145), Some(12));
        assert_eq!(seen(&record, 150), Some(15));
    }

    #[test]
    fn pruning_keeps_what_each_active_snapshot_sees_and_nothing_else() {
        let record = chain(&[(10, Some(1)), (20, Some(2)), (30, Some(3)), (40, Some(4))]);
        let log = prune(&record, &[15, 35]);
        assert_eq!(log, ["kept @30 for @35", "dropped @20", "kept @10 for @15"]);
        assert_eq!(
            (seen(&record, 15), seen(&record, 35), seen(&record, 40)),
            (Some(1), Some(3), Some(4))
        );
        assert_eq!(prune(&record, &[]), ["dropped @30", "dropped @10"]);
        // SAFETY: single-threaded.
        assert_eq!(unsafe { record.chain_len() }, 1);
    }

    #[test]
    fn a_tombstone_stays_while_somebody_older_is_active() {
        let record = chain(&[(10, Some(1)), (20, None)]);
        assert_eq!(prune(&record, &[15]), ["kept @10 for @15", "kept @20 for @15"]);
        assert_eq!((seen(&record, 15), seen(&record, 20)), (Some(1), None));
        assert_eq!(prune(&record, &[5]), ["dropped @10", "kept @20 for @5"]);
        assert_eq!(prune(&record, &[20]), ["emptied", "dropped @20"]);
        assert!(record.stamp().is_empty());
    }

    #[test]
    fn deleted_and_created_again_a_snapshot_in_between_sees_each_moment() {
        let record = chain(&[(10, Some(1)), (20, None), (30, Some(3))]);
        assert_eq!(
            (seen(&record, 19), seen(&record, 25), seen(&record, 30)),
            (Some(1), None, Some(3))
        );
        assert_eq!(prune(&record, &[25]), ["kept @20 for @25", "dropped @10"]);
        assert_eq!(seen(&record, 25), None);
        assert_eq!(
            prune(&record, &[25]),
            ["dropped @20"],
            "below the oldest there is nothing either"
        );
        assert_eq!(seen(&record, 25), None);
    }
}
