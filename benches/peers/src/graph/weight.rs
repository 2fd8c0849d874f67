//! Resident memory of a loaded graph, each in a process of its own.

use std::collections::BTreeMap;
use std::hint::black_box;

use anyhow::{Context, Result};
use selvedge_benches::memory::resident_bytes;
use selvedge_benches::rmat::EdgeList;

use super::CONTENDERS;
use super::engine::Contender;
use super::walk::Walk;
use crate::apart;
use crate::figures::{Figures, MIB};

/// What comes before the name of an engine in that of a measurement apart.
const GRAPH: &str = "graph:";
const BYTES: &str = "bytes";

/// Weighs each engine.
pub fn measure(
    contenders: impl Iterator<Item = Contender>,
    scale: u32,
    figures: &mut Figures,
) -> Result<()> {
    for Contender { name, .. } in contenders {
        let found = apart::run(&format!("{GRAPH}{name}"), u64::from(scale), 0)?;
        let bytes = found.get(BYTES).context("the weight")?;
        figures.add("graph/rss", name, MIB, vec![bytes / f64::from(1 << 20)]);
    }
    Ok(())
}

/// Loads a graph into the engine of this name, sweeps over it, and tells how many bytes the
/// process holds more of than before there was the engine; nothing if it is no such name.
pub fn alone(what: &str, scale: u64) -> Result<Option<BTreeMap<String, f64>>> {
    let name = what.strip_prefix(GRAPH);
    let Some(contender) = CONTENDERS.iter().find(|one| Some(one.name) == name) else {
        return Ok(None);
    };
    let mut list = EdgeList::rmat(u32::try_from(scale)?, 1);
    if !contender.multi {
        list = list.deduplicated();
    }
    let before = resident_bytes();
    let mut engine = (contender.make)(list.nodes)?;
    engine.load(&list)?;
    engine.settle()?;
    // What lies in a file is not resident before it was read.
    engine.walk(Walk::Sweep)?;
    let bytes = resident_bytes().saturating_sub(before);
    black_box(engine);
    Ok(Some(BTreeMap::from([(BYTES.to_owned(), bytes as f64)])))
}
