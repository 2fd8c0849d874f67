//! Indexes built over many nodes while others write: from the first snapshot that has
//! them on, they say what a scan of the same snapshot says.
//!
//! ```text
//! load | writers insert, update, delete ----------------------------------> | stop
//!      | build a range index and a unique one ---> ready                    |
//!      |                                  first snapshot | another | ...    | last, check
//! ```

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use selvedge::{
    Db, Error, ErrorKind, FieldDef, IndexDef, NodeDef, NodeId, Read, Snapshot, Transaction, doc,
};

const LABEL: &str = "Item";
/// Numbers that several nodes have, ordered by the range index.
const NUMBER: &str = "number";
/// Codes that one node has each, ordered by the unique index.
const CODE: &str = "code";
/// Of so many nodes, about one has each number.
const NODES_PER_NUMBER: i64 = 8;
const NODES_PER_TRANSACTION: u64 = 10_000;
/// Snapshots that are compared while writers go on, the first that has the indexes among
/// them.
const SNAPSHOTS: usize = 3;

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Nodes that are there before.
    pub nodes: u64,
    /// Threads that write.
    pub writers: u64,
    /// Decides what is written, though not when.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// To load the nodes.
    pub load: Duration,
    /// To build both indexes beside the writers.
    pub build: Duration,
    /// Transactions committed while they were built.
    pub commits_beside: u64,
    /// Transactions committed in all.
    pub commits: u64,
    /// Transactions refused for others.
    pub conflicts: u64,
    /// Snapshots in which indexes were compared with a scan.
    pub snapshots: u64,
    /// Entries that were compared.
    pub entries: u64,
    /// Nodes at last.
    pub nodes: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (load, build) = (self.load.as_secs_f64(), self.build.as_secs_f64());
        write!(
            f,
            "loaded in {load:.1} s, both indexes built in {build:.1} s beside {} commits; \
             {} commits and {} conflicts in all; {} entries compared in {} snapshots, {} nodes \
             at last",
            self.commits_beside,
            self.commits,
            self.conflicts,
            self.entries,
            self.snapshots,
            self.nodes,
        )
    }
}

/// What all threads know.
struct Ground {
    db: Db,
    plan: Plan,
    next_code: AtomicI64,
    commits: AtomicU64,
    conflicts: AtomicU64,
    is_over: AtomicBool,
}

fn fault(what: &'static str) -> impl Fn(Error) -> String {
    move |error| format!("{what}: {error}")
}

/// Runs a plan.
///
/// # Errors
/// What is wrong, in words: the first difference between an index and a scan, say.
pub fn run(plan: Plan) -> Result<Report, String> {
    let db = Db::in_memory();
    let fields = [FieldDef::int(NUMBER), FieldDef::int(CODE)];
    db.define([NodeDef::new(LABEL).fields(fields)]).map_err(fault("define"))?;
    let ground = Ground {
        db,
        plan,
        next_code: AtomicI64::new(0),
        commits: AtomicU64::new(0),
        conflicts: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    };
    let mut report = Report::default();
    let began = Instant::now();
    let loaded = ground.load()?;
    report.load = began.elapsed();
    thread::scope(|scope| {
        let (ground, loaded) = (&ground, &loaded[..]);
        let writers: Vec<_> = (0..plan.writers)
            .map(|writer| scope.spawn(move || ground.write(writer, loaded)))
            .collect();
        let builder = scope.spawn(|| ground.build());
        let compared = ground.compare_beside(&mut report);
        let built = builder.join().map_err(|_| "the build panicked")?;
        ground.is_over.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().map_err(|_| "a writer panicked")??;
        }
        compared?;
        (report.build, report.commits_beside) = built?;
        Ok::<_, String>(())
    })?;
    let last = ground.db.snapshot().map_err(fault("snapshot"))?;
    report.nodes = compare(&last, &mut report)?;
    let problems = ground.db.check().map_err(fault("check"))?;
    if let Some(problem) = problems.first() {
        return Err(format!("check: {problem}"));
    }
    report.commits = ground.commits.into_inner();
    report.conflicts = ground.conflicts.into_inner();
    Ok(report)
}

impl Ground {
    fn document(&self, random: &mut fastrand::Rng) -> selvedge::Document {
        let code = self.next_code.fetch_add(1, Ordering::Relaxed);
        doc! { "number": self.number(random), "code": code }
    }

    fn number(&self, random: &mut fastrand::Rng) -> i64 {
        random.i64(..(self.plan.nodes as i64 / NODES_PER_NUMBER).max(1))
    }

