//! The durable side of an engine: its log and its store, and when commits wait for
//! them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use selvedge_base::Timestamp;
use selvedge_base::hash::Map;
use selvedge_base::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use selvedge_base::sync::{Condvar, LockRank, Mutex, mutex};
use selvedge_storage::{
    BlockKey, Contents, Log, LogPosition, LogStart, Payload, RecordKind, Reservation, StorageError,
    Store,
};

use crate::checkpoint_sink::WrittenBlock;
use crate::engine::Engine;
use crate::lease::Leases;
use crate::participant::Participant;
use crate::recovery::StorageOptions;
use crate::statistics::RecoveryStatistics;
use crate::worker::INTERVAL;

/// When a commit is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SyncLevel {
    /// Before it returns: it survives a power cut.
    #[default]
    Full,
    /// Within `every`: a crash of the process or the machine loses at most the
    /// commits of that time.
    Normal {
        /// The longest a commit waits for the disk.
        every: Duration,
    },
    /// Whenever the system gets to it. What a crash leaves is still a prefix of the
    /// commits, each of them whole.
    Off,
}

/// What checkpoints remember from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    /// Blocks whose documents are in data files and perhaps still in memory, the
    /// longest there first.
    order: VecDeque<BlockKey>,
    /// How many bytes of each are in memory, at most.
    resident: Map<BlockKey, u64>,
    bytes: u64,
    /// Blocks of which newest versions may still refer to documents in files that are
    /// gone: reading them failed when they were to be moved.
    pub(crate) unmoved: Vec<BlockKey>,
}

impl Checkpoints {
    /// Notes that documents of a block are in memory, though they need not be.
    pub(crate) fn keep(&mut self, block: &WrittenBlock) {
        if block.from_memory == 0 {
            return;
        }
        let before = self.resident.get(&block.key).copied();
        if before.is_none() {
            self.order.push_back(block.key);
        }
        // What was there before, and was not changed, is there still.
        let now = (before.unwrap_or(0) + block.from_memory).min(block.documents_bytes);
        self.resident.insert(block.key, now);
        self.bytes = self.bytes + now - before.unwrap_or(0);
    }

    /// The next block whose documents must go, so that no more than `most` bytes
    /// stay.
    pub(crate) fn next_beyond(&mut self, most: u64) -> Option<(BlockKey, u64)> {
        if self.bytes <= most {
            return None;
        }
        let key = self.order.pop_front()?;
        let bytes = self.resident.remove(&key).unwrap_or(0);
        self.bytes -= bytes;
        Some((key, bytes))
    }

    /// The documents of a block could not be let go: they are tried again later.
    pub(crate) fn put_back(&mut self, key: BlockKey, bytes: u64) {
        self.order.push_back(key);
        self.resident.insert(key, bytes);
        self.bytes += bytes;
    }
}

/// Calls that need more of the participant than commits do.
pub(crate) struct Hooks<P: Participant> {
    pub(crate) encode: fn(&P, &P::Writes, &mut Vec<u8>),
    pub(crate) checkpoint_if_due: fn(&Arc<Engine<P>>),
    pub(crate) renew_leases: fn(&Engine<P>) -> Result<(), StorageError>,
    /// How many identifiers are leased, of the sequence that has the fewest.
    pub(crate) ids_left: fn(&P) -> u64,
    /// Ends all sequences; what would have come next in each.
    pub(crate) end_leases: fn(&P) -> Vec<u64>,
}

/// Log and store of an open database.
pub(crate) struct Journal<P: Participant> {
    pub(crate) log: Log,
    pub(crate) store: Store,
    pub(crate) level: SyncLevel,
    /// The log may grow by this much before a checkpoint is due.
    pub(crate) checkpoint_bytes: u64,
    /// Documents that checkpoints have written stay in memory up to so many bytes.
    pub(crate) document_bytes: u64,
    pub(crate) incarnation: u32,
    pub(crate) hooks: Hooks<P>,
    pub(crate) checkpoints: Mutex<Checkpoints>,
    /// A checkpoint is being written in the background.
    pub(crate) running: AtomicBool,
    pub(crate) done: (Mutex<()>, Condvar),
    /// Where replaying would start.
    pub(crate) replay_from: AtomicU64,
    /// Held while leases are renewed.
    pub(crate) leases: Mutex<Leases>,
    pub(crate) timestamps_leased: AtomicU64,
    /// How far the log reached when the worker last looked.
    pub(crate) seen: AtomicU64,
    pub(crate) synced_at: AtomicU64,
    pub(crate) recovery: RecoveryStatistics,
}

/// A commit's record, before the commit lock.
#[derive(Debug)]
pub(crate) struct Prepared {
    payload: Payload,
    reservation: Reservation,
}

/// How often the log may outgrow the size at which a checkpoint is due, while one
/// is being written, before commits wait for it.
const CHECKPOINTS_BEHIND: u64 = 2;
/// Room for the payload of a record to begin with: that of a commit of a few writes.
const RECORD_BYTES: usize = 256;
/// How long a commit waits before it looks again.
const BEHIND_WAIT: Duration = Duration::from_millis(20);

