//! Builds indexes over many nodes beside writers, and compares them with scans:
//! `online_build [--nodes N] [--writers N] [--seed S]`.

use std::process::ExitCode;

use selvedge_testkit::online_build::{Plan, run};

fn plan() -> Result<Plan, String> {
    let mut plan = Plan { nodes: 1_000_000, writers: 4, seed: 1 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let number = words.next().and_then(|number| number.parse().ok());
        let number = number.ok_or_else(|| format!("{word} takes a number"))?;
        match &*word {
            "--nodes" => plan.nodes = number,
            "--writers" => plan.writers = number,
            "--seed" => plan.seed = number,
            other => return Err(format!("there is no argument {other:?}")),
        }
    }
    if plan.nodes == 0 { Err("writers need a node to write".to_owned()) } else { Ok(plan) }
}

fn main() -> ExitCode {
    match plan().and_then(run) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}