    fn load(&self) -> Result<Vec<NodeId>, String> {
        let mut random = fastrand::Rng::with_seed(self.plan.seed);
        let mut loaded = Vec::with_capacity(self.plan.nodes as usize);
        while (loaded.len() as u64) < self.plan.nodes {
            let count = NODES_PER_TRANSACTION.min(self.plan.nodes - loaded.len() as u64);
            let insert = |ctx: &mut Transaction<'_>| {
                let nodes =
                    (0..count).map(|_| ctx.insert_node(LABEL, None, self.document(&mut random)));
                nodes.collect::<Result<Vec<_>, Error>>()
            };
            loaded.extend(self.db.transaction(insert).map_err(fault("load"))?);
        }
        Ok(loaded)
    }

    /// Inserts, updates and deletes, until it is over.
    fn write(&self, writer: u64, loaded: &[NodeId]) -> Result<(), String> {
        let mut random = fastrand::Rng::with_seed(self.plan.seed ^ (writer + 1) << 32);
        while !self.is_over.load(Ordering::Relaxed) {
            let node = loaded[random.usize(..loaded.len())];
            let done = self.db.transaction(|ctx| {
                match random.u8(..8) {
                    0 | 1 => drop(ctx.insert_node(LABEL, None, self.document(&mut random))?),
                    _ if !ctx.contains(node)? => {}
                    2 => drop(ctx.delete_node(node)?),
                    3..6 => ctx.set(node, NUMBER, self.number(&mut random))?,
                    _ => {
                        let code = self.next_code.fetch_add(1, Ordering::Relaxed);
                        ctx.set(node, CODE, code)?;
                    }
                }
                Ok::<_, Error>(())
            });
            match done {
                Ok(()) => self.commits.fetch_add(1, Ordering::Relaxed),
                Err(error) if error.kind() == ErrorKind::Retry => {
                    self.conflicts.fetch_add(1, Ordering::Relaxed)
                }
                Err(error) => return Err(fault("a write")(error)),
            };
        }
        Ok(())
    }

    /// Builds both indexes; how long that took, and how much was committed beside it.
    fn build(&self) -> Result<(Duration, u64), String> {
        let (began, before) = (Instant::now(), self.commits.load(Ordering::Relaxed));
        let migration = self.db.migrate(LABEL).add_index(IndexDef::on([NUMBER]));
        let built = migration.add_index(IndexDef::on([CODE]).unique()).run();
        if let Err(error) = built {
            // Who waits for the indexes waits no longer.
            self.is_over.store(true, Ordering::Relaxed);
            return Err(fault("the build")(error));
        }
        Ok((began.elapsed(), self.commits.load(Ordering::Relaxed) - before))
    }

    /// Compares from the first snapshot on that has the indexes, while others write.
    fn compare_beside(&self, report: &mut Report) -> Result<(), String> {
        let mut compared = 0;
        while compared < SNAPSHOTS && !self.is_over.load(Ordering::Relaxed) {
            let snapshot = self.db.snapshot().map_err(fault("snapshot"))?;
            let is_ready = [NUMBER, CODE].map(|name| snapshot.index(LABEL, name).is_ok());
            match is_ready {
                [true, true] => {
                    compare(&snapshot, report)?;
                    compared += 1;
                }
                [false, false] => {
                    drop(snapshot);
                    thread::sleep(Duration::from_millis(1));
                }
                _ => return Err("of two indexes built together one was ready".to_owned()),
            }
        }
        Ok(())
    }
}

/// Holds both indexes against a scan of the same snapshot; gives the number of nodes.
fn compare(snapshot: &Snapshot<'_>, report: &mut Report) -> Result<u64, String> {
    let (mut numbers, mut codes) = (Vec::new(), Vec::new());
    for id in snapshot.scan(LABEL).map_err(fault("scan"))? {
        let node = snapshot.node(id).map_err(fault("a node"))?.ok_or("a scanned node is gone")?;
        let field = |name: &str| node.get(name).and_then(|value| value.as_i64());
        numbers.push((field(NUMBER).ok_or("a node without a number")?, id));
        codes.push((field(CODE).ok_or("a node without a code")?, id));
    }
    let nodes = numbers.len() as u64;
    for (name, mut expected) in [(NUMBER, numbers), (CODE, codes)] {
        expected.sort_unstable();
        let index = snapshot.index(LABEL, name).map_err(fault("an index"))?;
        let mut found = index.scan().ids().map_err(fault("an index"))?;
        for (at, (value, id)) in expected.iter().enumerate() {
            let entry = found.next().transpose().map_err(fault("an entry"))?;
            if entry != Some(*id) {
                let at_snapshot = snapshot.timestamp();
                return Err(format!(
                    "snapshot {at_snapshot}, index {name}: entry {at} is {entry:?}, and {id} has \
                     {value}"
                ));
            }
        }
        if let Some(phantom) = found.next() {
            return Err(format!("index {name} has {phantom:?} behind the last node"));
        }
        report.entries += nodes;
    }
    report.snapshots += 1;
    Ok(nodes)
}
