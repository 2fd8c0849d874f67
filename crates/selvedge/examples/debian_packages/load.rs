//! From stanzas to nodes and edges, in batches of transactions.
//!
//! - A `Package` node is one triple of package, version and architecture; its key
//!   is `name:architecture=version`. Indexes repeat one another (a release and
//!   its updates): the first stanza of a triple stays, later ones are counted as
//!   duplicates and otherwise ignored, their dependencies included.
//! - An edge leads to the package of that name, which may have several nodes: to
//!   one of the same architecture or of `all`, if there is one, and of these to
//!   the newest version. Which versions would do is in the edge's document, and
//!   not looked at.
//! - A name that no stanza has is a `Virtual` node, keyed by the name; it knows
//!   how many packages provide it, which may be none.
//! - However often a package names another one in its `Depends` and
//!   `Pre-Depends`, that is one `DEPENDS_ON` edge; `RECOMMENDS` likewise.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use selvedge::InputError;
use selvedge::prelude::*;

use crate::Failure;
use crate::relation::{Relation, relations};
use crate::stanza::{Stanza, stanzas};
use crate::version;

/// Packages in one transaction.
const BATCH_PACKAGES: usize = 1000;

/// What was loaded, and how long it took.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) stanzas: u64,
    pub(crate) duplicates: u64,
    pub(crate) transactions: u64,
    pub(crate) nodes_time: Duration,
    pub(crate) edges_time: Duration,
}

/// A package whose edges are yet to be added.
struct Pending<'t> {
    id: NodeId,
    architecture: &'t str,
    pre_depends: &'t str,
    depends: &'t str,
    recommends: &'t str,
}

struct Candidate<'t> {
    id: NodeId,
    architecture: &'t str,
    version: &'t str,
}

/// What names stand for.
#[derive(Default)]
struct Directory<'t> {
    packages: HashMap<&'t str, Vec<Candidate<'t>>>,
    virtuals: HashMap<&'t str, NodeId>,
    /// How many packages provide a name.
    provided: HashMap<&'t str, u32>,
}

/// Loads the indexes; `expected` stanzas are in them.
pub(crate) fn load(db: &Db, texts: &[String], expected: u64) -> Result<Loaded, Failure> {
    let (mut loaded, mut directory) = (Loaded::default(), Directory::default());
    let (began, progress) = (Instant::now(), progress_bar("packages", expected)?);
    let mut pending = Vec::new();
    let mut all = texts.iter().flat_map(|text| stanzas(text));
    loop {
        let batch: Vec<Stanza<'_>> = all.by_ref().take(BATCH_PACKAGES).collect();
        if batch.is_empty() {
            break;
        }
        let new = db.transaction(|ctx| add_packages(ctx, &batch, &mut directory))?;
        loaded.stanzas += batch.len() as u64;
        loaded.duplicates += (batch.len() - new.len()) as u64;
        loaded.transactions += 1;
        pending.extend(new);
        progress.inc(batch.len() as u64);
    }
    progress.finish_and_clear();
    loaded.nodes_time = began.elapsed();

    let began = Instant::now();
    let progress = progress_bar("dependencies", pending.len() as u64)?;
    for batch in pending.chunks(BATCH_PACKAGES) {
        db.transaction(|ctx| add_edges(ctx, batch, &mut directory))?;
        loaded.transactions += 1;
        progress.inc(batch.len() as u64);
    }
    progress.finish_and_clear();
    loaded.edges_time = began.elapsed();
    Ok(loaded)
}

/// A bar on the terminal; none if there is no terminal.
fn progress_bar(what: &'static str, length: u64) -> Result<ProgressBar, Failure> {
    let style = ProgressStyle::with_template("{msg:12} {wide_bar} {pos}/{len} {per_sec}")?;
    Ok(ProgressBar::new(length).with_style(style).with_message(what))
}

/// Adds the packages of a batch that are new, and gives them.
fn add_packages<'t>(
    ctx: &mut Transaction<'_>,
    batch: &[Stanza<'t>],
    directory: &mut Directory<'t>,
) -> Result<Vec<Pending<'t>>, Failure> {
    let mut new = Vec::with_capacity(batch.len());
    for stanza in batch {
        let (name, version) = (stanza.demand("Package")?, stanza.demand("Version")?);
        let architecture = stanza.demand("Architecture")?;
        let key = format!("{name}:{architecture}={version}");
        let id = match ctx.insert_node("Package", key.as_str(), document(stanza)?) {
            Ok(id) => id,
            // Nothing was staged, and the transaction goes on.
            Err(error) if matches!(error.input(), Some(InputError::KeyExists { .. })) => continue,
            Err(error) => return Err(error.into()),
        };
        let field = |name| stanza.get(name).unwrap_or_default();
        for provided in relations(field("Provides"))? {
            *directory.provided.entry(provided.name).or_default() += 1;
        }
        directory.packages.entry(name).or_default().push(Candidate { id, architecture, version });
        new.push(Pending {
            id,
            architecture,
            pre_depends: field("Pre-Depends"),
            depends: field("Depends"),
            recommends: field("Recommends"),
        });
    }
    Ok(new)
}

