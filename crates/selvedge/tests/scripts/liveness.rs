//! What scripts cannot say, because it takes threads: that nobody waits for ever.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use selvedge::prelude::*;

const NODES: usize = 50;

#[derive(Default)]
struct Progress {
    walks: AtomicU64,
    commits: AtomicU64,
    stop: AtomicBool,
}

impl Progress {
    fn read(&self) -> (u64, u64) {
        (self.walks.load(Ordering::Relaxed), self.commits.load(Ordering::Relaxed))
    }
}

/// A chain of nodes.
fn chain(db: &Db) -> selvedge::Result<Vec<NodeId>> {
    db.transaction(|ctx| {
        let insert = |_| ctx.insert_node("Item", None, doc! { "n": 0 });
        let nodes: Vec<_> = (0..NODES).map(insert).collect::<Result<_, _>>()?;
        for pair in nodes.windows(2) {
            ctx.link_nodes(pair[0], "NEXT", pair[1], doc! {})?;
        }
        Ok(nodes)
    })
}

fn walk(db: &Db, nodes: &[NodeId], progress: &Progress) -> selvedge::Result<()> {
    while !progress.stop.load(Ordering::Relaxed) {
        let reader = db.begin(&TransactionOptions::new())?;
        let walk = reader.traverse(nodes[0])?.edge_type("NEXT").depth(1..=NODES as u32);
        assert_eq!(walk.count(), NODES - 1);
        progress.walks.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn write(db: &Db, nodes: &[NodeId], progress: &Progress) -> selvedge::Result<()> {
    for round in 0_usize.. {
        if progress.stop.load(Ordering::Relaxed) {
            break;
        }
        let at = round % (NODES - 1);
        db.transaction(|ctx| {
            ctx.set(nodes[at], "n", round as i64)?;
            ctx.link_nodes(nodes[at], "NEXT", nodes[at + 1], doc! { "round": round as i64 })
        })?;
        progress.commits.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// T3 row 2: elsewhere a reader that traverses and a writer that commits lock each
/// other out within 0.2 seconds. Both go on for as long as one likes.
#[test]
fn trap_02_reader_and_writer_both_make_progress() {
    const TENTH: Duration = Duration::from_millis(200);
    let db = Db::in_memory();
    let nodes: Arc<[NodeId]> = chain(&db).expect("an empty database").into();
    let progress = Arc::new(Progress::default());
    // Not scoped: threads that lock each other out can never be joined.
    let threads = [walk, write].map(|work| {
        let (db, nodes, progress) = (db.clone(), Arc::clone(&nodes), Arc::clone(&progress));
        thread::spawn(move || work(&db, &nodes, &progress))
    });
    let tenths = [(); 10].map(|()| {
        let before = progress.read();
        thread::sleep(TENTH);
        let after = progress.read();
        (after.0 - before.0, after.1 - before.1)
    });
    progress.stop.store(true, Ordering::Relaxed);
    // A busy machine may leave out a thread for a tenth or two, but not for half
    // of the time.
    let idle = tenths.iter().filter(|(walks, commits)| *walks == 0 || *commits == 0).count();
    assert!(idle < 5, "walks and commits in each tenth of the time: {tenths:?}");
    for thread in threads {
        thread.join().expect("it made progress").expect("nobody else writes");
    }
}

/// T3 row 16: elsewhere closing the database blocks for up to 5 seconds, until the
/// collector's thread wakes. Here it is prompt, right behind the making of garbage.
#[test]
fn trap_16_closing_is_prompt() {
    for _ in 0..5 {
        let db = Db::in_memory();
        let node = db.insert_node("Item", "x", doc! { "n": 0 }).expect("a new key");
        let reader = db.snapshot().expect("few are open");
        for n in 0..1000 {
            db.set(node, "n", n).expect("nobody else writes");
        }
        assert!(db.statistics().versions_retained > 0, "there is garbage, so there is a worker");
        drop(reader);
        let (closed, wait) = mpsc::channel();
        thread::spawn(move || {
            let begun = Instant::now();
            drop(db);
            closed.send(begun.elapsed())
        });
        let took = wait.recv_timeout(Duration::from_secs(10)).expect("closing ends");
        assert!(took < Duration::from_secs(1), "closing took {took:?}");
    }
}
