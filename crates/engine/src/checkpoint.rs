//! Checkpoints: what changed since the last one goes into a data file, so that the
//! log before it need not be replayed.
//!
//! ```text
//! commit lock: changes, snapshot S, end of the log P
//!   data file <- blocks and documents at S       commits and readers go on
//!   log noted and synced beyond P
//!   manifest: S, P                               from here on this is the checkpoint
//!   log before P recycled, documents let go      in pieces, under the commit lock
//! ```
#![expect(unsafe_code, reason = "lets go of documents under the commit lock")]

use std::sync::Arc;

use selvedge_base::Timestamp;
use selvedge_base::sync::atomic::Ordering;
use selvedge_base::sync::thread;
use selvedge_mvcc::{Arena, RegistryFull, Retired};
use selvedge_storage::{
    BlockKey, CheckpointFacts, CheckpointWriter, LogStart, StorageError, Store,
};

use crate::checkpoint_sink::{CheckpointSink, WrittenBlock};
use crate::durable::{Durable, Evict};
use crate::engine::{Engine, OpenSnapshot};
use crate::journal::{Checkpoints, Journal};
use crate::snapshot_error::SnapshotError;

/// A consistent moment: a snapshot, the end of the log at it, and what changed.
struct Moment<P: Durable> {
    open: OpenSnapshot,
    log: LogStart,
    changes: P::Changes,
}

/// A checkpoint runs in the background, until this is dropped.
struct Running<'e, P: Durable>(&'e Journal<P>);

impl<P: Durable> Drop for Running<'_, P> {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Relaxed);
        let _guard = self.0.done.0.lock();
        self.0.done.1.notify_all();
    }
}

/// Dropped by a panic, it makes the engine unusable for writing.
struct FencedByPanic<'e, P: Durable>(&'e Engine<P>);

impl<P: Durable> Drop for FencedByPanic<'_, P> {
    fn drop(&mut self) {
        if let Some(journal) = self.0.journal() {
            journal.log.poison("a checkpoint panicked");
        }
        self.0.fence();
    }
}

/// The blocks of a checkpoint.
struct Written {
    blocks: Vec<WrittenBlock>,
    /// Those that were written because they, or their documents, lay in files that
    /// go.
    moved: Vec<BlockKey>,
}

/// What a checkpoint did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CheckpointSummary {
    /// The snapshot it holds.
    pub timestamp: Timestamp,
    /// Blocks written.
    pub blocks: u64,
}

