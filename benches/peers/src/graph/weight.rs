//! Resident memory of a loaded graph, each in a process of its own.

use std::hint::black_box;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use selvedge_benches::memory::resident_bytes;
use selvedge_benches::rmat::EdgeList;

use super::CONTENDERS;
use super::engine::Contender;
use crate::figures::{Figures, MIB};

/// Starts this program again for each engine, to [`weigh`] it.
pub fn measure(
    contenders: impl Iterator<Item = Contender>,
    scale: u32,
    figures: &mut Figures,
) -> Result<()> {
    for Contender { name, .. } in contenders {
        let output = Command::new(std::env::current_exe()?)
            .args(["--weigh", &format!("{name}:{scale}")])
            // What is freed goes back at once, or it would count.
            .env("MIMALLOC_PURGE_DELAY", "0")
            .output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "weighing {name}: {told}");
        let bytes: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
        figures.add("graph/rss", name, MIB, vec![bytes / f64::from(1 << 20)]);
    }
    Ok(())
}

/// Loads a graph into an engine, `name:scale`, and prints how many bytes the process holds
/// more of than before there was the engine.
pub fn weigh(what: &str) -> Result<()> {
    let (name, scale) = what.split_once(':').context("an engine and a scale")?;
    let contender = CONTENDERS.iter().find(|one| one.name == name).context("an engine")?;
    let mut list = EdgeList::rmat(scale.parse()?, 1);
    if !contender.multi {
        list = list.deduplicated();
    }
    let before = resident_bytes();
    let mut engine = (contender.make)(list.nodes)?;
    engine.load(&list)?;
    engine.settle()?;
    println!("{}", resident_bytes().saturating_sub(before));
    black_box(engine);
    Ok(())
}
