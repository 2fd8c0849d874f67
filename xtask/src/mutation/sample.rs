//! What faults there are, and which of them are drawn.

use std::collections::BTreeSet;
use std::ops::Range;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::groups::Group;

/// A fault that can be planted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mutant {
    /// File, line, column and change: unique.
    pub(crate) name: String,
    /// The file, relative to the root of the repository.
    pub(crate) file: String,
    pub(crate) group: Group,
}

/// Reads what `cargo mutants --list --json` prints; files outside the groups do
/// not count.
pub(crate) fn parse(json: &str) -> Result<Vec<Mutant>> {
    let listed: Vec<Value> = serde_json::from_str(json).context("no list of mutants")?;
    let mut mutants = Vec::new();
    let mut names = BTreeSet::new();
    for entry in &listed {
        let text = |key: &str| {
            let text = entry[key].as_str();
            text.map(str::to_owned).with_context(|| format!("a mutant without its {key}"))
        };
        let (name, file) = (text("name")?, text("file")?);
        // Some changes of one place come out the same.
        let is_new = names.insert(name.clone());
        if let Some(group) = Group::of(&file).filter(|_| is_new) {
            mutants.push(Mutant { name, file, group });
        }
    }
    Ok(mutants)
}

/// Draws those of the `places`. Each has a rank that follows from the seed and its
/// name, so that a change of one file moves no other file's faults in or out by
/// more than the room it leaves.
pub(crate) fn draw(mutants: &[Mutant], places: Range<usize>, seed: u64) -> Vec<Mutant> {
    let mut ranked: Vec<(u64, &Mutant)> =
        mutants.iter().map(|mutant| (rank(seed, &mutant.name), mutant)).collect();
    ranked.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    let mut drawn: Vec<Mutant> = ranked
        .into_iter()
        .take(places.end)
        .skip(places.start)
        .map(|(_, mutant)| mutant.clone())
        .collect();
    drawn.sort_by(|a, b| a.name.cmp(&b.name));
    drawn
}

/// FNV-1a over the name, then the finalizer of SplitMix64.
fn rank(seed: u64, name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut hash = name.bytes().fold(start, step);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutants(number: usize) -> Vec<Mutant> {
        let file = "crates/mvcc/src/record.rs".to_owned();
        let mutant =
            |i| Mutant { name: format!("{file}:{i}"), file: file.clone(), group: Group::Mvcc };
        (0..number).map(mutant).collect()
    }

    #[test]
    fn a_seed_draws_the_same_and_another_seed_others() {
        let all = mutants(1000);
        let drawn = draw(&all, 0..100, 1);
        assert_eq!(drawn.len(), 100);
        assert_eq!(drawn, draw(&all, 0..100, 1));
        let again = draw(&all, 0..100, 2);
        let shared = again.iter().filter(|mutant| drawn.contains(mutant)).count();
        assert!((1..30).contains(&shared), "{shared}");
        assert_eq!(draw(&all, 0..5000, 1).len(), 1000);
        let mut parts = draw(&all, 0..40, 1);
        parts.extend(draw(&all, 40..100, 1));
        parts.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(parts, drawn, "a sample in two runs");
    }

    #[test]
    fn a_mutant_that_goes_lets_one_other_in() {
        let all = mutants(1000);
        let drawn = draw(&all, 0..100, 1);
        let without: Vec<Mutant> = all.iter().filter(|m| **m != drawn[7]).cloned().collect();
        let shared = draw(&without, 0..100, 1).iter().filter(|m| drawn.contains(m)).count();
        assert_eq!(shared, 99);
    }

    #[test]
    fn only_files_of_the_groups_count() {
        let json = r#"[{"name":"a","file":"crates/mvcc/src/record.rs"},
                       {"name":"b","file":"crates/graph/src/path.rs"}]"#;
        let names: Vec<String> = parse(json).unwrap().into_iter().map(|m| m.name).collect();
        assert_eq!(names, ["a"]);
        assert!(parse("[{}]").is_err());
    }
}
