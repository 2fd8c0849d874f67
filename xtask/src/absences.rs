//! What a crate must not touch. Some invariants are absences: code that knows no
//! file, clock or thread can be driven by a simulator and a model checker, and a
//! model checker sees only the atomics and locks that come through its door.
//!
//! Paths are read from the tokens, `use` groups and macro bodies included.
//! Comments, strings and test code do not count.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::report::Violation;
use crate::rust_file::{RustFile, line};

/// Paths that a group of crates must not mention.
pub(crate) struct Absence {
    /// Folders below `crates/`.
    crates: &'static [&'static str],
    absent: &'static [&'static str],
    /// Paths below the absent ones that are harmless.
    allowed: &'static [&'static str],
    /// The files that exist to touch it.
    doors: &'static [&'static str],
    reason: &'static str,
    cure: &'static str,
}

/// Where atomics, locks and threads come from.
const DOORS: &[&str] = &[
    "crates/base/src/sync.rs",
    "crates/base/src/sync/modelled.rs",
    "crates/base/src/sync/ordered.rs",
    "crates/base/src/sync/thread.rs",
];

/// Every absence that is promised.
pub(crate) const ABSENCES: &[Absence] = &[
    Absence {
        crates: &["mvcc"],
        absent: &["std::fs", "std::thread", "std::time"],
        allowed: &[],
        doors: &[],
        reason: "the mvcc crate touches no file, thread or clock",
        cure: "let the engine do it and hand over the result",
    },
    Absence {
        crates: &["graph"],
        absent: &["std::fs", "std::thread"],
        allowed: &[],
        doors: &[],
        reason: "the graph crate touches no file or thread",
        cure: "let the engine do it and hand over the result",
    },
    Absence {
        crates: &["base", "mvcc", "index", "storage", "engine", "graph", "keyspace"],
        absent: &["std::sync", "parking_lot", "crossbeam_utils::atomic", "crossbeam_utils::sync"],
        // These neither order memory for others nor make anyone wait once set.
        allowed: &["std::sync::Arc", "std::sync::Weak", "std::sync::OnceLock"],
        doors: DOORS,
        reason: "the model checker cannot see atomics and locks that come from elsewhere",
        cure: "import it from selvedge_base::sync (in base: crate::sync)",
    },
    Absence {
        crates: &["base", "storage", "engine"],
        absent: &["std::thread"],
        allowed: &["std::thread::panicking"],
        doors: DOORS,
        reason: "the model checker cannot see threads that come from elsewhere",
        cure: "import it from selvedge_base::sync::thread (in base: crate::sync::thread)",
    },
];

/// A path that one file may mention all the same.
pub(crate) struct Permit {
    file: &'static str,
    path: &'static str,
    reason: &'static str,
}

/// Every permit. An entry goes when its mention goes.
pub(crate) const PERMITS: &[Permit] = &[
    Permit {
        file: "crates/mvcc/src/version.rs",
        path: "std::sync::atomic",
        reason: "the mark on freed versions is part of the model checker's instruments; if the \
                 checker saw it, it would order what the code itself leaves unordered",
    },
    Permit {
        file: "crates/mvcc/src/version.rs",
        path: "std::thread::panicking",
        reason: "the model checker's instruments keep quiet once a model has failed",
    },
    Permit {
        file: "crates/mvcc/src/reclaim.rs",
        path: "std::sync::Mutex",
        reason: "the model's collector guards its list with it; if the checker saw it, it would \
                 order what an epoch leaves unordered",
    },
    Permit {
        file: "crates/mvcc/src/reclaim.rs",
        path: "std::sync::MutexGuard",
        reason: "as the mutex it belongs to",
    },
];

