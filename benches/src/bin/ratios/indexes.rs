//! Indexes beside look-ups by key, and beside ordered maps.

use selvedge_benches::Outcome;
use selvedge_benches::compare::{Line, Title};
use selvedge_benches::indexed::{IndexStore, ROWS_PER_GROUP, ROWS_PER_RANGE};
use selvedge_benches::random::Random;

use crate::options::Options;

const NAMES: [&str; 4] = [
    "index: find unique",
    "index: find100 unique",
    "index: range of 1000",
    "index: equal, 10 rows",
];

pub(crate) fn run(options: &Options, lines: &mut Vec<Line>) -> Outcome<()> {
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
