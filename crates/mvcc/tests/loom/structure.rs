//! Tables that grow and lose leaves under open snapshots.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};

use loom::cell::UnsafeCell;
use loom::thread;
use selvedge_base::sync::Arc;
use selvedge_base::{Timestamp, mutant};
use selvedge_mvcc::{
    Fate, Limbo, Oracle, PruneOutcome, Record, Registry, Retired, SnapshotRef, Table, pin,
};

use crate::database::{Value, check, value, version};

/// Whether something is freed; using it then, or at the same time, fails the
/// model.
#[derive(Default)]
struct Life {
    cell: UnsafeCell<()>,
    ended: AtomicBool,
}

// SAFETY: the cell guards nothing; it exists to be watched by the checker.
unsafe impl Send for Life {}
// SAFETY: as above.
unsafe impl Sync for Life {}

impl Life {
    fn check(&self) {
        self.cell.with(|_| ());
        assert!(!self.ended.load(Ordering::Relaxed), "use after free of a leaf");
    }

    fn end(&self) {
        self.cell.with_mut(|_| ());
        self.ended.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Slot {
    life: std::sync::Arc<Life>,
    record: Record<u64>,
}

/// A leaf whose memory outlives its life, so that a use after free is a failed
/// model and not undefined behaviour.
struct Ghost {
    life: std::sync::Arc<Life>,
    _leaf: ManuallyDrop<Retired>,
}

impl Drop for Ghost {
    fn drop(&mut self) {
        self.life.end();
    }
}

#[derive(Default)]
struct Outcome {
    emptied: bool,
}

impl PruneOutcome for Outcome {
    fn kept(&mut self, _version: Fate, _blocker: Timestamp) {}
    fn dropped(&mut self, _version: Fate) {}
    fn emptied(&mut self) {
        self.emptied = true;
    }
}

struct Graph {
    oracle: Oracle,
    registry: Registry,
    /// One slot to a leaf.
    table: Table<Slot, 1>,
}

impl Graph {
    /// Reads each identifier twice under one snapshot, against what `expected`
    /// says for its start.
    fn read(&self, ids: [u64; 2], expected: impl Fn(u64, u64) -> Value) {
        let open = self.registry.open(&self.oracle).expect("fewer threads than slots");
        {
            // SAFETY: the slot is closed below.
            let at = unsafe { SnapshotRef::new(open.start()) };
            for id in ids {
                let slot = self.table.get(id, at);
                let seen = slot.and_then(|slot| {
                    slot.life.check();
                    value(&slot.record, at)
                });
                assert_eq!(seen, expected(id, open.start().get()));
                if let Some(slot) = slot {
                    slot.life.check();
                }
            }
        }
        self.registry.close(open);
    }

    /// One commit of one write, in the order of the engine: what waits in the
    /// limbo is freed by a scan that came after its unlinking. The caller is
    /// the only thread that commits.
    fn commit(&self, limbo: &mut Limbo, id: u64, new: Value) {
        let pin = pin();
        let commit = self.oracle.stamp();
        // SAFETY: one thread commits; published below.
        unsafe {
            let slot = self.table.slot_or_new(id);
            if slot.record.stamp().is_empty() {
                self.table.count_live(id, 1);
            }
            slot.record.install(version(new), commit);
        }
        self.oracle.publish(commit);
        let active = self.registry.active(None);
        limbo.free(&active, 8);
        // SAFETY: one thread commits; everything is published, and the slot
        // was just written.
        unsafe {
            let slot = self.table.slot(id).expect("written just now");
            let mut outcome = Outcome::default();
            slot.record.prune(&active, &pin, &mut outcome);
            if outcome.emptied {
                self.table.count_live(id, -1);
                self.unlink(limbo, id, slot);
            }
        }
        if mutant::is("limbo-freed-by-an-old-scan") {
            limbo.free(&active, 8);
        }
    }

    /// Unlinks the dead leaf of `id`.
    ///
    /// # Safety
    /// The caller is the only thread that commits.
    unsafe fn unlink(&self, limbo: &mut Limbo, id: u64, slot: &Slot) {
        let life = slot.life.clone();
        // SAFETY: the caller's contract.
        if let Some(leaf) = unsafe { self.table.unlink_dead_leaf(id) } {
            let ghost = Ghost { life, _leaf: ManuallyDrop::new(leaf) };
            limbo.put(self.oracle.visible(), Retired::new(ghost));
        }
    }
}

/// A leaf is unlinked, the registry scanned, and only then the leaf freed;
/// meanwhile the table grows a level and an inner node. A snapshot goes on using
/// every leaf that it has found, and finds every one that its start demands.
#[test]
fn leaves_come_and_go_under_a_snapshot() {
    static FREED: AtomicBool = AtomicBool::new(false);
    static WAITED: AtomicBool = AtomicBool::new(false);
    check(4, |_| {
        let graph = Arc::new(Graph {
            oracle: Oracle::new(Timestamp::ZERO),
            registry: Registry::new(),
            table: Table::new(),
        });
        let mut limbo = Limbo::default();
        graph.commit(&mut limbo, 0, Some(1));
        let reader = thread::spawn({
            let graph = Arc::clone(&graph);
            move || {
                graph.read([0, 7], |id, start| match id {
                    0 => (start < 2).then_some(1),
                    _ => (start >= 3).then_some(3),
                });
            }
        });
        graph.commit(&mut limbo, 0, None);
        let unlinked = limbo.len();
        // Beyond what one inner node reaches, and in a subtree that is absent.
        graph.commit(&mut limbo, 7, Some(3));
        WAITED.fetch_or(!limbo.is_empty(), Ordering::Relaxed);
        FREED.fetch_or(limbo.len() < unlinked, Ordering::Relaxed);
        reader.join().expect("the reader finds its leaves alive");
        limbo.free(&graph.registry.active(None), 8);
        assert!(limbo.is_empty(), "nobody is left to wait for");
    });
    assert!(FREED.load(Ordering::Relaxed) && WAITED.load(Ordering::Relaxed));
}
