//! Planted faults are told of: each that the code can switch on stands in a table of
//! `docs/TESTING.md`, with who catches it.

use std::collections::BTreeSet;

use crate::report::Violation;
use crate::tree::Tree;

const DOCUMENT: &str = "docs/TESTING.md";
/// How a fault is planted, by its name.
const PLANTED: &str = concat!("mutant", "::is(\"");

/// Checks the sources of all crates; also returns how many faults they plant.
pub(crate) fn check(tree: &Tree) -> (usize, Vec<Violation>) {
    let told: BTreeSet<&str> = tree.text(DOCUMENT).into_iter().flat_map(names_in_rows).collect();
    let (mut planted, mut violations) = (BTreeSet::new(), Vec::new());
    for file in tree.texts().iter().filter(|file| file.path.ends_with(".rs")) {
        for (index, line) in file.text.lines().enumerate() {
            for name in line.split(PLANTED).skip(1).filter_map(|rest| rest.split('"').next()) {
                if planted.insert(name) && !told.contains(name) {
                    let reason = format!("nothing tells of the fault `{name}`");
                    let cure = "add it to the table of planted faults in docs/TESTING.md";
                    violations.push(Violation::new(&file.path, index + 1, reason, cure));
                }
            }
        }
    }
    (planted.len(), violations)
}

/// What stands between backticks in the first column of tables.
fn names_in_rows(text: &str) -> impl Iterator<Item = &str> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    rows.flat_map(|cell| cell.split('`').step_by(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_nothing_tells_of_is_found() {
        let text = "| fault | leaves out |\n|---|---|\n| `one`, `two` | `three` |\n";
        let source = ["one", "two", "three", "one"].map(|name| format!("{PLANTED}{name}\")\n"));
        let source = source.concat();
        let tree = Tree::of(&[(DOCUMENT, text), ("crates/x/src/lib.rs", &source)]);
        let (count, violations) = check(&tree);
        assert_eq!((count, violations.len()), (3, 1));
        let tree = Tree::of(&[("crates/x/src/lib.rs", &*source)]);
        assert_eq!(check(&tree).1.len(), 3, "without the document");
    }
}
