//! Which crate may depend on which.
//!
//! Crates are layers: a crate depends on crates of lower layers only. Two laws
//! are checked beside that. *One surface*: servers, command line, test kit and
//! benchmarks reach the engine through the public crate alone, so that an
//! operation is written once. *Tools stay outside*: what ships does not depend
//! on what tests it.

use std::fmt;
use std::path::Path;

use anyhow::Result;

use crate::absences::{self, ABSENCES, PERMITS, Permit};
use crate::report::{Report, Violation};
use crate::rust_file;
use crate::tree::Tree;
use crate::workspace::{self, Dependency, Kind, Member};

/// Where a crate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Layer(u8),
    /// Serves the development; only dev-dependencies may name it.
    Tool,
}

const PLACES: &[(&str, Place)] = &[
    ("selvedge-base", Place::Layer(0)),
    ("selvedge-derive", Place::Layer(0)),
    ("selvedge-encoding", Place::Layer(1)),
    ("selvedge-env", Place::Layer(1)),
    ("selvedge-mvcc", Place::Layer(2)),
    ("selvedge-index", Place::Layer(2)),
    ("selvedge-schema", Place::Layer(2)),
    ("selvedge-storage", Place::Layer(2)),
    ("selvedge-engine", Place::Layer(3)),
    ("selvedge-graph", Place::Layer(4)),
    ("selvedge-keyspace", Place::Layer(4)),
    (PUBLIC, PUBLIC_PLACE),
    ("selvedge-session", Place::Layer(6)),
    ("selvedge-resp", Place::Layer(7)),
    ("selvedge-kv-connect", Place::Layer(7)),
    ("selvedge-cli", Place::Layer(8)),
    ("selvedge-testkit", Place::Tool),
    ("selvedge-benches", Place::Tool),
    ("xtask", Place::Tool),
];

/// The public crate.
const PUBLIC: &str = "selvedge";
const PUBLIC_LAYER: u8 = 5;
const PUBLIC_PLACE: Place = Place::Layer(PUBLIC_LAYER);

/// An edge that breaks the one surface, and why it may.
struct Exception {
    from: &'static str,
    to: &'static str,
    reason: &'static str,
}

/// Every exception from the one surface. An entry goes when its edge goes.
const EXCEPTIONS: &[Exception] = &[];

/// Checks the workspace below `root`.
pub(crate) fn run(root: &Path) -> Result<Report> {
    let members = workspace::members(root)?;
    let tree = Tree::read(root)?;
    let mut report = Report::new("layers");
    let edges = members.iter().map(|member| member.dependencies.len()).sum();
    report.count(members.len(), "crates");
    report.count(edges, "dependencies between them");
    report.add(check_members(&members, EXCEPTIONS));
    for exception in EXCEPTIONS {
        let Exception { from, to, reason } = exception;
        report.note(format!("exception: {from} depends on {to}: {reason}"));
    }
    let (files, violations) = check_sources(&tree, PERMITS);
    report.count(files, "sources for what they must not touch");
    for permit in PERMITS {
        report.note(permit.note());
    }
    report.add(violations);
    Ok(report)
}

fn check_members(members: &[Member], exceptions: &[Exception]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for member in members {
        let Some(place) = place_of(&member.name) else {
            let reason = format!("the crate {} has no layer", member.name);
            let cure = "give it one in xtask/src/layers.rs, with a note in docs/decisions";
            violations.push(Violation::new(&member.manifest, 1, reason, cure));
            continue;
        };
        for dependency in &member.dependencies {
            violations.extend(check_dependency(member, place, dependency, exceptions));
        }
    }
    for exception in exceptions {
        let is_used = |member: &Member| {
            member.name == exception.from
                && member.dependencies.iter().any(|dependency| dependency.name == exception.to)
        };
        if !members.iter().any(is_used) {
            let Exception { from, to, .. } = exception;
            let reason = format!("the exception {from} -> {to} is no longer needed");
            violations.push(Violation::new("xtask/src/layers.rs", 1, reason, "remove it"));
        }
    }
    violations
}

fn check_dependency(
    member: &Member,
    from: Place,
    dependency: &Dependency,
    exceptions: &[Exception],
) -> Option<Violation> {
    // A crate without a layer is reported once, at its own manifest.
    let to = place_of(&dependency.name)?;
    let excepted = exceptions.iter().any(|e| e.from == member.name && e.to == dependency.name);
    let is_dev = dependency.kind == Kind::Dev;
    let (reason, cure) = match (from, to) {
        (_, Place::Tool) if is_dev => return None,
        (_, Place::Tool) => ("which is a tool", "make it a dev-dependency".to_owned()),
        _ if passes_the_surface(&member.name, from, &dependency.name, to) && !excepted => {
            let cure = format!("use the crate {PUBLIC}; if it lacks something, add it there");
            ("past the one surface", cure)
        }
        (Place::Layer(high), Place::Layer(low)) if low >= high && !is_dev => {
            ("which is not on a lower layer", format!("it may use layers below {high} only"))
        }
        _ => return None,
    };
    let reason =
        format!("{} {} depends on {} {}, {reason}", member.name, from, dependency.name, to);
    Some(Violation::new(&member.manifest, dependency.line, reason, cure))
}

