//! The engine: snapshots, the state behind the commit lock, and the worker.
#![expect(unsafe_code, reason = "vouches for open snapshots and for the commit lock")]

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use selvedge_base::Timestamp;
use selvedge_base::sync::atomic::{AtomicBool, Ordering};
use selvedge_base::sync::{CachePadded, LockRank, Mutex, MutexGuard, mutex};
use selvedge_env::Env;
use selvedge_mvcc::{
    Garbage, OpenSlot, Oracle, Registry, RegistryFull, SlotIndex, SnapshotRef, pin,
};
use selvedge_storage::{Contents, DataFile};

use crate::commit::{CommitError, CommitState};
use crate::journal::{Footing, Journal};
use crate::participant::Participant;
use crate::recovery::StorageOptions;
use crate::settle::FREED_PER_STEP;
use crate::statistics::{Counters, OldestSnapshot, Statistics};
use crate::succession::Succession;
use crate::worker::Worker;

/// Who does background maintenance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Background {
    /// A thread of the engine's own, started when there is something to do, and
    /// asleep when there is not.
    #[default]
    Thread,
    /// Nobody but commits themselves and whoever calls [`Engine::step`].
    Manual,
}

/// How an engine runs.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Clock and randomness.
    pub env: Env,
    /// Who does background maintenance.
    pub background: Background,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { env: Env::real(), background: Background::default() }
    }
}

/// An open snapshot of an engine. Whoever holds it hands it back through
/// [`Engine::close`] or [`Engine::commit`].
#[derive(Debug)]
pub struct OpenSnapshot {
    slot: OpenSlot,
}

impl OpenSnapshot {
    /// The start timestamp.
    #[must_use]
    #[inline]
    pub fn start(&self) -> Timestamp {
        self.slot.start()
    }

    pub(crate) fn index(&self) -> SlotIndex {
        self.slot.index()
    }
}

/// The engine of one database, over what `P` stores.
pub struct Engine<P: Participant> {
    pub(crate) oracle: Oracle,
    pub(crate) registry: Registry,
    pub(crate) participant: P,
    pub(crate) state: CachePadded<Mutex<CommitState<P>>>,
    /// Written by every commit: apart from what every begin reads.
    pub(crate) statistics: CachePadded<Counters>,
    /// Set once: nothing new may be begun or committed here, see
    /// [`Engine::current`].
    fenced: AtomicBool,
    pub(crate) closed: AtomicBool,
    /// Not while what is on the disk is being read: what is due then waits.
    pub(crate) opened: AtomicBool,
    pub(crate) footing: OnceLock<Footing<P>>,
    pub(crate) storage: OnceLock<StorageOptions>,
    /// Data files that no checkpoint refers to any more, until the limbo has them.
    pub(crate) dead_files: Mutex<Vec<Arc<DataFile>>>,
    pub(crate) succession: Succession<P>,
    env: Env,
    handle_labels: Mutex<HashMap<SlotIndex, String>>,
    background: Background,
    worker: Worker,
    myself: Weak<Self>,
}

impl<P: Participant> Engine<P> {
    /// An engine over `participant`.
    #[must_use]
    pub fn new(participant: P, options: EngineOptions) -> Arc<Self> {
        Arc::new_cyclic(|myself| Self {
            oracle: Oracle::new(Timestamp::ZERO),
            registry: Registry::new(),
            participant,
            state: CachePadded::new(mutex(LockRank::Commits, CommitState::default())),
            statistics: CachePadded::new(Counters::default()),
            fenced: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            opened: AtomicBool::new(true),
            footing: OnceLock::new(),
            storage: OnceLock::new(),
            dead_files: mutex(LockRank::DeadFiles, Vec::new()),
            succession: Succession::default(),
            env: options.env,
            handle_labels: mutex(LockRank::SnapshotLabels, HashMap::new()),
            background: options.background,
            worker: Worker::new(options.background),
            myself: myself.clone(),
        })
    }

