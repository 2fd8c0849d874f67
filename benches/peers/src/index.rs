//! Property indexes: rows found by a text that is unique, and the ids of ranges of a
//! number in the order of the index.
//!
//! selvedge: indexes of a label, in memory. SQLite: two indexes over a table in memory that
//! nobody else has, statements prepared once; nothing is locked or copied for it. The limits:
//! a `BTreeMap` of ours, and the same rows of ours by their keys.

use anyhow::{Result, ensure};
use rusqlite::{Connection, params};
use selvedge_benches::indexed::{IndexStore, Maps, ROWS_PER_RANGE, number_of};
use selvedge_benches::kv::KeyName;
use selvedge_benches::measure::{Done, Sample};

use crate::figures::{Figures, PER_CPU_SECOND, PER_SECOND};
use crate::only::Only;
use crate::random::Random;

/// How much is indexed, and how often it is asked.
#[derive(Clone, Copy)]
pub struct Scale {
    pub rows: u64,
    pub finds: u64,
    pub ranges: u64,
}

impl Scale {
    pub fn full() -> Self {
        Self { rows: 1_000_000, finds: 500_000, ranges: 2_000 }
    }

    pub fn quick() -> Self {
        Self { rows: 100_000, finds: 100_000, ranges: 500 }
    }
}

/// One engine at one workload, a round of it: from a seed.
type Run<'a> = Box<dyn Fn(u64) -> Result<Done> + 'a>;

struct Sqlite {
    connection: Connection,
    rows: u64,
}

impl Sqlite {
    fn filled(rows: u64) -> Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        connection.execute_batch(
            "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, number INTEGER)",
        )?;
        let txn = connection.transaction()?;
        {
            let mut insert = txn.prepare("INSERT INTO items VALUES (?1, ?2, ?3)")?;
            for row in 0..rows {
                let (name, number) = (KeyName::new(row), number_of(row, rows));
                insert.execute(params![row as i64, name.as_str(), number])?;
            }
        }
        txn.commit()?;
        connection.execute_batch(
            "CREATE UNIQUE INDEX names ON items (name);
             CREATE INDEX numbers ON items (number);
             ANALYZE",
        )?;
        Ok(Self { connection, rows })
    }

    fn find(&self, random: &mut Random, times: u64) -> Result<Done> {
        let mut select = self.connection.prepare("SELECT number FROM items WHERE name = ?1")?;
        let mut sum = 0_u64;
        for _ in 0..times {
            let name = KeyName::new(random.below(self.rows));
            let number: i64 = select.query_row([name.as_str()], |row| row.get(0))?;
            sum = sum.wrapping_add(number as u64);
        }
        Ok(Done::new(times, sum))
    }

    fn ranges(&self, random: &mut Random, times: u64) -> Result<Done> {
        let mut select = self
            .connection
            .prepare("SELECT id FROM items WHERE number >= ?1 AND number < ?2 ORDER BY number")?;
        let (mut rows, mut sum) = (0, 0_u64);
        for _ in 0..times {
            let from = random.below(self.rows - ROWS_PER_RANGE) as i64;
            let mut found = select.query([from, from + ROWS_PER_RANGE as i64])?;
            while let Some(row) = found.next()? {
                rows += 1;
                sum = sum.wrapping_add(row.get::<_, i64>(0)? as u64);
            }
        }
        Ok(Done::new(rows, sum))
    }
}

fn indexed(rows: u64) -> Result<(IndexStore, Maps)> {
    let store = IndexStore::load(rows)?;
    store.index_names()?;
    store.index_numbers()?;
    store.settle();
    let maps = store.maps()?;
    Ok((store, maps))
}

/// Measures all.
pub fn measure(scale: Scale, rounds: usize, only: &Only, figures: &mut Figures) -> Result<()> {
    const NAMES: [&str; 3] = ["index/key", "index/find", "index/range"];
    if !NAMES.iter().any(|name| only.workload(name)) {
        return Ok(());
    }
    let Scale { rows, finds, ranges } = scale;
    let (store, maps) = indexed(rows)?;
    let sqlite = Sqlite::filled(rows)?;
    let (store, maps, sqlite) = (&store, &maps, &sqlite);
    let by_key = |seed| Ok(store.get_by_key(&mut Random::new(seed), finds, 1)?);
    let find = |seed| Ok(store.find_by_name(&mut Random::new(seed), finds)?);
    let range = |seed| Ok(store.ranges(&mut Random::new(seed), ranges)?);
    let map_range = |seed| Ok(maps.ranges(&mut Random::new(seed), ranges));
    let sql_find = |seed| sqlite.find(&mut Random::new(seed), finds);
    let sql_range = |seed| sqlite.ranges(&mut Random::new(seed), ranges);
    let workloads: [(&str, Vec<(&str, Run<'_>)>); 3] = [
        (NAMES[0], vec![("selvedge", Box::new(by_key))]),
        (NAMES[1], vec![("selvedge", Box::new(find)), ("rusqlite", Box::new(sql_find))]),
        (
            NAMES[2],
            vec![
                ("selvedge", Box::new(range)),
                ("rusqlite", Box::new(sql_range)),
                ("limit-btree", Box::new(map_range)),
            ],
        ),
    ];
    for (name, runs) in workloads {
        if only.workload(name) {
            eprintln!("{name}");
            let runs = runs.into_iter().filter(|(engine, _)| only.engine(engine)).collect();
            measure_one(name, runs, rounds, figures)?;
        }
    }
    Ok(())
}

/// The engines by turns; all find as much.
fn measure_one(
    name: &str,
    runs: Vec<(&str, Run<'_>)>,
    rounds: usize,
    figures: &mut Figures,
) -> Result<()> {
    let mut rates = vec![[const { Vec::new() }; 2]; runs.len()];
    for round in 0..rounds as u64 {
        let mut found = None;
        for ((engine, run), [wall, cpu]) in runs.iter().zip(&mut rates) {
            let sample = Sample::of(|| run(round))?;
            let work = sample.done.work;
            ensure!(*found.get_or_insert(work) == work, "{name}: {engine} finds {work} rows");
            wall.push(sample.wall_rate());
            cpu.push(sample.cpu_rate());
        }
    }
    for ((engine, _), [wall, cpu]) in runs.into_iter().zip(rates) {
        figures.add(name, engine, PER_SECOND, wall);
        figures.add(name, engine, PER_CPU_SECOND, cpu);
    }
    Ok(())
}
