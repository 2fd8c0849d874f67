//! Measurements that need a process of their own: this program, run again.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::graph;
use crate::own::{long_reader, weights};

/// Runs one and gives what it found.
pub fn run(what: &str, size: u64, seconds: u64) -> Result<BTreeMap<String, f64>> {
    let program = std::env::current_exe()?;
    let output = Command::new(program)
        .args(["--apart", what, "--size", &size.to_string(), "--seconds", &seconds.to_string()])
        // What is freed goes back at once, or it would hide what comes next.
        .env("MIMALLOC_PURGE_DELAY", "0")
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{what}: {}", output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("what {what} told"))
}

/// Is the process that was run.
pub fn answer(what: &str, size: u64, seconds: u64) -> Result<()> {
    let found = if what == long_reader::NAME {
        long_reader::alone(size, seconds)?
    } else if let Some(found) = weights::alone(what, size)? {
        found
    } else if let Some(found) = graph::alone(what, size)? {
        found
    } else {
        bail!("nothing is called {what}");
    };
    println!("{}", serde_json::to_string(&found)?);
    Ok(())
}