    /// What is stored.
    #[must_use]
    #[inline]
    pub fn participant(&self) -> &P {
        &self.participant
    }

    /// Clock and randomness.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// The newest commit that snapshots see.
    #[must_use]
    pub fn visible(&self) -> Timestamp {
        self.oracle.visible()
    }

    /// Opens a snapshot. Hand it back through [`Engine::close`].
    ///
    /// # Errors
    /// [`RegistryFull`].
    #[inline]
    pub fn open(&self) -> Result<OpenSnapshot, RegistryFull> {
        let slot = self.registry.open(&self.oracle)?;
        Ok(OpenSnapshot { slot })
    }

    /// Opens a snapshot that is meant to live for a while: its age is known
    /// from now on, and it may have a label for the statistics.
    ///
    /// # Errors
    /// [`RegistryFull`].
    pub fn open_noted(&self, label: Option<&str>) -> Result<OpenSnapshot, RegistryFull> {
        let open = self.open()?;
        self.registry.note_since(open.index(), self.now_micros());
        if let Some(label) = label {
            open.slot.note_label();
            self.handle_labels.lock().insert(open.index(), label.to_owned());
        }
        Ok(open)
    }

    /// Closes a snapshot.
    #[inline]
    pub fn close(&self, open: OpenSnapshot) {
        if open.slot.is_labelled() {
            self.forget_label(&open);
        }
        self.registry.close(open.slot);
    }

    #[cold]
    fn forget_label(&self, open: &OpenSnapshot) {
        self.handle_labels.lock().remove(&open.index());
    }

