//! What threads do with a database, recorded to be judged.

use std::sync::Arc;
use std::time::Instant;

use selvedge::env::Env;
use selvedge::{Background, Db};
use selvedge_testkit::history::{Done, History, Isolation, NodeId, Seat, Txn, Worker, judge};
use shuttle::thread;

/// What one of several threads does.
pub(crate) type Act = Box<dyn FnOnce(&Worker) -> Done + Send>;

/// An act.
pub(crate) fn act(act: impl FnOnce(&Worker) -> Done + Send + 'static) -> Act {
    Box::new(act)
}

/// A database, and all that was done with it.
pub(crate) struct Story {
    pub(crate) db: Db,
    began: Instant,
    recorded: Vec<Vec<Txn>>,
    round: usize,
}

impl Story {
    pub(crate) fn in_memory(background: Background) -> Self {
        let (env, _) = Env::simulated(1);
        Self::of(Db::builder().background(background).env(env).in_memory())
    }

    pub(crate) fn of(db: Db) -> Self {
        Self { db, began: Instant::now(), recorded: Vec::new(), round: 0 }
    }

    fn worker(db: Db, thread: usize, round: usize, began: Instant) -> Worker {
        // Nobody yields: where threads are switched is what is explored.
        Worker::new(db, Seat { seed: 1, thread, round, began, yields: usize::MAX })
    }

    /// Does something while nobody else does.
    pub(crate) fn alone<T>(&mut self, act: impl FnOnce(&Worker) -> Done<T>) -> T {
        self.round += 1;
        let worker = Self::worker(self.db.clone(), 0, self.round, self.began);
        let done = act(&worker).expect("nothing fails");
        self.recorded.push(worker.into_txns());
        done
    }

    /// Inserts nodes, in one transaction.
    pub(crate) fn insert(&mut self, nodes: usize) -> Arc<[NodeId]> {
        self.alone(|worker| {
            let mut active = worker.begin(Isolation::Snapshot)?;
            let inserted: Done<Arc<[NodeId]>> = (0..nodes)
                .map(|at| {
                    let node = active.insert("Node", Some(&format!("k{at}")), 1)?;
                    node.ok_or_else(|| "the database is empty".to_owned())
                })
                .collect();
            active.commit()?;
            inserted
        })
    }

    /// Runs each act on a thread of its own.
    pub(crate) fn together(&mut self, acts: impl IntoIterator<Item = Act>) {
        self.round += 1;
        let (round, began) = (self.round, self.began);
        let running: Vec<_> = acts
            .into_iter()
            .enumerate()
            .map(|(at, act)| {
                let db = self.db.clone();
                thread::spawn(move || {
                    let worker = Self::worker(db, at + 1, round, began);
                    act(&worker).expect("nothing fails");
                    worker.into_txns()
                })
            })
            .collect();
        for thread in running {
            self.recorded.push(thread.join().expect("no act panics"));
        }
    }

    /// Goes on with another handle.
    pub(crate) fn go_on_with(&mut self, db: Db) {
        self.db = db;
    }

    /// Looks at everything once more, and judges what was seen from the beginning on.
    pub(crate) fn judge(mut self) -> History {
        self.alone(|worker| {
            let mut active = worker.snapshot()?;
            for node in active.scan("Node")? {
                active.node(node)?;
                active.neighbours(node, selvedge_testkit::history::Way::Both, None)?;
            }
            active.count("Node")?;
            active.count_edges("EDGE")?;
            active.commit().map(drop)
        });
        assert_eq!(self.db.check().expect("it can be checked"), Vec::<String>::new());
        let history = History::merge("shuttle".to_owned(), self.recorded);
        let verdict = judge(&history);
        assert!(verdict.total == 0, "{:#?}\n{history:#?}", verdict.findings);
        history
    }
}

/// How many transactions of a history were refused for a conflict.
pub(crate) fn conflicts(history: &History) -> usize {
    let is_conflict =
        |txn: &&Txn| matches!(txn.outcome, selvedge_testkit::history::Outcome::Conflict(..));
    history.txns.iter().filter(is_conflict).count()
}
