//! Databases on a simulated disk: commits with full sync beside checkpoints, crashes,
//! failing syncs, closing and opening.

use std::sync::Arc;

use selvedge::env::{Env, Fault, OperationKind, SimulatedFiles};
use selvedge::{
    Background, Db, Error, ErrorKind, NodeId, Read, SyncLevel, TransactionOptions, doc,
};
use selvedge_testkit::history::Isolation;
use shuttle::rand::Rng;
use shuttle::thread;

use crate::files::Steps;
use crate::schedules::explore;
use crate::story::{Story, act, conflicts};

const PATH: &str = "/db";

/// Opens the database on a disk, for a process that starts now.
fn open(disk: &SimulatedFiles, background: Background) -> Result<Db, Error> {
    let (env, _) = Env::simulated_on(disk, 1);
    let steps = Arc::new(Steps::new(Arc::clone(env.files())));
    let builder = Db::builder().background(background).env(env.with_files(steps));
    builder.log_segment_bytes(1 << 14).open(PATH)
}

/// Commits and reads beside a checkpoint; then the power goes, and what was committed
/// is what is there.
#[test]
fn commits_beside_a_checkpoint() {
    explore("commits_beside_a_checkpoint", &[0, 1], || {
        let disk = SimulatedFiles::new(1);
        let db = open(&disk, Background::Manual).expect("nothing fails");
        let mut story = Story::of(db.clone());
        let nodes = story.insert(2);
        let write = |first: usize| {
            let nodes = nodes.clone();
            act(move |worker| {
                for at in [first, 1 - first] {
                    let mut active = worker.begin(Isolation::Snapshot)?;
                    if let Some(seen) = active.node(nodes[at])? {
                        active.put(nodes[at], seen.content.number + 1, Vec::new())?;
                    }
                    active.commit()?;
                }
                Ok(())
            })
        };
        let checkpoint = {
            let db = db.clone();
            act(move |_| db.checkpoint().map(drop).map_err(|error| error.to_string()))
        };
        story.together([write(0), write(1), checkpoint]);
        disk.crash();
        drop(db);
        story.go_on_with(open(&disk, Background::Manual).expect("it can be opened again"));
        u64::from(conflicts(&story.judge()) > 0)
    });
}

/// What a thread was told that counts a node of its own up, one commit after the other.
#[derive(Clone, Copy, Default, Debug)]
struct Told {
    /// As far as it was acknowledged.
    acknowledged: i64,
    /// As far as a commit may have come.
    tried: i64,
}

fn number(db: &Db, node: NodeId) -> Result<i64, Error> {
    let snapshot = db.snapshot()?;
    let found = snapshot.node(node)?.expect("nobody deletes it");
    Ok(found.typed("number").expect("a number").expect("it has one"))
}

impl Told {
    /// Commits the next number, and looks whether it is there.
    fn count(&mut self, db: &Db, node: NodeId, level: SyncLevel) -> Result<(), Error> {
        let next = self.tried + 1;
        let options = TransactionOptions::new().sync(level);
        let done = db.transaction_with(&options, |txn| txn.set(node, "number", next));
        match &done {
            Ok(()) => (self.acknowledged, self.tried) = (next, next),
            Err(Error::OutcomeUnknown(_)) => self.tried = next,
            // Nothing of it was applied.
            Err(_) => {}
        }
        done
    }

    fn assert(&self, found: i64) {
        assert!((self.acknowledged..=self.tried).contains(&found), "{found} is there: {self:?}");
    }
}

/// A database with two nodes whose number is 0.
fn two_counters(disk: &SimulatedFiles, background: Background) -> (Db, [NodeId; 2]) {
    let db = open(disk, background).expect("nothing fails");
    let nodes = db.transaction(|txn| {
        let mut insert = || txn.insert_node("Node", None, doc! { "number": 0 });
        Ok::<_, Error>([insert()?, insert()?])
    });
    (db, nodes.expect("nothing fails"))
}

/// A bit for each counter that was acknowledged at all.
fn counted(told: [Told; 2]) -> u64 {
    told.iter().enumerate().map(|(at, told)| u64::from(told.acknowledged > 0) << at).sum()
}

/// Operations on files that two committers need, at most, and a few more.
const OPERATIONS: u64 = 20;

