//! Group commit: one thread at a time writes and syncs for all.
//!
//! ```text
//!   A   append  lead: take [A]     write  sync ...... done
//!   B      append  wait                                 lead: take [B C D]  write ..
//!   C              append  wait                         wait
//!   D                        append  wait               wait
//! ```
//!
//! Whoever needs something durable while nobody leads takes the whole buffer,
//! writes it and syncs. The others wait: *members*, whose records the leader took,
//! until it is done; those who came later for their turn. When a group is durable,
//! its members return, and one of those who came later, the *heir*, leads the next:
//! nobody is woken to find that it must go on waiting, and nobody who comes now
//! overtakes the heir.

use std::collections::VecDeque;
use std::mem::{forget, take};
use std::sync::Arc;

use selvedge_base::mutant;
use selvedge_base::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use selvedge_base::sync::{Condvar, LockRank, Mutex, MutexGuard, mutex};

use crate::error::StorageError;
use crate::log_buffer::Buffer;
use crate::log_tail::{Group, Tail};
use crate::log_waiter::Waiter;
use crate::position::LogPosition;
use crate::segments::Segments;

/// What a leader does with the buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lead {
    /// Hands it to the system.
    WriteOut,
    /// And makes it durable, with all that was written out before.
    Sync,
}

/// Who leads, and who waits for what.
#[derive(Debug, Default)]
struct Turn {
    leading: Option<Lead>,
    /// Somebody has been woken to lead next, and is not here yet.
    has_heir: bool,
    /// The end of the last group that was to be synced.
    group_end: LogPosition,
    /// Who waits for that group.
    members: VecDeque<Arc<Waiter>>,
    /// Who waits for a later one.
    waiting: VecDeque<Arc<Waiter>>,
    /// The buffer has been taken up to here.
    taken: LogPosition,
    /// Given to the system up to here.
    written: LogPosition,
    /// Why nothing can be written any more.
    poison: Option<String>,
    /// Memory for the next buffer.
    memory: Vec<u8>,
    counts: WriterCounts,
}

/// What was done since the log was opened.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct WriterCounts {
    pub(crate) groups: u64,
    pub(crate) group_records_max: u64,
    pub(crate) syncs: u64,
    pub(crate) write_outs: u64,
}

/// Writes the buffer out and makes it durable.
#[derive(Debug)]
pub(crate) struct LogWriter {
    turn: Mutex<Turn>,
    /// Where those wait who need the buffer taken or written.
    passed: Condvar,
    durable: AtomicU64,
    is_poisoned: AtomicBool,
    /// Memory of a buffer beyond this is not kept for the next.
    memory_kept: usize,
}

impl LogWriter {
    /// Everything up to `durable` is.
    pub(crate) fn new(durable: LogPosition, memory_kept: usize) -> Self {
        let turn = Turn { group_end: durable, taken: durable, written: durable, ..Turn::default() };
        Self {
            turn: mutex(LockRank::LogTurn, turn),
            passed: Condvar::new(),
            durable: AtomicU64::new(durable.get()),
            is_poisoned: AtomicBool::new(false),
            memory_kept,
        }
    }

    pub(crate) fn durable(&self) -> LogPosition {
        // Partner: the Release store in `end_turn`, so that who sees the position
        // sees the files synced.
        LogPosition::new(self.durable.load(Ordering::Acquire))
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        // No partner: who must not miss it looks under the lock of the turn.
        self.is_poisoned.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`StorageError::Poisoned`].
    pub(crate) fn check(&self) -> Result<(), StorageError> {
        if self.is_poisoned() { self.turn.lock().check() } else { Ok(()) }
    }

    /// Nothing is written any more; everybody who waits is told. The first reason
    /// counts.
    pub(crate) fn poison(&self, reason: String) {
        self.poison_turn(&mut self.turn.lock(), reason);
    }

    fn poison_turn(&self, turn: &mut Turn, reason: String) {
        turn.poison.get_or_insert(reason);
        self.is_poisoned.store(true, Ordering::Relaxed);
        if mutant::is("failure-told-to-nobody") {
            return;
        }
        self.passed.notify_all();
        turn.members.drain(..).chain(turn.waiting.drain(..)).for_each(|waiter| waiter.wake());
    }

    /// Waits until nobody writes.
    pub(crate) fn wait_until_idle(&self) {
        let mut turn = self.turn.lock();
        while turn.leading.is_some() && !mutant::is("closed-without-waiting") {
            self.passed.wait(&mut turn);
        }
    }

    pub(crate) fn counts(&self) -> WriterCounts {
        self.turn.lock().counts
    }

    /// Makes everything before `position` durable, or waits until it is.
    pub(crate) fn sync_through(
        &self,
        position: LogPosition,
        tail: &Mutex<Tail>,
        segments: &Segments,
    ) -> Result<(), StorageError> {
        let mut is_heir = false;
        while self.durable() < position {
            let mut turn = self.turn.lock();
            if self.durable() >= position {
                break;
            }
            if !mutant::is("synced-after-failure") {
                turn.check()?;
            }
            if is_heir {
                turn.has_heir = false;
            }
            if turn.leading.is_none() && !turn.has_heir {
                let end = self.lead(turn, Lead::Sync, tail, segments);
                assert!(position <= end, "what is to be durable was appended");
                continue;
            }
            let waiter = Arc::new(Waiter::new());
            if turn.leading == Some(Lead::Sync) && position <= turn.group_end {
                turn.members.push_back(Arc::clone(&waiter));
            } else {
                turn.waiting.push_back(Arc::clone(&waiter));
            }
            drop(turn);
            waiter.wait();
            // Woken for nothing else, if it is not durable now.
            is_heir = true;
        }
        Ok(())
    }

