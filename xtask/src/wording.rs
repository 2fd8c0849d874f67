//! Words and names that do not belong in the repository.

use crate::report::Violation;
use crate::tree::{TextFile, Tree};

/// Folders of one machine, in pieces, so that this file does not hold them.
const MACHINE_FOLDERS: [&str; 3] =
    [concat!("/", "work"), concat!("/", "root"), concat!("/", "tmp/selvedge")];

/// Names that promise nothing about what is inside.
const EMPTY_NAMES: [&str; 7] =
    ["util", "utils", "common", "helper", "helpers", "manager", "managers"];

/// Where the packages of the lock file come from.
const PUBLIC_SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks every file's name and the words in it.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let names = tree.paths().filter_map(check_name);
    let texts = tree.texts().iter();
    names.chain(texts.flat_map(check_words)).collect()
}

fn check_name(path: &str) -> Option<Violation> {
    let stems = path.split('/').map(|part| part.split('.').next().unwrap_or_default());
    let is_empty = |stem: &str| {
        EMPTY_NAMES.contains(&stem)
            // `common_prefix` says what it is, `log_utils` does not.
            || stem.rsplit_once(['_', '-']).is_some_and(|(_, last)| EMPTY_NAMES.contains(&last))
    };
    let stem = stems.into_iter().find(|stem| is_empty(stem))?;
    let reason = format!("the name `{stem}` says nothing");
    Some(Violation::new(path, 1, reason, "name it after the noun it holds"))
}

fn check_words(file: &TextFile) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for folder in MACHINE_FOLDERS.iter().filter(|folder| names_folder(line, folder)) {
            let reason = format!("{folder} is a folder of one machine");
            let cure = "write a path relative to the repository, or ask the system for one";
            violations.push(Violation::new(&file.path, index + 1, reason, cure));
        }
        let source = line.trim().strip_prefix("source = ").filter(|_| is_lock(&file.path));
        if source.is_some_and(|source| source.trim_matches('"') != PUBLIC_SOURCE) {
            let cure = "lock it against crates.io, so that every clone can build it";
            let reason = "a package does not come from the public registry";
            violations.push(Violation::new(&file.path, index + 1, reason, cure));
        }
    }
    violations
}

fn is_lock(path: &str) -> bool {
    path == "Cargo.lock" || path.ends_with("/Cargo.lock")
}

/// Whether `folder` stands in the line as an absolute path, and not as the end or
/// the beginning of a longer name.
fn names_folder(line: &str, folder: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    line.match_indices(folder).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + folder.len()..].chars().next();
        // `name/work`, `./work`, `$HOME/work` and `{base}/work` are relative.
        let is_absolute = !before.is_some_and(|c| continues(c) || "./}>)".contains(c));
        is_absolute && !after.is_some_and(continues)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|violation| violation.reason).collect()
    }

    #[test]
    fn folders_of_a_machine_are_violations() {
        for folder in MACHINE_FOLDERS {
            let reason = format!("{folder} is a folder of one machine");
            for text in [format!("{folder}/main"), format!("run `{folder}`"), format!("a={folder}")]
            {
                assert_eq!(reasons("docs/x.md", &text), [reason.as_str()], "{text}");
            }
            let fine = format!("a{folder} .{folder} {folder}shop $HOME{folder} {{base}}{folder}");
            assert_eq!(reasons("docs/x.md", &fine), [""; 0]);
        }
    }

    #[test]
    fn packages_come_from_the_public_registry() {
        let public = format!("source = \"{PUBLIC_SOURCE}\"\n");
        assert_eq!(reasons("Cargo.lock", &public), [""; 0]);
        let mirror = "source = \"sparse+https://mirror.example/index/\"\n";
        assert_eq!(
            reasons("Cargo.lock", mirror),
            ["a package does not come from the public registry"]
        );
        assert_eq!(reasons("docs/x.md", mirror), [""; 0]);
    }

    #[test]
    fn names_say_what_is_inside() {
        for path in ["crates/x/src/utils.rs", "crates/x/tests/common/mod.rs", "a/log_manager.rs"] {
            assert_eq!(reasons(path, "").len(), 1, "{path}");
        }
        for path in ["crates/x/src/common_prefix.rs", "crates/x/src/log.rs", "docs/helpful.md"] {
            assert_eq!(reasons(path, ""), [""; 0]);
        }
    }
}