/// Whether the edge reaches around the public crate. What stands above it may
/// build on its own kind; a tool uses nothing but the public crate.
fn passes_the_surface(from_name: &str, from: Place, to_name: &str, to: Place) -> bool {
    match (from, to) {
        (Place::Layer(high), Place::Layer(low)) => high > PUBLIC_LAYER && low < PUBLIC_LAYER,
        (Place::Tool, _) => to_name != PUBLIC && from_name != to_name,
        (Place::Layer(_), Place::Tool) => false,
    }
}

fn place_of(name: &str) -> Option<Place> {
    PLACES.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, place)| *place)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layer(layer) => write!(f, "[{layer}]"),
            Self::Tool => write!(f, "[tool]"),
        }
    }
}

/// Checks what crates promise not to touch; also returns how many files make
/// such a promise.
fn check_sources(tree: &Tree, permits: &[Permit]) -> (usize, Vec<Violation>) {
    let (files, mut violations) = rust_file::parse_all(tree);
    let (count, found) = absences::check(&files, ABSENCES, permits);
    violations.extend(found);
    (count, violations)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, dependencies: &[(&str, Kind)]) -> Member {
        let dependency = |(name, kind): &(&str, Kind)| Dependency {
            name: (*name).to_owned(),
            kind: *kind,
            line: 7,
        };
        Member {
            name: name.to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    fn reasons(from: &str, to: &str, kind: Kind) -> Vec<String> {
        let violations = check_members(&[member(from, &[(to, kind)])], &[]);
        violations.into_iter().map(|violation| violation.reason).collect()
    }

    #[test]
    fn a_crate_uses_lower_layers_only() {
        let up = "selvedge-mvcc [2] depends on selvedge-engine [3], which is not on a lower layer";
        assert_eq!(reasons("selvedge-mvcc", "selvedge-engine", Kind::Normal), [up]);
        assert_eq!(reasons("selvedge-mvcc", "selvedge-engine", Kind::Build).len(), 1);
        assert_eq!(reasons("selvedge-mvcc", "selvedge-index", Kind::Normal).len(), 1);
        assert_eq!(reasons("selvedge-engine", "selvedge-mvcc", Kind::Normal).len(), 0);
        assert_eq!(reasons("selvedge-mvcc", "selvedge", Kind::Dev).len(), 0);
    }

    #[test]
    fn nothing_reaches_around_the_public_crate() {
        let past = "selvedge-resp [7] depends on selvedge-engine [3], past the one surface";
        assert_eq!(reasons("selvedge-resp", "selvedge-engine", Kind::Normal), [past]);
        for above in ["selvedge-session", "selvedge-cli", "selvedge-testkit", "selvedge-benches"] {
            assert_eq!(reasons(above, "selvedge-base", Kind::Normal).len(), 1, "{above}");
            assert_eq!(reasons(above, "selvedge-base", Kind::Dev).len(), 1, "{above}");
            assert_eq!(reasons(above, "selvedge", Kind::Normal).len(), 0, "{above}");
        }
        assert_eq!(reasons("selvedge-resp", "selvedge-session", Kind::Normal).len(), 0);
        assert_eq!(reasons("selvedge-testkit", "selvedge-session", Kind::Normal).len(), 1);
    }

    #[test]
    fn only_dev_dependencies_name_a_tool() {
        let tool = "selvedge [5] depends on selvedge-testkit [tool], which is a tool";
        assert_eq!(reasons("selvedge", "selvedge-testkit", Kind::Normal), [tool]);
        assert_eq!(reasons("selvedge-benches", "selvedge-testkit", Kind::Build).len(), 1);
        assert_eq!(reasons("selvedge-benches", "selvedge-testkit", Kind::Dev).len(), 0);
        assert_eq!(reasons("selvedge", "selvedge-testkit", Kind::Dev).len(), 0);
    }

    #[test]
    fn a_crate_without_a_layer_is_a_violation() {
        let violations = check_members(&[member("selvedge-novelty", &[])], &[]);
        assert_eq!(violations[0].file, "crates/selvedge-novelty/Cargo.toml");
        assert!(violations[0].reason.contains("has no layer"));
    }

    #[test]
    fn an_exception_permits_its_edge_and_goes_with_it() {
        let exceptions =
            [Exception { from: "selvedge-testkit", to: "selvedge-env", reason: "simulation" }];
        let used = [member("selvedge-testkit", &[("selvedge-env", Kind::Normal)])];
        assert_eq!(check_members(&used, &exceptions), []);
        let unused = [member("selvedge-testkit", &[("selvedge", Kind::Normal)])];
        let violations = check_members(&unused, &exceptions);
        assert_eq!(violations.len(), 1);
        assert!(violations[0].reason.contains("no longer needed"));
    }

    #[test]
    fn sources_are_scanned_for_what_they_must_not_touch() {
        let tree = Tree::of(&[
            ("crates/mvcc/src/lib.rs", "#[cfg(test)]\nmod tests;\nuse std::fs;\n"),
            ("crates/mvcc/src/tests.rs", "use std::thread;\n"),
            ("crates/cli/src/main.rs", "use std::fs;\n"),
        ]);
        let (count, violations) = check_sources(&tree, &[]);
        assert_eq!(count, 2);
        assert_eq!(
            violations.iter().map(|v| (&*v.file, v.line)).collect::<Vec<_>>(),
            [("crates/mvcc/src/lib.rs", 3)]
        );
    }
}
