//! Commits that wait for the disk: `rmw1` on few keys, every commit synced, by one client
//! and by 64; beside the rate at which a bare loop writes and syncs. And our levels
//! `Normal` and `Off` by turns.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use selvedge::SyncLevel;

use crate::figures::{Figures, PER_CPU_SECOND, PER_FDATASYNC, PER_SECOND};
use crate::kv::{self, Durability, Engine, Work};
use crate::only::Only;
use crate::threads;

/// Keys: few, so that loading them does not take long.
const KEYS: u64 = 10_000;
/// Bytes that the bare loop writes each time: about what a small commit logs.
const BARE_BYTES: usize = 128;
/// Bytes of the file that it writes in, filled beforehand as a log is.
const BARE_FILE_BYTES: u64 = 8 << 20;
/// How long a commit at level `Normal` may wait for the disk.
const NORMAL: Duration = Duration::from_millis(50);

/// How long one measurement takes.
#[derive(Clone, Copy)]
pub struct Scale {
    pub time: Duration,
}

type Fill = fn() -> Result<Box<dyn Engine>>;

/// Who syncs every commit.
const SYNCED: [(&str, Fill); 6] = [
    ("selvedge", || Ok(Box::new(kv::Selvedge::on_disk(KEYS, SyncLevel::Full)?))),
    ("surrealmx", || Ok(Box::new(kv::SurrealMx::filled(KEYS, Durability::Synced)?))),
    ("heed", || Ok(Box::new(kv::Lmdb::filled(KEYS, Durability::Synced)?))),
    ("redb", || Ok(Box::new(kv::Redb::filled(KEYS, Durability::Synced)?))),
    ("fjall", || Ok(Box::new(kv::Fjall::filled(KEYS, Durability::Synced)?))),
    ("rusqlite", || Ok(Box::new(kv::Sqlite::filled(KEYS, Durability::Synced)?))),
];

/// Writes and syncs for each second, by a bare loop.
fn bare(dir: &Path, time: Duration) -> Result<f64> {
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(dir.join("bare"))?;
    file.write_all_at(&vec![0; BARE_FILE_BYTES as usize], 0)?;
    file.sync_all()?;
    let (began, mut done) = (Instant::now(), 0_u64);
    while began.elapsed() < time {
        file.write_all_at(&[7; BARE_BYTES], done * BARE_BYTES as u64 % BARE_FILE_BYTES)?;
        file.sync_data()?;
        done += 1;
    }
    Ok(done as f64 / began.elapsed().as_secs_f64())
}

/// Measures them.
pub fn measure(scale: Scale, rounds: usize, only: &Only, figures: &mut Figures) -> Result<()> {
    for (name, clients) in [("sync/1c", 1), ("sync/64c", 64)] {
        if only.workload(name) {
            eprintln!("{name}");
            full(name, clients, scale, rounds, only, figures)?;
        }
    }
    if only.workload("sync/normal") {
        eprintln!("sync/normal");
        let levels =
            [("sync/normal", SyncLevel::Normal { every: NORMAL }), ("sync/off", SyncLevel::Off)];
        rates(
            &levels.map(|(name, level)| {
                let fill =
                    move || Ok(Box::new(kv::Selvedge::on_disk(KEYS, level)?) as Box<dyn Engine>);
                (name, "selvedge", fill)
            }),
            1,
            scale,
            rounds,
            figures,
            None,
        )?;
    }
    Ok(())
}

fn full(
    name: &str,
    clients: u64,
    scale: Scale,
    rounds: usize,
    only: &Only,
    figures: &mut Figures,
) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let rows: Vec<_> = SYNCED
        .iter()
        .filter(|(engine, _)| only.engine(engine))
        .map(|(engine, fill)| (name, *engine, *fill))
        .collect();
    let mut bares = Vec::new();
    let mut turn = || -> Result<f64> {
        let rate = bare(dir.path(), scale.time / 4)?;
        bares.push(rate);
        Ok(rate)
    };
    rates(&rows, clients, scale, rounds, figures, Some(&mut turn))?;
    figures.add(name, "limit-fdatasync", PER_SECOND, bares);
    Ok(())
}

/// Rates of rows (workload, engine), by turns; with something `between` two of them that
/// gives the rate of a bare loop, to set each against the mean of those before and behind
/// it. The disk changes its pace.
fn rates<F: Fn() -> Result<Box<dyn Engine>>>(
    rows: &[(&str, &str, F)],
    clients: u64,
    scale: Scale,
    rounds: usize,
    figures: &mut Figures,
    mut between: Option<&mut dyn FnMut() -> Result<f64>>,
) -> Result<()> {
    let mut bare = || between.as_mut().map(|between| between()).transpose();
    let engines: Vec<_> = rows.iter().map(|(_, _, fill)| fill()).collect::<Result<_>>()?;
    let mut found: Vec<_> = rows.iter().map(|_| Found::default()).collect();
    let mut before = bare()?;
    for round in 0..rounds {
        for turn in 0..rows.len() {
            let at = (turn + round) % rows.len();
            let engine = &engines[at];
            let done = threads::work(clients, round as u64, scale.time, |thread| {
                kv::operations(&**engine, thread, Work::Increment(1), KEYS, false)
            })?;
            let behind = bare()?;
            let found = &mut found[at];
            found.increments += done.operations;
            found.by_wall.push(done.per_second(1));
            found.by_cpu.push(done.per_cpu_second(1));
            if let (Some(before), Some(behind)) = (before, behind) {
                found.of_bare.push(done.per_second(1) / f64::midpoint(before, behind));
            }
            before = behind;
        }
    }
    for (((workload, name, _), engine), found) in rows.iter().zip(&engines).zip(found) {
        let (count, sum) = engine.session(0)?.scan()?;
        ensure!(count == KEYS, "{name}: {count} rows");
        let expected = kv::first_sum(KEYS) + found.increments;
        kv::tell_lost(workload, name, expected, sum, figures)?;
        figures.add(workload, name, PER_SECOND, found.by_wall);
        figures.add(workload, name, PER_CPU_SECOND, found.by_cpu);
        figures.add(workload, name, PER_FDATASYNC, found.of_bare);
    }
    Ok(())
}

/// What the rounds of one engine gave.
#[derive(Default)]
struct Found {
    increments: u64,
    by_wall: Vec<f64>,
    by_cpu: Vec<f64>,
    of_bare: Vec<f64>,
}