/// What is stored of a stanza.
fn document(stanza: &Stanza<'_>) -> Result<Document, Failure> {
    let mut document = doc! {
        "name": stanza.demand("Package")?,
        "version": stanza.demand("Version")?,
        "architecture": stanza.demand("Architecture")?,
    };
    let texts = ["Description", "Homepage", "Maintainer", "Multi-Arch", "Priority", "Section"];
    for field in texts {
        if let Some(text) = stanza.get(field) {
            document.set(field_name(field), text);
        }
    }
    for field in ["Installed-Size", "Size"] {
        if let Some(number) = stanza.get(field) {
            let parsed = number.parse::<u64>().map_err(|error| {
                let name = stanza.get("Package").unwrap_or_default();
                format!("{field} of {name}, {number:?}: {error}")
            })?;
            document.set(field_name(field), parsed);
        }
    }
    if let Some(tags) = stanza.get("Tag") {
        let tags: Vec<Value> = tags.split(',').map(|tag| tag.trim().into()).collect();
        document.set("tags", tags);
    }
    Ok(document)
}

/// `Installed-Size` is `installed_size` in a document.
fn field_name(field: &str) -> String {
    field.to_ascii_lowercase().replace('-', "_")
}

fn add_edges<'t>(
    ctx: &mut Transaction<'_>,
    batch: &[Pending<'t>],
    directory: &mut Directory<'t>,
) -> Result<(), Failure> {
    for package in batch {
        let fields: [(&str, &[(&'t str, bool)]); 2] = [
            ("DEPENDS_ON", &[(package.pre_depends, true), (package.depends, false)]),
            ("RECOMMENDS", &[(package.recommends, false)]),
        ];
        for (edge_type, fields) in fields {
            let mut by_name: BTreeMap<&str, Vec<(Relation<'t>, bool)>> = BTreeMap::new();
            for (field, is_pre) in fields {
                for relation in relations(field)? {
                    by_name.entry(relation.name).or_default().push((relation, *is_pre));
                }
            }
            for (name, relations) in by_name {
                let target = match directory.resolve(name, package.architecture) {
                    Some(target) => target,
                    None => add_virtual(ctx, name, directory)?,
                };
                ctx.link_nodes(package.id, edge_type, target, edge_document(&relations))?;
            }
        }
    }
    Ok(())
}

/// Everything that a package says about another one it needs. What does not
/// apply is absent.
fn edge_document(relations: &[(Relation<'_>, bool)]) -> Document {
    let mut document = Document::new();
    let architecture = relations.iter().find_map(|(relation, _)| relation.architecture);
    if let Some(architecture) = architecture {
        document.set("architecture", architecture);
    }
    // Its best place among alternatives; absent if one clause has none.
    let choices: Option<Vec<usize>> =
        relations.iter().map(|(relation, _)| relation.choice).collect();
    if let Some(choice) = choices.and_then(|choices| choices.into_iter().min()) {
        document.set("choice", choice);
    }
    if relations.iter().any(|(_, is_pre)| *is_pre) {
        document.set("pre", true);
    }
    let versions: Vec<Value> = relations
        .iter()
        .filter_map(|(relation, _)| relation.version)
        .map(|(operator, version)| format!("{operator} {version}").into())
        .collect();
    if !versions.is_empty() {
        document.set("versions", versions);
    }
    document
}

fn add_virtual<'t>(
    ctx: &mut Transaction<'_>,
    name: &'t str,
    directory: &mut Directory<'t>,
) -> Result<NodeId, Failure> {
    let provided_by = directory.provided.get(name).copied().unwrap_or(0);
    let id = ctx.insert_node("Virtual", name, doc! { "name": name, "provided_by": provided_by })?;
    directory.virtuals.insert(name, id);
    Ok(id)
}

impl Directory<'_> {
    /// The node that a name stands for, in the eyes of a package of this
    /// architecture.
    fn resolve(&self, name: &str, architecture: &str) -> Option<NodeId> {
        let Some(candidates) = self.packages.get(name) else {
            return self.virtuals.get(name).copied();
        };
        let fits = |candidate: &Candidate<'_>| {
            candidate.architecture == architecture || candidate.architecture == "all"
        };
        let best = candidates.iter().max_by(|a, b| {
            fits(a).cmp(&fits(b)).then_with(|| version::compare(a.version, b.version))
        });
        best.map(|candidate| candidate.id)
    }
}
