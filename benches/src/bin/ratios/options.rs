//! The words on the command line.

use selvedge_benches::compare::{Plan, Sides};

use crate::weights::Weight;

/// What to run, and how large.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) plan: Plan,
    /// Keys of the key-value workloads.
    pub(crate) keys: u64,
    /// Operations in a round of the cheapest workloads; dearer ones do less.
    pub(crate) times: u64,
    /// Scale of the graph.
    pub(crate) scale: u32,
    /// Loads this, prints the resident memory, and ends.
    pub(crate) weigh: Option<Weight>,
}

impl Options {
    pub(crate) fn parse(words: &mut impl Iterator<Item = String>) -> Result<Self, String> {
        let plan = Plan { rounds: 7, only: None, sides: Sides::Both };
        let mut options = Self { plan, keys: 1_000_000, times: 1_000_000, scale: 18, weigh: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            match word.as_str() {
                "--quick" => {
                    options.plan.rounds = 3;
                    (options.times, options.scale) = (200_000, 16);
                }
                "--ours" => options.plan.sides = Sides::Ours,
                "--only" => options.plan.only = Some(value()?),
                "--rounds" => options.plan.rounds = number(&value()?)?.max(1),
                "--keys" => options.keys = number(&value()?)?.max(1_000),
                "--times" => options.times = number(&value()?)?.max(1_000),
                "--scale" => options.scale = number(&value()?)?.clamp(8, 24) as u32,
                "--weigh" => {
                    let name = value()?;
                    options.weigh = Some(Weight::named(&name).ok_or(format!("no weight {name}"))?);
                }
                other => return Err(format!("no option {other}; see the head of main.rs")),
            }
        }
        Ok(options)
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|error| format!("{word}: {error}"))
}
