//! One transaction after the other: no version stays that nobody can see.

use anyhow::Result;

use crate::figures::{Figures, VERSIONS};
use crate::kv::{self, Engine, Selvedge};
use crate::only::Only;
use crate::own::Scale;
use crate::random::Random;

/// Commits after each of which the versions are counted.
const COMMITS: u64 = 10_000;

pub(super) fn measure(scale: Scale, only: &Only, figures: &mut Figures) -> Result<()> {
    let name = "own/serial";
    if !only.workload(name) {
        return Ok(());
    }
    eprintln!("{name}");
    let keys = scale.keys / 10;
    let engine = Selvedge::in_memory(keys)?;
    let (mut session, mut drawn, mut random) = (engine.session(0)?, Vec::new(), Random::new(1));
    let mut most = 0;
    for _ in 0..COMMITS {
        kv::draw(&mut random, keys, 1, &mut drawn);
        session.increment(&drawn)?;
        most = most.max(engine.db().statistics().versions_retained);
    }
    figures.add(name, "selvedge", VERSIONS, vec![most as f64]);
    Ok(())
}
