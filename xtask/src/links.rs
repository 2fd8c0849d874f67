//! Links from the documents to files of the repository lead somewhere.
//!
//! Read are `[text](target)` and `[name]: target` outside of code. Targets on the
//! web and within the same page are not looked at.

use crate::report::Violation;
use crate::tree::{TextFile, Tree};

/// Checks the README, the other documents at the root, and `docs`; also returns
/// how many links lead to files.
pub(crate) fn check(tree: &Tree) -> (usize, Vec<Violation>) {
    let (mut count, mut violations) = (0, Vec::new());
    for document in tree.texts().iter().filter(|file| is_document(&file.path)) {
        for (line, target) in links(document) {
            let Some(path) = local_path(&document.path, &target) else { continue };
            count += 1;
            if !path.is_some_and(|path| tree.contains(&path)) {
                let reason = format!("the link to {target} leads nowhere");
                violations.push(Violation::new(&document.path, line, reason, "correct the link"));
            }
        }
    }
    (count, violations)
}

fn is_document(path: &str) -> bool {
    path.ends_with(".md") && (!path.contains('/') || path.starts_with("docs/"))
}

/// The targets of a document's links, with their lines.
fn links(document: &TextFile) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_fence = false;
    for (index, line) in document.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if !in_fence {
            let line = without_code(line);
            found.extend(targets(&line).into_iter().map(|target| (index + 1, target)));
        }
    }
    found
}

/// The line without what stands between backticks; link texts keep their place.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

fn targets(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some((name, target)) = line.trim().split_once("]: ")
        && name.starts_with('[')
    {
        found.extend(target.split_whitespace().next().map(str::to_owned));
    }
    for (start, opening) in line.match_indices("](") {
        let rest = &line[start + opening.len()..];
        let Some(end) = rest.find(')') else { continue };
        // A title may follow the target.
        found.extend(rest[..end].split_whitespace().next().map(str::to_owned));
    }
    found
}

/// The file that a target means: `None` if it is no file of ours, `Some(None)` if
/// it lies outside of the repository.
#[expect(clippy::option_option, reason = "not ours and nowhere are two answers")]
fn local_path(document: &str, target: &str) -> Option<Option<String>> {
    let target = target.trim_start_matches('<').trim_end_matches('>');
    let path = target.split('#').next().unwrap_or_default();
    if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => return Some(None),
            ".." => {}
            name => parts.push(name),
        }
    }
    Some(Some(parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let tree = Tree::of(&[(path, text), ("docs/design/log.md", ""), ("LICENSE-MIT", "")]);
        check(&tree).1.into_iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn links_to_files_lead_somewhere() {
        let fine = "[a](docs/design/log.md#part) [b](docs/) [c](LICENSE-MIT \"title\")\n\
                    [d]: docs/design/log.md\n[e](https://example.org/x) [f](#part)\n";
        assert_eq!(lines("README.md", fine), [0; 0]);
        assert_eq!(lines("docs/design/x.md", "[a](log.md) [b](../../LICENSE-MIT)\n"), [0; 0]);
        assert_eq!(lines("README.md", "\n[a](docs/design/gone.md)\n[d]: gone.md\n"), [2, 3]);
        assert_eq!(lines("docs/x.md", "[`a`](log.md)\n"), [1]);
        assert_eq!(lines("docs/x.md", "[a](../../outside.md)\n"), [1]);
    }

    #[test]
    fn code_holds_no_links() {
        assert_eq!(lines("README.md", "```\n[a](gone.md)\n```\n`[a](gone.md)`\n"), [0; 0]);
    }

    #[test]
    fn only_documents_are_read() {
        assert_eq!(lines("crates/x/notes.md", "[a](gone.md)\n"), [0; 0]);
    }
}
