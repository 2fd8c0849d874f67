//! Commits that wait for the disk, and those that do not.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Outcome;
use selvedge::SyncLevel;
use selvedge::prelude::*;

use crate::{Options, median};

/// Bytes that the bare loop writes each time: about what a small commit logs.
const BARE_BYTES: usize = 128;
/// Bytes of the file that it writes in, filled beforehand as the log is.
const BARE_FILE_BYTES: u64 = 8 << 20;

/// Writes and syncs a second by a bare loop.
fn bare(dir: &Path, each: Duration) -> Outcome<f64> {
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(dir.join("bare"))?;
    file.write_all_at(&vec![0; BARE_FILE_BYTES as usize], 0)?;
    file.sync_all()?;
    let (began, mut done) = (Instant::now(), 0_u64);
    while began.elapsed() < each {
        file.write_all_at(&[7; BARE_BYTES], done * BARE_BYTES as u64 % BARE_FILE_BYTES)?;
        file.sync_data()?;
        done += 1;
    }
    Ok(done as f64 / began.elapsed().as_secs_f64())
}

/// Commits a second by `threads`, each of which updates a node of its own.
fn commits(db: &Db, threads: usize, each: Duration) -> Outcome<f64> {
    let nodes: Vec<_> = (0..threads)
        .map(|_| db.insert_node("Counter", None, doc! { "value": 0 }))
        .collect::<Result<_, _>>()?;
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for node in nodes {
            let (stop, done) = (&stop, &done);
            scope.spawn(move || {
                let mut value = 0_i64;
                while !stop.load(Ordering::Relaxed) {
                    db.set(node, "value", value).expect("nobody else writes this node");
                    value += 1;
                }
                done.fetch_add(value as u64, Ordering::Relaxed);
            });
        }
        std::thread::sleep(each);
        stop.store(true, Ordering::Relaxed);
    });
    Ok(done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}

/// Commits at level full beside a bare loop of write and fdatasync.
pub(crate) fn full(options: &Options) -> Outcome<()> {
    let dir = options.place("full")?;
    let (mut bares, mut ones, mut many) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.rounds {
        bares.push(bare(&dir, options.each)?);
        let db = Db::open(dir.join(format!("{round}.selvedge")))?;
        ones.push(commits(&db, 1, options.each)?);
        many.push(commits(&db, 64, options.each)?);
        bares.push(bare(&dir, options.each)?);
    }
    std::fs::remove_dir_all(&dir)?;
    let (bare, one, many) = (median(&mut bares), median(&mut ones), median(&mut many));
    println!("full        write + fdatasync, bare loop   {bare:>12.0}/s");
    println!("full         1 thread                      {one:>12.0}/s  {:.2} of bare", one / bare);
    println!(
        "full        64 threads                     {many:>12.0}/s  {:.1} of bare",
        many / bare
    );
    Ok(())
}

/// Level normal beside level off, and both beside memory.
pub(crate) fn levels(options: &Options) -> Outcome<()> {
    let every = Duration::from_millis(50);
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..options.rounds {
        let dir = options.place("levels")?;
        let open = |name: &str, level| {
            Db::builder().sync(level).open(dir.join(format!("{name}-{round}.selvedge")))
        };
        let dbs = [
            Db::in_memory(),
            open("off", SyncLevel::Off)?,
            open("normal", SyncLevel::Normal { every })?,
        ];
        for (db, rates) in dbs.iter().zip(&mut rates) {
            rates.push(commits(db, 1, options.each)?);
        }
        drop(dbs);
        std::fs::remove_dir_all(&dir)?;
    }
    let [mut memory, mut off, mut normal] = rates;
    let (memory, off, normal) = (median(&mut memory), median(&mut off), median(&mut normal));
    println!("levels      in memory                      {memory:>12.0}/s");
    println!(
        "levels      off                            {off:>12.0}/s  {:.2} of memory",
        off / memory
    );
    println!(
        "levels      normal, every {every:?}           {normal:>12.0}/s  {:.2} of off",
        normal / off
    );
    Ok(())
}