/// Checks every file of a crate that promises an absence; also returns how many
/// there are.
pub(crate) fn check(
    files: &[RustFile<'_>],
    absences: &[Absence],
    permits: &[Permit],
) -> (usize, Vec<Violation>) {
    let concerned: Vec<_> = files
        .iter()
        .filter(|file| absences.iter().any(|absence| absence.concerns(file.path)))
        .collect();
    let mut used = vec![false; permits.len()];
    let mut violations = Vec::new();
    for file in &concerned {
        violations.extend(check_file(file, absences, permits, &mut used));
    }
    for (permit, _) in permits.iter().zip(used).filter(|(_, used)| !used) {
        let reason = format!("{} no longer needs its permit for {}", permit.file, permit.path);
        violations.push(Violation::new("xtask/src/absences.rs", 1, reason, "remove the permit"));
    }
    (concerned.len(), violations)
}

fn check_file(
    file: &RustFile<'_>,
    absences: &[Absence],
    permits: &[Permit],
    used: &mut [bool],
) -> Vec<Violation> {
    let concerned: Vec<_> = absences.iter().filter(|a| a.concerns(file.path)).collect();
    let mut violations = Vec::new();
    for mention in mentions(file.tokens.clone()) {
        let Some(absence) = concerned.iter().find(|absence| absence.forbids(&mention.path)) else {
            continue;
        };
        if file.is_test_line(mention.line) {
            continue;
        }
        let permits_it =
            |permit: &Permit| permit.file == file.path && is_below(&mention.path, permit.path);
        if let Some(index) = permits.iter().position(permits_it) {
            used[index] = true;
            continue;
        }
        let reason = format!("mentions {}: {}", mention.path.join("::"), absence.reason);
        violations.push(Violation::new(file.path, mention.line, reason, absence.cure));
    }
    violations
}

impl Permit {
    /// A line for the report.
    pub(crate) fn note(&self) -> String {
        format!("permit: {} may mention {}: {}", self.file, self.path, self.reason)
    }
}

impl Absence {
    fn concerns(&self, path: &str) -> bool {
        let in_crate = |name: &&str| path.starts_with(&format!("crates/{name}/src/"));
        self.crates.iter().any(in_crate) && !self.doors.contains(&path)
    }

    fn forbids(&self, mentioned: &[String]) -> bool {
        let is_one_of = |paths: &[&str]| paths.iter().any(|path| is_below(mentioned, path));
        is_one_of(self.absent) && !is_one_of(self.allowed)
    }
}

/// Whether the mentioned path is `top` or something in it.
fn is_below(mentioned: &[String], top: &str) -> bool {
    let mut names = mentioned.iter();
    top.split("::").all(|segment| names.next().is_some_and(|name| name == segment))
}

/// A path in the code.
#[derive(Debug, PartialEq, Eq)]
struct Mention {
    path: Vec<String>,
    line: usize,
}

fn mentions(tokens: TokenStream) -> Vec<Mention> {
    let mut found = Vec::new();
    collect(tokens, &[], &mut found);
    found
}

/// Collects the paths among `tokens`; inside the braces of a `use`, `prefix` is
/// what stands before them.
fn collect(tokens: TokenStream, prefix: &[String], found: &mut Vec<Mention>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        index += 1;
        match token {
            TokenTree::Ident(first) => {
                let mut path = prefix.to_vec();
                let at = line(first.span());
                path.push(canonical(&first.to_string(), prefix.is_empty()));
                index = extend(&tokens, index, &mut path, at, found);
                // `as name` gives another name to what was already noted.
                if is_word(tokens.get(index), "as") {
                    index += 2;
                }
            }
            // A star below a prefix: everything in it.
            TokenTree::Punct(punct) if punct.as_char() == '*' && !prefix.is_empty() => {
                found.push(Mention { path: prefix.to_vec(), line: line(punct.span()) });
            }
            TokenTree::Group(group) => collect(group.stream(), &[], found),
            _ => {}
        }
    }
}

/// Follows `::name` as far as it goes, notes the path, and returns the index
/// behind it.
fn extend(
    tokens: &[TokenTree],
    mut index: usize,
    path: &mut Vec<String>,
    at: usize,
    found: &mut Vec<Mention>,
) -> usize {
    while is_colon(tokens.get(index)) && is_colon(tokens.get(index + 1)) {
        match tokens.get(index + 2) {
            Some(TokenTree::Ident(name)) => path.push(name.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                collect(group.stream(), path, found);
                return index + 3;
            }
            _ => break,
        }
        index += 3;
    }
    // `use std::sync::{self}` imports the module itself.
    path.retain(|name| name != "self");
    found.push(Mention { path: path.clone(), line: at });
    index
}

