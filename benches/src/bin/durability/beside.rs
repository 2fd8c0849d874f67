//! What a checkpoint costs those who commit and read meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Outcome;
use selvedge::SyncLevel;
use selvedge::prelude::*;
use selvedge_benches::measure::thread_cpu;

use crate::{Options, median};

/// Nodes in the database, each with a document of 200 bytes.
const NODES: usize = 200_000;

/// What was done in a while: commits a second, and how long reads took.
struct Pace {
    commits: f64,
    /// The same, by the CPU time of the thread that commits.
    commits_of_cpu: f64,
    read_p99: f64,
}

/// One thread commits, another reads, while `meanwhile` says so.
fn pace(db: &Db, nodes: &[NodeId], meanwhile: impl FnOnce() -> Outcome<()>) -> Outcome<Pace> {
    let (stop, commits) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    let (result, cpu, mut reads) = std::thread::scope(|scope| {
        let writer = || {
            let (mut at, cpu) = (0_usize, thread_cpu());
            while !stop.load(Ordering::Relaxed) {
                at = (at + 7919) % nodes.len();
                db.set(nodes[at], "value", at as i64).expect("nobody else writes");
                commits.fetch_add(1, Ordering::Relaxed);
            }
            thread_cpu().saturating_sub(cpu)
        };
        let reader = || {
            let (mut at, mut times) = (0_usize, Vec::new());
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                for _ in 0..16 {
                    at = (at + 104_729) % nodes.len();
                    let read = db.view(|snapshot| {
                        let node = snapshot.node(nodes[at])?;
                        Ok::<_, Error>(node.and_then(|node| node.get("value")?.as_i64()))
                    });
                    std::hint::black_box(read.expect("reads"));
                }
                times.push(began.elapsed().as_secs_f64() / 16.0);
                // One reader is not to take all of a processor.
                std::thread::sleep(Duration::from_micros(50));
            }
            times
        };
        let writer = scope.spawn(writer);
        let reads = scope.spawn(reader);
        let result = meanwhile();
        stop.store(true, Ordering::Relaxed);
        (result, writer.join().expect("commits"), reads.join().expect("reads"))
    });
    result?;
    reads.sort_by(f64::total_cmp);
    let p99 = reads.get(reads.len() * 99 / 100).copied().unwrap_or(0.0);
    let commits = commits.load(Ordering::Relaxed) as f64;
    let commits_of_cpu = commits / cpu.as_secs_f64();
    let commits = commits / began.elapsed().as_secs_f64();
    Ok(Pace { commits, commits_of_cpu, read_p99: p99 * 1e6 })
}

/// Commits and reads while checkpoints are written, beside when none is.
pub(crate) fn checkpoint(options: &Options) -> Outcome<()> {
    let path = options.place("checkpoint")?.join("db.selvedge");
    let every = Duration::from_millis(50);
    let db =
        Db::builder().sync(SyncLevel::Normal { every }).checkpoint_bytes(1 << 50).open(&path)?;
    let text = "x".repeat(180);
    let nodes: Vec<_> = db.transaction(|ctx| {
        (0..NODES)
            .map(|_| ctx.insert_node("N", None, doc! { "value": 0, "text": text.clone() }))
            .collect::<Result<_, _>>()
    })?;
    let (mut alone, mut beside) = ([const { Vec::new() }; 3], [const { Vec::new() }; 3]);
    for _ in 0..options.rounds {
        let quiet = pace(&db, &nodes, || {
            std::thread::sleep(options.each);
            Ok(())
        })?;
        let busy = pace(&db, &nodes, || {
            let began = Instant::now();
            while began.elapsed() < options.each {
                db.checkpoint()?;
            }
            Ok(())
        })?;
        for (figures, pace) in [(&mut alone, quiet), (&mut beside, busy)] {
            figures[0].push(pace.commits);
            figures[1].push(pace.read_p99);
            figures[2].push(pace.commits_of_cpu);
        }
    }
    drop(db);
    std::fs::remove_dir_all(path.parent().ok_or("made above")?)?;
    let [commits, reads, cpu] = alone.map(|mut figures| median(&mut figures));
    let [commits_beside, reads_beside, cpu_beside] = beside.map(|mut figures| median(&mut figures));
    println!("checkpoint  commits, none under way        {commits:>12.0}/s");
    println!(
        "checkpoint  commits, one after the other   {commits_beside:>12.0}/s  {:.2} of alone",
        commits_beside / commits
    );
    println!(
        "checkpoint  commits by CPU time            {cpu_beside:>12.0}/s  {:.2} of alone",
        cpu_beside / cpu
    );
    println!("checkpoint  p99 of a read, none under way  {reads:>12.2} us");
    println!(
        "checkpoint  p99 of a read, beside them     {reads_beside:>12.2} us  {:.2} of alone",
        reads_beside / reads
    );
    Ok(())
}
