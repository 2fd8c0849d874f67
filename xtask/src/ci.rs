//! Every check, one after the other, and what came of each.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::report::Report;
use crate::{deps, layers, tidy};

type Check = fn(&Path) -> Result<Report>;

const CHECKS: &[(&str, Check)] =
    &[("layers", layers::run), ("tidy", tidy::run), ("deps", deps::run)];

/// Runs them all, also behind one that fails; true if nothing is wrong.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let mut summary = Vec::new();
    let mut clean = true;
    for (name, check) in CHECKS {
        let start = Instant::now();
        let mut report = check(root)?;
        let passed = report.print();
        clean &= passed;
        let outcome = match report.violations_count() {
            0 => "ok".to_owned(),
            many => format!("FAILED, violations: {many}"),
        };
        summary.push(format!("{name:<7} {:>6.2} s  {outcome}", start.elapsed().as_secs_f64()));
        println!();
    }
    println!("{}", summary.join("\n"));
    Ok(clean)
}
