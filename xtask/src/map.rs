//! The map in `docs/ARCHITECTURE.md`, held against the tree both ways: a map of
//! what is gone is worse than none.
//!
//! The map stands in fenced blocks. A line that starts with `crates/NAME` opens a
//! crate; below it, a deeper line whose first word ends in `.rs` names a file of
//! that crate's `src`. Every other line is prose.

use std::collections::BTreeMap;

use crate::report::Violation;
use crate::tree::Tree;

/// The file that holds the map.
pub(crate) const FILE: &str = "docs/ARCHITECTURE.md";

/// What the map names, with the line that names it.
type Names = BTreeMap<String, usize>;

/// Holds the map against the tree; also returns how many names it has.
pub(crate) fn check(tree: &Tree) -> (usize, Vec<Violation>) {
    let Some(text) = tree.text(FILE) else {
        let cure = "write it, with a map of the crates and their files";
        return (0, vec![Violation::new(FILE, 1, "there is no map of the tree", cure)]);
    };
    let mapped = parse(text);
    let wanted = tree.paths().filter_map(wanted_name);
    let mut violations = Vec::new();
    for name in wanted {
        if !mapped.contains_key(&name) {
            let reason = format!("the map does not name {name}");
            violations.push(Violation::new(FILE, 1, reason, "add it, and say what it is for"));
        }
    }
    for (name, line) in &mapped {
        if !tree.contains(name) {
            let reason = format!("the map names {name}, which does not exist");
            violations.push(Violation::new(FILE, *line, reason, "remove it, or correct the name"));
        }
    }
    (mapped.len(), violations)
}

/// What the map has to name for a file of the tree to be on it: a crate's folder
/// for its manifest, a source file for itself. Sources below a second folder are
/// their parent's business.
fn wanted_name(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["crates", name, "Cargo.toml"] => Some(format!("crates/{name}")),
        ["crates", _, "src", file] | ["crates", _, "src", _, file] if file.ends_with(".rs") => {
            Some(path.to_owned())
        }
        _ => None,
    }
}

fn parse(text: &str) -> Names {
    let mut names = Names::new();
    let mut in_fence = false;
    // The crate that is open, and how deep its line is indented.
    let mut open: Option<(String, usize)> = None;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
            open = None;
        }
        let entry = line.trim_start_matches(|c: char| c.is_whitespace() || "├└│─".contains(c));
        let depth = line.chars().count() - entry.chars().count();
        let Some(word) = entry.split_whitespace().next().filter(|_| in_fence) else { continue };
        let word = word.trim_matches('`').trim_end_matches(['/', ',', ':']);
        if word.starts_with("crates/") {
            names.entry(word.to_owned()).or_insert(index + 1);
            open = Some((word.to_owned(), depth));
        } else if let Some((folder, folder_depth)) = &open {
            if depth <= *folder_depth {
                open = None;
            } else if word.ends_with(".rs") {
                names.entry(format!("{folder}/src/{word}")).or_insert(index + 1);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "# Map\ncrates/prose is no entry\n```text\ncrates/mvcc [2]  versions\n  \
                       lib.rs  the story\n  record.rs  a slot\n    more about record.rs\n\n  \
                       chain/walk.rs  walking\nxtask/  checks\n  main.rs  not of a crate\n\
                       crates/base [0]  ids\n  lib.rs\n```\n";

    const FILES: &[(&str, &str)] = &[
        (FILE, MAP),
        ("crates/mvcc/Cargo.toml", ""),
        ("crates/mvcc/src/lib.rs", ""),
        ("crates/mvcc/src/record.rs", ""),
        ("crates/mvcc/src/chain/walk.rs", ""),
        ("crates/mvcc/tests/loom.rs", ""),
        ("crates/base/Cargo.toml", ""),
        ("crates/base/src/lib.rs", ""),
    ];

    fn reasons(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).1.into_iter().map(|violation| violation.reason).collect()
    }

    #[test]
    fn a_map_that_matches_is_clean() {
        assert_eq!(check(&Tree::of(FILES)), (6, vec![]));
    }

    #[test]
    fn what_the_map_leaves_out_is_a_violation() {
        let more = [
            ("crates/mvcc/src/prune.rs", ""),
            ("crates/mvcc/src/chain/cut.rs", ""),
            ("crates/graph/Cargo.toml", ""),
        ];
        let expected = [
            "the map does not name crates/graph",
            "the map does not name crates/mvcc/src/chain/cut.rs",
            "the map does not name crates/mvcc/src/prune.rs",
        ];
        assert_eq!(reasons(&[FILES, &more].concat()), expected);
    }

    #[test]
    fn what_is_gone_is_a_violation() {
        let without: Vec<_> =
            FILES.iter().copied().filter(|(path, _)| !path.ends_with("record.rs")).collect();
        let (_, violations) = check(&Tree::of(&without));
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].line, 6);
        assert!(violations[0].reason.contains("crates/mvcc/src/record.rs"));
    }

    #[test]
    fn a_missing_map_is_a_violation() {
        assert_eq!(reasons(&[]), ["there is no map of the tree"]);
    }
}