impl<P: Durable> Engine<P> {
    /// Writes a checkpoint, if anything was logged since the last one.
    ///
    /// # Errors
    /// Too many snapshots; of the files. After most of them the database goes on as
    /// before; if it is unknown which checkpoint is on the disk, it is poisoned.
    pub fn checkpoint(&self) -> Result<CheckpointSummary, SnapshotError> {
        let journal = self.journal().ok_or(StorageError::Closed)?;
        let mut checkpoints = journal.checkpoints.lock();
        let timestamp = journal.store.contents().manifest().timestamp;
        if timestamp == self.oracle.visible() {
            return Ok(CheckpointSummary { timestamp, blocks: 0 });
        }
        let started = self.now_micros();
        let Moment { open, log, mut changes } = self.moment(journal)?;
        // A panic would lose what has changed: no checkpoint may come after it.
        let unwinding = FencedByPanic(self);
        let written = self.write(journal, &open, log, &mut changes);
        let timestamp = open.start();
        self.close(open);
        std::mem::forget(unwinding);
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                if let Ok(mut state) = self.lock_commits::<()>() {
                    self.participant.return_changes(&mut state.writer, changes);
                }
                self.notice(&error);
                return Err(error.into());
            }
        };
        journal.replay_from.store(log.position.get(), Ordering::Relaxed);
        // What is not recycled now is when the next checkpoint comes.
        let _ = journal.log.recycle(log.position);
        let blocks = written.blocks.len() as u64;
        self.let_go(journal, &mut checkpoints, written);
        self.statistics.count_checkpoint(self.now_micros().saturating_sub(started));
        Ok(CheckpointSummary { timestamp, blocks })
    }

    fn moment(&self, journal: &Journal<P>) -> Result<Moment<P>, SnapshotError> {
        let mut state = self.lock_commits::<()>().map_err(|_| StorageError::Closed)?;
        // Opened under the commit lock: nothing is published meanwhile.
        let open = self.open()?;
        let changes = self.participant.take_changes(&mut state.writer);
        Ok(Moment { open, log: journal.end(), changes })
    }

    /// Writes everything and makes it the newest checkpoint.
    fn write(
        &self,
        journal: &Journal<P>,
        open: &OpenSnapshot,
        log: LogStart,
        changes: &mut P::Changes,
    ) -> Result<Written, StorageError> {
        let store = &journal.store;
        let mut writer = store.begin()?;
        let moved = writer.keys_leaving();
        for key in &moved {
            P::add_block(changes, *key);
        }
        let base = Arc::clone(writer.base());
        let salt = base.manifest().identity.salt;
        let mut sink = CheckpointSink::new(&mut writer, Some(&base), true, salt, &self.closed);
        self.participant.write_checkpoint(self.at(open), changes, &mut sink)?;
        let blocks = sink.into_written();
        let finished = writer.finish()?;
        // Replay starts at P: what comes before it must not be torn off, and a log
        // without a record there is not the one that the manifest speaks of.
        let leases = journal.leases.lock();
        self.note(journal, &leases)?;
        let engine = leases.encode();
        drop(leases);
        let incarnation = journal.incarnation;
        let facts = CheckpointFacts { timestamp: open.start(), log, incarnation, engine };
        let published = store.publish(finished, facts)?;
        // Nobody's newest version refers to these once documents are let go, and
        // the snapshots of now end some time.
        self.dead_files.lock().extend(published.died);
        Ok(Written { blocks, moved })
    }

    /// Lets go of documents that lie in data files now, a block at a time between
    /// commits: of all that `moved` to other files, and of others as far as they are
    /// beyond what may stay in memory. Then of the files that nothing refers to any
    /// more.
    fn let_go(&self, journal: &Journal<P>, checkpoints: &mut Checkpoints, written: Written) {
        let (mut arena, contents) = (Arena::new(), journal.store.contents());
        let mut let_go = |key, which| {
            let done = self.maintain::<_, ()>(|participant, writer| {
                // SAFETY: `writer` is the proof of holding the commit lock, and
                // nothing is being committed.
                unsafe { participant.evict(writer, &contents, key, which, &mut arena) }
            });
            matches!(done, Ok(Ok(())))
        };
        let mut moved = std::mem::take(&mut checkpoints.unmoved);
        moved.extend(written.moved);
        moved.retain(|key| !let_go(*key, Evict::Outside));
        checkpoints.unmoved = moved;
        written.blocks.iter().for_each(|block| checkpoints.keep(block));
        while let Some((key, bytes)) = checkpoints.next_beyond(journal.document_bytes) {
            if !let_go(key, Evict::All) {
                checkpoints.put_back(key, bytes);
                break;
            }
        }
        // A newest version may still refer to one of them otherwise.
        if checkpoints.unmoved.is_empty()
            && let Ok(mut state) = self.lock_commits::<()>()
        {
            let visible = self.oracle.visible();
            for file in self.dead_files.lock().drain(..) {
                state.limbo.put(visible, Retired::new(file));
            }
        }
    }

    /// Writes everything, as of now, as a database of its own into `store`, which
    /// is new.
    pub(crate) fn write_copy(
        &self,
        open: &OpenSnapshot,
        store: &Store,
    ) -> Result<CheckpointWriter, StorageError> {
        let mut writer = store.begin()?;
        let salt = writer.base().manifest().identity.salt;
        let source = self.contents();
        let mut sink =
            CheckpointSink::new(&mut writer, source.as_deref(), false, salt, &self.closed);
        let everything = self.participant.everything(self.at(open));
        self.participant.write_checkpoint(self.at(open), &everything, &mut sink)?;
        Ok(writer)
    }

    /// Verifies what is stored; gives what is wrong.
    ///
    /// # Errors
    /// Too many snapshots.
    pub fn check(&self) -> Result<Vec<String>, RegistryFull> {
        let open = self.open_noted(Some("check"))?;
        let mut problems = self.participant.check(self.at(&open));
        self.close(open);
        if let Some(contents) = self.contents() {
            problems.extend(contents.check().finish().problems.iter().map(ToString::to_string));
        }
        Ok(problems)
    }

    /// Starts a checkpoint in the background if one is due; runs it here if there
    /// is no background.
    pub(crate) fn checkpoint_if_due(self: &Arc<Self>, threads: bool) {
        let Some(journal) = self.journal() else { return };
        if !journal.checkpoint_is_due() || journal.running.swap(true, Ordering::Relaxed) {
            return;
        }
        let finish = |engine: &Self| {
            let _running = engine.journal().map(Running);
            // What fails now is tried again.
            let _ = engine.checkpoint();
        };
        if !threads {
            return finish(self);
        }
        let engine = Arc::clone(self);
        let spawned = thread::Builder::new()
            .name("selvedge-checkpoint".into())
            .spawn(move || finish(&engine));
        if spawned.is_err() {
            journal.running.store(false, Ordering::Relaxed);
        }
    }
}
