//! How many foreign crates come along with the public crate: each is code that
//! its users compile, trust and audit.
//!
//! Asked is `cargo tree`, for this one crate. The metadata of the workspace would
//! not do: its features are those of all members together, so that what a tool
//! or a test switches on would count for those who embed the database.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::report::{Report, Violation};

const PUBLIC: &str = "selvedge";
const MANIFEST: &str = "crates/selvedge/Cargo.toml";
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The card of the project allows this many.
const FOREIGN_CRATES_MAX: usize = 30;

/// Foreign crates, `name version`, and through which crates one of them came.
type Foreign = BTreeMap<(String, String), String>;

/// Checks the public crate of the workspace below `root`.
pub(crate) fn run(root: &Path) -> Result<Report> {
    let foreign = parse(&cargo_tree(root)?)?;
    let mut report = Report::new("deps");
    report.count(
        foreign.len(),
        &format!("foreign crates behind {PUBLIC} ({FOREIGN_CRATES_MAX} are allowed)"),
    );
    for ((name, version), through) in &foreign {
        report.note(format!("{name} {version} ({through})"));
    }
    report.add(check(&foreign));
    Ok(report)
}

fn cargo_tree(root: &Path) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--package", PUBLIC, "--edges", "normal", "--target", TARGET])
        .args(["--prefix", "depth", "--format", "{p}"])
        .current_dir(root)
        .output()
        .context("cannot run cargo tree")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// Reads lines such as `2smallvec v1.15.1`, the depth first.
fn parse(tree: &str) -> Result<Foreign> {
    let mut foreign = Foreign::new();
    let mut above: Vec<String> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let digits = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
        let (depth, package) = line.split_at(digits);
        let depth: usize = depth.parse().with_context(|| format!("no depth in `{line}`"))?;
        let mut words = package.split_whitespace();
        let name = words.next().with_context(|| format!("no name in `{line}`"))?.to_owned();
        let version = words.next().with_context(|| format!("no version in `{line}`"))?;
        above.truncate(depth);
        // A crate of the workspace is shown with its folder.
        if !words.any(|word| word.starts_with("(/")) {
            let through = format!("through {}", above.join(" > "));
            let version = version.trim_start_matches('v').to_owned();
            foreign.entry((name.clone(), version)).or_insert(through);
        }
        above.push(name);
    }
    Ok(foreign)
}

fn check(foreign: &Foreign) -> Vec<Violation> {
    let mut violations = Vec::new();
    if foreign.len() > FOREIGN_CRATES_MAX {
        let number = foreign.len();
        let reason = format!("{PUBLIC} brings {number} crates, {FOREIGN_CRATES_MAX} are allowed");
        let cure = "drop one, or put it behind a feature that is off by default";
        violations.push(Violation::new(MANIFEST, 1, reason, cure));
    }
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for ((name, version), through) in foreign {
        versions.entry(name).or_default().push(format!("{version} ({through})"));
    }
    // Cargo never selects two versions that are compatible with each other.
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        let reason = format!("{name} comes in several versions: {}", versions.join(", "));
        let cure = "choose versions of the crates in between that agree";
        violations.push(Violation::new(MANIFEST, 1, reason, cure));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0selvedge v0.0.1 (/clone/crates/selvedge)\n\
                        1selvedge-base v0.0.1 (/clone/crates/base)\n2parking_lot v0.12.5\n\
                        3smallvec v1.15.1\n1smallvec v1.15.1\n1thiserror v2.0.17\n\
                        2thiserror-impl v2.0.17 (proc-macro)\n3syn v2.0.1 (*)\n";

    fn reasons(tree: &str) -> Vec<String> {
        let foreign = parse(tree).unwrap();
        check(&foreign).into_iter().map(|violation| violation.reason).collect()
    }

    #[test]
    fn foreign_crates_are_counted_once() {
        let foreign = parse(TREE).unwrap();
        let names: Vec<&str> = foreign.keys().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["parking_lot", "smallvec", "syn", "thiserror", "thiserror-impl"]);
        let through = &foreign[&("parking_lot".to_owned(), "0.12.5".to_owned())];
        assert_eq!(through, "through selvedge > selvedge-base");
        assert_eq!(reasons(TREE), [""; 0]);
    }

    #[test]
    fn too_many_are_a_violation() {
        let many = |number| (0..number).map(|i| format!("1crate{i} v1.0.0\n")).collect::<String>();
        assert_eq!(reasons(&many(30)), [""; 0]);
        assert_eq!(reasons(&many(31)), ["selvedge brings 31 crates, 30 are allowed"]);
    }

    #[test]
    fn two_versions_of_one_crate_are_a_violation() {
        let twice = "0selvedge v0.0.1 (/clone)\n1syn v2.0.1\n1derive v1.0.0\n2syn v3.0.9\n";
        assert_eq!(
            reasons(twice),
            ["syn comes in several versions: 2.0.1 (through selvedge), \
                                     3.0.9 (through selvedge > derive)"]
        );
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(parse("selvedge v0.0.1\n").is_err());
        assert!(parse("1selvedge\n").is_err());
    }
}