/// The power goes at some operation of two committers, or of a checkpoint beside them:
/// what was acknowledged survives.
#[test]
fn a_crash_beside_commits() {
    explore("a_crash_beside_commits", &[0, 1, 2, 3], || {
        let disk = SimulatedFiles::new(1);
        let (db, nodes) = two_counters(&disk, Background::Manual);
        let operation =
            disk.operation_count() + shuttle::rand::thread_rng().gen_range(0..OPERATIONS);
        disk.plan(operation, Fault::Crash);
        let counting = nodes.map(|node| {
            let db = db.clone();
            thread::spawn(move || {
                let mut told = Told::default();
                // The first failure is the crash.
                while told.acknowledged < 2 && told.count(&db, node, SyncLevel::Full).is_ok() {}
                // Whatever it was, a commit may have been under way.
                told.tried = told.acknowledged + 1;
                told
            })
        });
        // Whatever comes of it.
        let _ = db.checkpoint();
        let told = counting.map(|thread| thread.join().expect("no panic"));
        drop(db);
        disk.clear_faults();
        disk.crash();
        disk.recover();
        let db = open(&disk, Background::Manual).expect("it can be opened again");
        for (told, node) in told.iter().zip(nodes) {
            told.assert(number(&db, node).expect("it can be read"));
        }
        counted(told)
    });
}

/// A sync fails while two commit; each opens the database again when it learns of it,
/// and goes on with the handle it has.
#[test]
fn a_failing_sync_beside_commits() {
    explore("a_failing_sync_beside_commits", &[0, 1], || {
        let disk = SimulatedFiles::new(1);
        let (db, nodes) = two_counters(&disk, Background::Manual);
        disk.plan_next(OperationKind::Sync, Fault::Io);
        let counting = nodes.map(|node| {
            let db = db.clone();
            thread::spawn(move || {
                let (mut told, mut failures) = (Told::default(), 0);
                while told.acknowledged < 2 {
                    if let Err(error) = told.count(&db, node, SyncLevel::Full) {
                        let is_known = matches!(error, Error::Closed);
                        assert!(is_known || error.kind() == ErrorKind::Reopen, "{error}");
                        failures += 1;
                        assert!(failures < 10, "it goes on: {error}");
                        db.reopen().expect("it can be opened again");
                    }
                    // What is unknown is known by now.
                    let found = number(&db, node).expect("it can be read");
                    told.assert(found);
                    told = Told { acknowledged: found.max(told.acknowledged), ..told };
                    told.tried = told.tried.max(found);
                }
                (told, failures)
            })
        });
        let told = counting.map(|thread| thread.join().expect("no panic"));
        for ((told, _), node) in told.iter().zip(nodes) {
            told.assert(number(&db, node).expect("it can be read"));
        }
        db.close().expect("nothing fails any more");
        let db = open(&disk, Background::Manual).expect("it can be opened again");
        for ((told, _), node) in told.iter().zip(nodes) {
            told.assert(number(&db, node).expect("it can be read"));
        }
        let failed = told.iter().filter(|(_, failures)| *failures > 0).count();
        assert!(failed > 0, "somebody learns of it");
        u64::from(failed == 2)
    });
}

/// The database is closed and opened again while two commit, with the worker beside
/// them: what was acknowledged is there, though one of them does not wait for the disk,
/// and what was refused is not. Nobody is told of a failure, since there was none.
#[test]
fn closing_beside_commits() {
    explore("closing_beside_commits", &[0, 1, 2, 3], || {
        let disk = SimulatedFiles::new(1);
        let (db, nodes) = two_counters(&disk, Background::Thread);
        let levels = [SyncLevel::Full, SyncLevel::Off];
        let counting = [0, 1].map(|at| {
            let (db, node, level) = (db.clone(), nodes[at], levels[at]);
            thread::spawn(move || {
                let mut told = Told::default();
                while told.acknowledged < 2 {
                    if let Err(error) = told.count(&db, node, level) {
                        assert!(matches!(error, Error::Closed), "{error}");
                        break;
                    }
                }
                told
            })
        });
        db.close().expect("nothing fails");
        let db = open(&disk, Background::Thread).expect("it can be opened again");
        let told = counting.map(|thread| thread.join().expect("no panic"));
        for (told, node) in told.iter().zip(nodes) {
            told.assert(number(&db, node).expect("it can be read"));
        }
        counted(told)
    });
}