    /// The right to read at an open snapshot of this engine.
    #[must_use]
    #[inline]
    pub fn at<'s>(&self, open: &'s OpenSnapshot) -> SnapshotRef<'s> {
        // SAFETY: closing the slot takes it by value, which the borrow forbids.
        unsafe { SnapshotRef::new(open.start()) }
    }

    /// Log and store, if there are any and they may be written.
    #[inline]
    pub(crate) fn journal(&self) -> Option<&Journal<P>> {
        match self.footing.get() {
            Some(Footing::Durable(journal)) => Some(journal),
            _ => None,
        }
    }

    /// What lies outside memory.
    pub(crate) fn contents(&self) -> Option<Arc<Contents>> {
        match self.footing.get()? {
            Footing::Durable(journal) => Some(journal.store.contents()),
            Footing::ReadOnly { contents, .. } => Some(Arc::clone(contents)),
        }
    }

    /// Whether work may go on in the background.
    pub(crate) fn has_threads(&self) -> bool {
        self.background == Background::Thread
    }

    pub(crate) fn background(&self) -> Background {
        self.background
    }

    /// This engine, to be kept.
    ///
    /// # Panics
    /// Never: who borrows it keeps it.
    #[must_use]
    pub fn shared(&self) -> Arc<Self> {
        self.myself.upgrade().expect("borrowed from an Arc")
    }

    pub(crate) fn myself(&self) -> &Weak<Self> {
        &self.myself
    }

    #[inline]
    pub(crate) fn is_fenced(&self) -> bool {
        // Whoever fences an engine has told those who wait for it; those who come
        // later and miss it learn of it at their commit.
        self.fenced.load(Ordering::Relaxed)
    }

    pub(crate) fn fence(&self) {
        self.fenced.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn now_micros(&self) -> u64 {
        u64::try_from(self.env.clock().monotonic().as_micros()).unwrap_or(u64::MAX)
    }

    /// Notes since when the snapshots that hold versions back do so.
    pub(crate) fn note_blockers(&self, garbage: &Garbage<P::Record>) {
        let now = self.now_micros();
        self.registry.each_open(|index, start, since| {
            if since.is_none() && garbage.blockers().any(|blocker| blocker == start) {
                self.registry.note_since(index, now);
            }
        });
    }

    /// Lets the worker look this often at least.
    pub(crate) fn look_every(&self, interval: Duration) {
        self.worker.look_every(interval);
    }

    #[inline]
    pub(crate) fn wake_worker(&self) {
        self.worker.wake(&self.myself);
    }

    /// One bounded step of maintenance: looks again at up to `most` versions
    /// whose snapshots have ended, and frees what waited for them. True while
    /// there may be more to do at once.
    pub fn step(&self, most: usize) -> bool {
        let pin = pin();
        let Ok(mut state) = self.lock_commits::<()>() else { return false };
        self.registry.lower_high_water();
        let active = self.scan(&mut state, None, FREED_PER_STEP);
        let looked_at = self.prune_due(&mut state, &active, &pin, most);
        // Structure that waits is freed even when no version is due.
        self.settle(&mut state, &active, &pin, |_, _, _| {});
        let due = if self.may_write() { self.participant.due(&mut state.writer) } else { None };
        drop(state);
        pin.answer_for_counted();
        pin.flush();
        // It may wait for the disk.
        drop(pin);
        let commits = due.is_some_and(|writes| self.commit_due(writes));
        self.look_after_log();
        looked_at == most || commits
    }

    /// Commits what the participant wants of its own; whether that worked. What fails
    /// is due again.
    #[cold]
    fn commit_due(&self, mut writes: P::Writes) -> bool {
        self.open().is_ok_and(|open| self.commit(open, &mut writes, None).is_ok())
    }

    /// Whether commits have a chance here.
    fn may_write(&self) -> bool {
        let read_only = matches!(self.footing.get(), Some(Footing::ReadOnly { .. }));
        let opened = self.opened.load(Ordering::Acquire);
        opened && !read_only && !self.is_fenced() && !self.is_closed()
    }

    /// Runs a bounded piece of maintenance under the commit lock, between two
    /// commits; what it retires is freed when the snapshots of now have ended.
    ///
    /// # Errors
    /// [`CommitError::Poisoned`].
    pub fn maintain<T, R>(
        &self,
        work: impl FnOnce(&P, &mut P::Writer) -> T,
    ) -> Result<T, CommitError<R>> {
        let pin = pin();
        let mut state = self.lock_commits()?;
        let active = self.scan(&mut state, None, FREED_PER_STEP);
        let done = work(&self.participant, &mut state.writer);
        self.settle(&mut state, &active, &pin, |_, _, _| {});
        // The next piece comes soon: first those who wait to commit.
        MutexGuard::unlock_fair(state);
        Ok(done)
    }

    /// Whether a later step could have something to do.
    #[must_use]
    pub fn owes_maintenance(&self) -> bool {
        let state = self.state.lock();
        let journal = self.journal().is_some_and(|journal| journal.owes() && !self.is_fenced());
        let expects = P::expects(&state.writer) && self.may_write();
        let waits = !state.garbage.is_empty() || !state.limbo.is_empty();
        waits || P::owes(&state.writer) || journal || expects
    }

    /// A reading of the counters.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let (mut open, mut oldest) = (0, None::<(SlotIndex, Timestamp, Option<u64>)>);
        self.registry.each_open(|index, start, since| {
            open += 1;
            if oldest.is_none_or(|(_, other, _)| start < other) {
                oldest = Some((index, start, since));
            }
        });
        let oldest_snapshot = oldest.map(|(index, start, since)| {
            let age = since.map_or(0, |since| self.now_micros().saturating_sub(since));
            OldestSnapshot {
                start,
                age: Duration::from_micros(age),
                label: self.handle_labels.lock().get(&index).cloned(),
            }
        });
        let storage = self.journal().map(|journal| self.storage_statistics(journal));
        Statistics { snapshots_open: open, oldest_snapshot, storage, ..self.statistics.read() }
    }
}

impl<P: Participant> fmt::Debug for Engine<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("visible", &self.visible()).finish_non_exhaustive()
    }
}