/// `core` and `alloc` are `std` by another name.
fn canonical(name: &str, is_first: bool) -> String {
    let alias = is_first && (name == "core" || name == "alloc");
    if alias { "std".to_owned() } else { name.to_owned() }
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let file = RustFile::parse(path, text).unwrap();
        check(&[file], ABSENCES, &[]).1.iter().map(|violation| violation.line).collect()
    }

    const MVCC: &str = "crates/mvcc/src/record.rs";

    #[test]
    fn paths_are_found_in_every_shape() {
        assert_eq!(lines(MVCC, "use std::fs;"), [1]);
        assert_eq!(lines(MVCC, "use std::{fmt,\ntime::Duration};"), [2]);
        assert_eq!(lines(MVCC, "fn a() {\nstd::thread::spawn(f);\n}"), [2]);
        assert_eq!(lines(MVCC, "fn a(at: ::core::time::Duration) {}"), [1]);
        assert_eq!(lines(MVCC, "macro_rules! m { () => {\nstd::fs::read(p)\n} }"), [2]);
        assert_eq!(lines(MVCC, "use std::time as clock;"), [1]);
    }

    #[test]
    fn locks_come_through_the_one_door() {
        assert_eq!(lines(MVCC, "use std::sync::atomic::AtomicU64;"), [1]);
        assert_eq!(lines(MVCC, "use std::{sync::{Arc,\natomic::{\nAtomicU64}}};"), [3]);
        assert_eq!(lines(MVCC, "use std::sync::{self, Arc};"), [1]);
        assert_eq!(lines(MVCC, "use std::sync::*;\nuse std::{sync::{*}};"), [1, 2]);
        assert_eq!(lines(MVCC, "fn a() { let m = parking_lot::Mutex::new(1); }"), [1]);
        assert_eq!(lines("crates/keyspace/src/entry.rs", "use std::sync::Mutex;"), [1]);
        assert_eq!(lines("crates/graph/src/node.rs", "use std::thread;"), [1]);
        assert_eq!(lines("crates/engine/src/worker.rs", "use std::thread;"), [1]);
    }

    #[test]
    fn what_is_allowed_stays_allowed() {
        assert_eq!(lines(MVCC, "use std::sync::{Arc, Weak, OnceLock as Once};"), [0; 0]);
        assert_eq!(lines(MVCC, "use selvedge_base::sync::{Mutex, atomic::AtomicU64};"), [0; 0]);
        assert_eq!(
            lines(MVCC, "//! `std::fs`\n// std::fs\nfn a() -> &'static str { \"std::fs\" }"),
            [0; 0]
        );
        assert_eq!(lines(MVCC, "#[cfg(test)]\nmod tests {\nuse std::thread;\n}"), [0; 0]);
        assert_eq!(lines("crates/mvcc/tests/loom.rs", "use std::thread;"), [0; 0]);
        assert_eq!(lines("crates/base/src/sync.rs", "pub use std::sync::atomic;"), [0; 0]);
        assert_eq!(lines("crates/cli/src/main.rs", "use std::sync::Mutex;"), [0; 0]);
    }

    #[test]
    fn a_permit_covers_one_path_in_one_file_and_goes_with_it() {
        let permits = [Permit { file: MVCC, path: "std::time", reason: "units" }];
        let count = |path, text| {
            let file = RustFile::parse(path, text).unwrap();
            check(&[file], ABSENCES, &permits).1.len()
        };
        assert_eq!(count(MVCC, "use std::time::Duration;"), 0);
        assert_eq!(count(MVCC, "use std::{fs, time};"), 1);
        assert_eq!(count(MVCC, ""), 1, "not needed");
        assert_eq!(count("crates/mvcc/src/prune.rs", "use std::time;"), 2, "another file");
    }
}