    /// Gives everything before `position` to the system, or waits until it has it.
    pub(crate) fn write_through(
        &self,
        position: LogPosition,
        tail: &Mutex<Tail>,
        segments: &Segments,
    ) -> Result<(), StorageError> {
        self.pass(tail, segments, |turn| turn.written >= position)
    }

    /// Takes everything before `position` out of the buffer, or waits until
    /// somebody has.
    pub(crate) fn take_through(
        &self,
        position: LogPosition,
        tail: &Mutex<Tail>,
        segments: &Segments,
    ) -> Result<(), StorageError> {
        self.pass(tail, segments, |turn| turn.taken >= position)
    }

    fn pass(
        &self,
        tail: &Mutex<Tail>,
        segments: &Segments,
        is_passed: impl Fn(&Turn) -> bool,
    ) -> Result<(), StorageError> {
        let mut turn = self.turn.lock();
        loop {
            turn.check()?;
            if is_passed(&turn) {
                return Ok(());
            }
            if turn.leading.is_none() {
                self.lead(turn, Lead::WriteOut, tail, segments);
                turn = self.turn.lock();
            } else {
                self.passed.wait(&mut turn);
            }
        }
    }

    /// Takes the buffer and writes it, without the lock, and wakes who waited. Gives
    /// the end of what it took.
    fn lead(
        &self,
        mut turn: MutexGuard<'_, Turn>,
        lead: Lead,
        tail: &Mutex<Tail>,
        segments: &Segments,
    ) -> LogPosition {
        let memory = take(&mut turn.memory);
        let group = tail.lock().take(memory);
        turn.leading = Some(lead);
        turn.taken = group.end;
        if lead == Lead::Sync {
            turn.group_end = group.end;
            turn.members = take(&mut turn.waiting);
        }
        drop(turn);
        self.passed.notify_all();
        let leading = Leading(self);
        let result = self.write(&group, lead, segments);
        forget(leading);
        let end = group.end;
        self.end_turn(self.turn.lock(), group, result);
        end
    }

    /// Gives the number of syncs it took.
    fn write(&self, group: &Group, lead: Lead, segments: &Segments) -> Result<u64, StorageError> {
        segments.write(group.start, &group.buffer)?;
        if lead == Lead::Sync && mutant::is("acknowledged-before-sync") {
            self.durable.store(group.end.get(), Ordering::Release);
        }
        match lead {
            Lead::WriteOut => Ok(0),
            // Only a leader moves `durable`, so it is as it was when the turn began.
            Lead::Sync if mutant::is("fsync-left-out") => Ok(1),
            Lead::Sync => segments.sync(self.durable(), group.end),
        }
    }

    fn end_turn(
        &self,
        mut turn: MutexGuard<'_, Turn>,
        group: Group,
        result: Result<u64, StorageError>,
    ) {
        let lead = turn.leading.take();
        let syncs = match result {
            Ok(syncs) => syncs,
            Err(_) if mutant::is("failure-acknowledged") => 1,
            Err(error) => return self.poison_turn(&mut turn, error.to_string()),
        };
        turn.written = group.end;
        turn.counts.count(&group, lead, syncs);
        turn.keep_memory(group.buffer, self.memory_kept);
        let mut woken = VecDeque::new();
        if lead == Some(Lead::Sync) {
            self.durable.store(group.end.get(), Ordering::Release);
            woken = take(&mut turn.members);
        }
        // The heir comes last: what those before it commit next is in its group,
        // if they are quick.
        if !turn.has_heir
            && !mutant::is("heir-left-asleep")
            && let Some(heir) = turn.waiting.pop_front()
        {
            turn.has_heir = true;
            woken.push_back(heir);
        }
        drop(turn);
        if !mutant::is("passing-untold") {
            self.passed.notify_all();
        }
        woken.iter().for_each(|waiter| waiter.wake());
    }
}

/// Somebody leads. Dropped by a panic, it ends the turn in place of who does not.
struct Leading<'a>(&'a LogWriter);

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        let mut turn = self.0.turn.lock();
        turn.leading = None;
        self.0.poison_turn(&mut turn, "a thread panicked while it wrote the log".to_owned());
    }
}

impl Turn {
    fn check(&self) -> Result<(), StorageError> {
        match &self.poison {
            Some(reason) => Err(StorageError::Poisoned { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Keeps the memory of a buffer for the next one.
    fn keep_memory(&mut self, buffer: Buffer, bytes_max: usize) {
        self.memory = buffer.into_memory();
        self.memory.clear();
        self.memory.shrink_to(bytes_max);
    }
}

impl WriterCounts {
    fn count(&mut self, group: &Group, lead: Option<Lead>, syncs: u64) {
        self.syncs += syncs;
        match lead {
            Some(Lead::Sync) => {
                self.groups += 1;
                self.group_records_max = self.group_records_max.max(group.records);
            }
            _ => self.write_outs += u64::from(!group.buffer.is_empty()),
        }
    }
}
