//! Indexes beside look-ups by key, and beside ordered maps.

use selvedge_benches::Outcome;
use selvedge_benches::compare::{Line, Title};
use selvedge_benches::indexed::{IndexStore, ROWS_PER_GROUP, ROWS_PER_RANGE};
use selvedge_benches::indexed_load::IndexedLoad;
use selvedge_benches::random::Random;

use crate::options::Options;

const NAMES: [&str; 4] = [
    "index: find unique",
    "index: find100 unique",
    "index: range of 1000",
    "index: equal, 10 rows",
];

/// Loads, with so many indexes and so many rows in a transaction.
const LOADS: [(&str, usize, u64); 4] = [
    ("index: load, 1 index", 1, 1000),
    ("index: load, 5 indexes", 5, 1000),
    ("index: load singly, 1 index", 1, 1),
    ("index: load singly, 5 indexes", 5, 1),
];

pub(crate) fn run(options: &Options, lines: &mut Vec<Line>) -> Outcome<()> {
    loads(options, lines)?;
    let Options { plan, keys, times, .. } = options;
    if !NAMES.iter().any(|name| plan.wants(name)) {
        return Ok(());
    }
    let store = IndexStore::load(*keys)?;
    store.index_names()?;
    store.index_numbers()?;
    store.index_groups()?;
    let (maps, times) = (store.maps()?, *times / 2);
    plan.compare(
        lines,
        Title::new(NAMES[0], "by key, selvedge", ">= 0.5"),
        &mut |seed| store.find_by_name(&mut Random::new(seed), times),
        &mut |seed| store.get_by_key(&mut Random::new(seed), times, 1),
    )?;
    plan.compare(
        lines,
        Title::new(NAMES[1], "by key, selvedge", ">= 0.5"),
        &mut |seed| store.find100_by_name(&mut Random::new(seed), times),
        &mut |seed| store.get_by_key(&mut Random::new(seed), times / 100 * 100, 100),
    )?;
    let ranges = 4 * times / ROWS_PER_RANGE;
    plan.compare(
        lines,
        Title::new(NAMES[2], "BTreeMap", ">= 0.3"),
        &mut |seed| store.ranges(&mut Random::new(seed), ranges),
        &mut |seed| Ok(maps.ranges(&mut Random::new(seed), ranges)),
    )?;
    let groups = times / ROWS_PER_GROUP;
    plan.compare(
        lines,
        Title::new(NAMES[3], "BTreeMap", ""),
        &mut |seed| store.groups(&mut Random::new(seed), groups),
        &mut |seed| Ok(maps.groups(&mut Random::new(seed), groups)),
    )
}

fn loads(options: &Options, lines: &mut Vec<Line>) -> Outcome<()> {
    for (name, indexes, rows_per_transaction) in LOADS {
        let bare = IndexedLoad { rows: options.keys / 2, indexes: 0, rows_per_transaction };
        options.plan.compare(
            lines,
            Title::new(name, "without, selvedge", ""),
            &mut |seed| IndexedLoad { indexes, ..bare }.run(&mut Random::new(seed)),
            &mut |seed| bare.run(&mut Random::new(seed)),
        )?;
    }
    Ok(())
}
