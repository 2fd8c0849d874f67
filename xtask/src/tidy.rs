//! What a reader counts on: short files and functions, a map that is true, links
//! that lead somewhere, no unfinished work, one lint table for all crates.

use std::path::Path;

use anyhow::Result;

use crate::report::{Report, Violation};
use crate::rust_file;
use crate::tree::Tree;
use crate::{exceptions, faults, links, map, markers, sizes, wording};

/// Checks the files below `root`.
pub(crate) fn run(root: &Path) -> Result<Report> {
    Ok(check(&Tree::read(root)?))
}

fn check(tree: &Tree) -> Report {
    let mut report = Report::new("tidy");
    report.count(tree.paths().count(), "files");

    let (files, unparsable) = rust_file::parse_all(tree);
    report.add(unparsable);
    report.add(files.iter().flat_map(markers::check));
    let measures: Vec<_> = files.iter().flat_map(sizes::measure).collect();
    report.count(files.len(), "sources");
    report.count(measures.len() - files.len(), "functions");
    report.add(exceptions::check(&measures, tree.text(exceptions::FILE).unwrap_or_default()));

    let (names, violations) = map::check(tree);
    report.count(names, "names on the map");
    report.add(violations);
    let (links, violations) = links::check(tree);
    report.count(links, "links");
    report.add(violations);
    let (faults, violations) = faults::check(tree);
    report.count(faults, "planted faults");
    report.add(violations);
    report.add(wording::check(tree));
    report.add(tree.texts().iter().filter_map(|file| check_lint_table(&file.path, &file.text)));
    report
}

/// A crate that does not take the workspace's lints is free of all of them.
fn check_lint_table(path: &str, text: &str) -> Option<Violation> {
    let is_crate = path.ends_with("Cargo.toml") && text.contains("[package]");
    let takes_lints = text.split("[lints]").skip(1).any(|table| {
        let table = table.split("\n[").next().unwrap_or_default();
        table.lines().any(|line| line.replace(' ', "") == "workspace=true")
    });
    // The fuzz targets, and the benchmarks beside peers, are workspaces of their own.
    let is_apart = ["fuzz/", "benches/peers/", "benches/kv-connect/"]
        .iter()
        .any(|apart| path.starts_with(apart));
    (is_crate && !takes_lints && !is_apart).then(|| {
        let cure = "add [lints] with workspace = true";
        Violation::new(path, 1, "the crate escapes the lints of the workspace", cure)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &[(&str, &str)] = &[
        ("docs/ARCHITECTURE.md", "```\ncrates/x\n  lib.rs\n```\n"),
        ("crates/x/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n"),
        ("crates/x/src/lib.rs", "//! Purpose.\n"),
    ];

    #[test]
    fn a_tidy_tree_is_clean() {
        assert_eq!(check(&Tree::of(CLEAN)).violations_count(), 0);
    }

    /// One broken rule of each part: every part is asked.
    #[test]
    fn every_part_is_asked() {
        let broken = [
            ("parse", "crates/x/tests/a.rs", "//! Purpose.\nfn f( {"),
            ("markers", "crates/x/tests/b.rs", "fn f() {}"),
            ("exceptions", exceptions::FILE, "gone.rs 900 reason\n"),
            ("map", "crates/x/src/new.rs", "//! Purpose.\n"),
            ("links", "README.md", "[a](gone.md)"),
            ("faults", "crates/x/tests/c.rs", concat!("//! Purpose.\n// mutant", "::is(\"f\")\n")),
            ("wording", "crates/x/tests/utils.rs", "//! Purpose.\n"),
            ("lints", "benches/Cargo.toml", "[package]\n"),
        ];
        for (part, path, text) in broken {
            let tree = Tree::of(&[CLEAN, &[(path, text)]].concat());
            assert_eq!(check(&tree).violations_count(), 1, "{part}");
        }
        let long = "//! Purpose.\n".repeat(1001);
        let tree = Tree::of(&[CLEAN, &[("crates/x/tests/long.rs", &*long)]].concat());
        assert_eq!(check(&tree).violations_count(), 1, "sizes");
    }

    #[test]
    fn a_crate_takes_the_lints_of_the_workspace() {
        let escapes = |text| check_lint_table("crates/x/Cargo.toml", text).is_some();
        assert!(escapes("[package]\nname = \"x\"\n"));
        assert!(escapes("[package]\n[lints]\n\n[dependencies]\nworkspace = true\n"));
        assert!(!escapes("[package]\n[lints]\nworkspace = true\n"));
        assert!(!escapes("[workspace]\nmembers = []\n"));
    }
}
