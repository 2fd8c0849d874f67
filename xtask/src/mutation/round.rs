//! Which tests run first, and what became of the faults.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::groups::Group;
use crate::mutation::sample::Mutant;

/// Tests that are built and run together. Faults that one round misses go into the
/// next that concerns them.
pub(crate) struct Round {
    /// Also the name of its folder.
    pub(crate) name: &'static str,
    /// Which faults begin here.
    pub(crate) concerns: fn(&Mutant) -> bool,
    packages: &'static [&'static str],
    tests: &'static [&'static str],
}

/// The profile of the builds: `Cargo.toml` says why.
const PROFILE: &str = "mutation";

/// Every round, in order: what touches no file, what does, the rest.
pub(crate) const ROUNDS: &[Round] = &[
    Round {
        name: "memory",
        concerns: |mutant| !touches_disk(mutant),
        packages: &["selvedge-mvcc", "selvedge-engine", "selvedge-graph", "selvedge"],
        tests: &[
            "engine",
            "durable",
            "scripts",
            "model",
            "adjacency",
            "retention",
            "regressions",
            "edge_types",
        ],
    },
    Round {
        name: "disk",
        concerns: touches_disk,
        packages: &["selvedge-storage", "selvedge-testkit"],
        tests: &["store", "log", "simulation"],
    },
    Round {
        name: "rest",
        concerns: |_| false,
        // Those of the engine and the graph again: what touches a disk comes from the
        // round before this, which has none of them.
        packages: &["selvedge-engine", "selvedge-graph", "selvedge"],
        tests: &[
            "engine",
            "durable",
            "bad_input",
            "compaction",
            "stress",
            "durability",
            "durability_regressions",
        ],
    },
];

/// Whether the fault is where only a database on disk comes by.
fn touches_disk(mutant: &Mutant) -> bool {
    let engine = ["journal", "lease", "succession"];
    mutant.group == Group::Recovery
        || mutant.file.starts_with("crates/storage/")
        || engine.iter().any(|file| mutant.file == format!("crates/engine/src/{file}.rs"))
}

impl Round {
    /// Runs its tests without any fault, or only builds them.
    pub(crate) fn baseline(&self, tree: &Path, only_build: bool) -> Command {
        let mut command = Command::new("cargo");
        command.args(["test", "--quiet", "--profile", PROFILE]).current_dir(tree);
        if only_build {
            command.arg("--no-run");
        }
        for package in self.packages {
            command.args(["--package", package]);
        }
        command.args(self.targets());
        self.environment(&mut command);
        command
    }

    /// Runs its tests against each of the faults.
    pub(crate) fn command(
        &self,
        tree: &Path,
        output: &Path,
        open: &[&Mutant],
        timeout: Duration,
    ) -> Command {
        let mut command = Command::new("cargo");
        command.args(["mutants", "--in-place", "--no-shuffle", "--profile", PROFILE]);
        // Of its own accord it runs other tests than these without a fault.
        command.args(["--baseline", "skip", "--build-timeout", "900"]);
        command.args(["--timeout", &timeout.as_secs().to_string()]);
        command.args(["--colors", "never"]);
        command.arg("--output").arg(output).current_dir(tree);
        for mutant in open {
            command.arg("--file").arg(&mutant.file);
            command.arg("--re").arg(format!("^{}$", escape(&mutant.name)));
        }
        for package in self.packages {
            command.args(["--test-package", package]);
        }
        // For the builds too: by itself it builds every test of the packages.
        command.args(self.targets().map(|target| format!("--cargo-arg={target}")));
        self.environment(&mut command);
        command
    }

    fn targets(&self) -> impl Iterator<Item = String> {
        let tests = self.tests.iter().map(|test| format!("--test={test}"));
        std::iter::once("--lib".to_owned()).chain(tests)
    }

    fn environment(&self, command: &mut Command) {
        // The model finds most in its first cases; these are the cheap ones.
        command.env("PROPTEST_CASES", "48").env("SELVEDGE_STRESS_SECONDS", "0.2");
    }
}

/// What became of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A test failed.
    Caught,
    /// The tests did not end, which counts as caught.
    Timeout,
    /// Every test of the round passed.
    Missed,
    /// It does not compile.
    Unviable,
}

/// Reads the outcomes of a round, by the names of the faults.
pub(crate) fn outcomes(json: &str) -> Result<BTreeMap<String, Outcome>> {
    let value: Value = serde_json::from_str(json).context("no outcomes")?;
    let mut outcomes = BTreeMap::new();
    for outcome in value["outcomes"].as_array().context("no outcomes")? {
        let Some(name) = outcome["scenario"]["Mutant"]["name"].as_str() else { continue };
        let summary = match outcome["summary"].as_str() {
            Some("CaughtMutant") => Outcome::Caught,
            Some("Timeout") if is_build(outcome) => bail!("{name}: the build did not end"),
            Some("Timeout") => Outcome::Timeout,
            Some("MissedMutant") => Outcome::Missed,
            Some("Unviable") => Outcome::Unviable,
            other => bail!("{name}: {other:?} is no outcome"),
        };
        outcomes.insert(name.to_owned(), summary);
    }
    Ok(outcomes)
}

/// Whether it got no further than its build.
fn is_build(outcome: &Value) -> bool {
    let last = outcome["phase_results"].as_array().and_then(|phases| phases.last());
    last.is_some_and(|phase| phase["phase"] == "Build")
}

/// A pattern for exactly this text.
fn escape(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() && !" _<>'/:".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read_and_what_is_new_is_an_error() {
        let of = |summary| {
            let json = format!(
                r#"{{"outcomes":[{{"scenario":"Baseline","summary":"Success"}},
                {{"scenario":{{"Mutant":{{"name":"a"}}}},"summary":"{summary}"}}]}}"#
            );
            outcomes(&json).map(|outcomes| outcomes["a"])
        };
        assert_eq!(of("MissedMutant").unwrap(), Outcome::Missed);
        assert_eq!(of("Timeout").unwrap(), Outcome::Timeout);
        assert!(of("Skipped").is_err());
        assert!(of(r#"Timeout","phase_results":[{"phase":"Build"}],"x":""#).is_err());
        assert!(outcomes("{}").is_err());
    }

    #[test]
    fn patterns_mean_the_text_itself() {
        assert_eq!(escape("a.rs:1:2: replace + with *"), r"a\.rs:1:2: replace \+ with \*");
        assert_eq!(escape("<impl A for B<'_>>::c -> ()"), r"<impl A for B<'_>>::c \-> \(\)");
    }

    #[test]
    fn every_fault_begins_in_exactly_one_round() {
        for file in ["mvcc/src/record", "engine/src/lease", "storage/src/log", "graph/src/load"] {
            let file = format!("crates/{file}.rs");
            let group = Group::of(&file).unwrap();
            let mutant = Mutant { name: file.clone(), file, group };
            assert_eq!(ROUNDS.iter().filter(|round| (round.concerns)(&mutant)).count(), 1);
        }
    }
}