impl<P: Participant> Journal<P> {
    pub(crate) fn new(
        storage: &StorageOptions,
        store: Store,
        log: Log,
        incarnation: u32,
        hooks: Hooks<P>,
        recovery: RecoveryStatistics,
    ) -> Self {
        Self {
            log,
            store,
            level: storage.sync,
            checkpoint_bytes: storage.checkpoint_bytes,
            document_bytes: storage.document_bytes,
            incarnation,
            hooks,
            checkpoints: mutex(LockRank::Checkpoints, Checkpoints::default()),
            running: AtomicBool::new(false),
            done: (mutex(LockRank::CheckpointEnded, ()), Condvar::new()),
            replay_from: AtomicU64::new(0),
            leases: mutex(LockRank::Leases, Leases::default()),
            timestamps_leased: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            synced_at: AtomicU64::new(0),
            recovery,
        }
    }

    /// Makes a commit's record and the room for it. Everything about the log that
    /// can fail, fails here.
    pub(crate) fn prepare(
        &self,
        participant: &P,
        writes: &P::Writes,
    ) -> Result<Prepared, StorageError> {
        let mut bytes = Vec::with_capacity(RECORD_BYTES);
        (self.hooks.encode)(participant, writes, &mut bytes);
        self.wait_for_checkpoint();
        let reservation = self.log.reserve(bytes.len())?;
        Ok(Prepared { payload: self.log.payload(bytes), reservation })
    }

    /// Appends a commit's record; the caller holds the commit lock.
    pub(crate) fn append(&self, prepared: Prepared, commit: Timestamp) -> LogPosition {
        self.log.append(prepared.reservation, RecordKind::Commit, commit, prepared.payload)
    }

    /// Bytes of log behind the newest checkpoint.
    pub(crate) fn bytes_to_replay(&self) -> u64 {
        let from = self.replay_from.load(Ordering::Relaxed);
        self.log.end().position.get().saturating_sub(from)
    }

    pub(crate) fn checkpoint_is_due(&self) -> bool {
        self.bytes_to_replay() > self.checkpoint_bytes
    }

    /// Slows commits down that outrun checkpoints: the log, and documents that wait
    /// in memory for a checkpoint, may not grow for ever.
    fn wait_for_checkpoint(&self) {
        let most = self.checkpoint_bytes.saturating_mul(CHECKPOINTS_BEHIND);
        if !self.running.load(Ordering::Relaxed) || self.bytes_to_replay() <= most {
            return;
        }
        let mut guard = self.done.0.lock();
        while self.running.load(Ordering::Relaxed) && self.bytes_to_replay() > most {
            self.done.1.wait_for(&mut guard, BEHIND_WAIT);
        }
    }

    /// Where the log ends, under the commit lock.
    pub(crate) fn end(&self) -> LogStart {
        self.log.end()
    }

    /// Waits until what was appended before `end` is as durable as `level` asks.
    pub(crate) fn acknowledge(
        &self,
        end: LogPosition,
        level: SyncLevel,
    ) -> Result<(), StorageError> {
        if level == SyncLevel::Full {
            return self.log.sync_through(end);
        }
        match self.log.poisoned() {
            // Closing makes everything durable, and poisons the log then.
            Some(error) if self.log.durable() < end => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether something waits to be written, synced or marked.
    pub(crate) fn owes(&self) -> bool {
        !self.log.is_poisoned()
            && (self.log.end().position.get() != self.seen.load(Ordering::Relaxed)
                || self.log.owes_mark())
    }

    /// Looks after the log: writes out and syncs what waits, as the level of the
    /// database asks, and keeps segments ready. `now` is in microseconds.
    pub(crate) fn upkeep(&self, now: u64) -> Result<(), StorageError> {
        let end = self.log.end().position.get();
        let idle = self.seen.swap(end, Ordering::Relaxed) == end;
        let every = match self.level {
            SyncLevel::Full => Duration::ZERO,
            SyncLevel::Normal { every } => every,
            SyncLevel::Off => Duration::MAX,
        };
        let since = now.saturating_sub(self.synced_at.load(Ordering::Relaxed));
        // It would be too late when the worker looks the next time.
        let by_then = Duration::from_micros(since).saturating_add(INTERVAL);
        if self.log.durable().get() < end && by_then >= every {
            self.log.sync()?;
            self.synced_at.store(now, Ordering::Relaxed);
        } else {
            self.log.write_out()?;
        }
        // Without room ahead the next commit that needs it is told.
        let _ = self.log.prepare_ahead();
        if idle && self.log.owes_mark() {
            self.log.mark()?;
            self.seen.store(self.log.end().position.get(), Ordering::Relaxed);
        }
        Ok(())
    }
}

/// What an engine stands on.
pub(crate) enum Footing<P: Participant> {
    /// Log and store.
    Durable(Box<Journal<P>>),
    /// Files that are read and never written.
    ReadOnly {
        /// What documents outside memory lie in.
        contents: Arc<Contents>,
        /// Keeps others from writing, if this is not the reader of an engine that
        /// does so itself.
        #[expect(dead_code, reason = "held for its lock")]
        store: Option<Store>,
        /// Why nothing is written.
        refusal: StorageError,
    },
}
