//! What cargo knows of this workspace, as a graph: packages as documents, their
//! dependencies as edges.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::env;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use selvedge::prelude::*;

use crate::Failure;

/// The types of the edges, from a package to one that it needs.
pub(crate) const DEPENDENCY_TYPES: [&str; 3] = ["DEPENDS_ON", "BUILD_DEPENDS_ON", "DEV_DEPENDS_ON"];

fn edge_type(kind: DependencyKind) -> Result<&'static str, Failure> {
    match kind {
        DependencyKind::Normal => Ok(DEPENDENCY_TYPES[0]),
        DependencyKind::Build => Ok(DEPENDENCY_TYPES[1]),
        DependencyKind::Development => Ok(DEPENDENCY_TYPES[2]),
        DependencyKind::Unknown => Err("cargo names a kind of dependency that is unknown".into()),
    }
}

/// Asks cargo, and if it cannot reach the registry, without it.
pub(crate) fn read_metadata() -> Result<Metadata, Failure> {
    let mut command = MetadataCommand::new();
    // Under `cargo run` the workspace of this program, else the one we stand in.
    if let Some(folder) = env::var_os("CARGO_MANIFEST_DIR") {
        command.current_dir(folder);
    }
    let online = match command.exec() {
        Ok(metadata) => return Ok(metadata),
        Err(error) => error,
    };
    command.other_options(["--offline".to_owned()]).exec().map_err(|offline| {
        let advice = "run `cargo fetch` once in the workspace, with a connection to crates.io; \
                      after that this works without one";
        format!("`cargo metadata` failed:\n{online}\nand with --offline:\n{offline}\n{advice}")
            .into()
    })
}

/// An edge before it is in the database.
#[derive(Default)]
struct Dependency {
    requirement: Option<String>,
    optional: bool,
    /// The platforms that have it; all if empty.
    targets: BTreeSet<String>,
}

type Edges<'m> = BTreeMap<(&'m PackageId, &'static str, &'m PackageId), Dependency>;

/// Puts everything into the database, in one transaction.
pub(crate) fn load(db: &Db, metadata: &Metadata) -> Result<(), Failure> {
    let edges = dependencies(metadata)?;
    db.transaction(|ctx| {
        let mut ids = HashMap::new();
        for package in &metadata.packages {
            let key = format!("{} {}", package.name, package.version);
            let id = ctx.insert_node("Package", key.as_str(), document(package, metadata))?;
            ids.insert(&package.id, id);
        }
        for ((source, kind, target), dependency) in edges {
            let missing = || format!("cargo names {target} as needed, and does not describe it");
            let source = *ids.get(source).ok_or_else(missing)?;
            let target = *ids.get(target).ok_or_else(missing)?;
            let targets: Vec<Value> = dependency.targets.into_iter().map(Value::from).collect();
            let edge = doc! {
                "requirement": dependency.requirement,
                "optional": dependency.optional,
                "targets": targets,
            };
            ctx.link_nodes(source, kind, target, edge)?;
        }
        Ok(())
    })
}

fn document(package: &Package, metadata: &Metadata) -> Document {
    let strings = |names: &[String]| names.iter().map(String::as_str).map(Value::from).collect();
    let features: Document = package
        .features
        .iter()
        .map(|(name, enables)| (name.as_str(), Value::List(strings(enables))))
        .collect();
    let targets: Vec<Value> = package
        .targets
        .iter()
        .map(|target| {
            let kinds: Vec<Value> =
                target.kind.iter().map(|kind| Value::from(kind.to_string())).collect();
            Value::Map(doc! { "name": target.name.as_str(), "kinds": kinds })
        })
        .collect();
    doc! {
        "name": package.name.as_str(),
        "version": package.version.to_string(),
        "license": package.license.as_deref(),
        "description": package.description.as_deref().map(str::trim),
        "authors": package.authors.len(),
        "features": Value::Map(features),
        "targets": targets,
        "member": metadata.workspace_members.contains(&package.id),
        // Raised by the threads of `review.rs`.
        "audits": 0,
    }
}

/// Who needs whom, as cargo resolved it, with what the manifests say about it.
fn dependencies(metadata: &Metadata) -> Result<Edges<'_>, Failure> {
    let resolved = metadata.resolve.as_ref().ok_or("cargo resolved no dependencies")?;
    let by_id: HashMap<_, _> = metadata.packages.iter().map(|each| (&each.id, each)).collect();
    let mut edges = Edges::new();
    for node in &resolved.nodes {
        for needed in &node.deps {
            for info in &needed.dep_kinds {
                let edge = (&node.id, edge_type(info.kind)?, &needed.pkg);
                let dependency = edges.entry(edge).or_default();
                dependency.targets.extend(info.target.as_ref().map(ToString::to_string));
                let ends = by_id.get(&node.id).zip(by_id.get(&needed.pkg));
                if let Some((source, target)) = ends {
                    declare(dependency, source, info.kind, target);
                }
            }
        }
    }
    Ok(edges)
}

/// Adds what the manifest of `source` says about its dependency on `target`.
fn declare(dependency: &mut Dependency, source: &Package, kind: DependencyKind, target: &Package) {
    let declared = source.dependencies.iter().find(|declared| {
        declared.name == *target.name
            && declared.kind == kind
            && declared.req.matches(&target.version)
    });
    if let Some(declared) = declared {
        dependency.requirement = Some(declared.req.to_string());
        dependency.optional = declared.optional;
    }
}

/// What the database must hold, counted without it: the packages, and the
/// dependencies of each type.
pub(crate) fn expected_counts(metadata: &Metadata) -> Result<(u64, [u64; 3]), Failure> {
    let mut distinct = BTreeSet::new();
    for node in metadata.resolve.iter().flat_map(|resolved| &resolved.nodes) {
        for needed in &node.deps {
            for info in &needed.dep_kinds {
                distinct.insert((edge_type(info.kind)?, &node.id.repr, &needed.pkg.repr));
            }
        }
    }
    let of_type = |name| distinct.iter().filter(|(kind, ..)| *kind == name).count() as u64;
    Ok((metadata.packages.len() as u64, DEPENDENCY_TYPES.map(of_type)))
}
