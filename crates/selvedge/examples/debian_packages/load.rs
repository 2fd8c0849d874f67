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
use crate::model::{DependsOn, Package, Recommends, Virtual};
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
        let package = package(stanza)?;
        let id = match ctx.insert(&package) {
            Ok(id) => id,
            // Nothing was staged, and the transaction goes on.
            Err(error) if matches!(error.input(), Some(InputError::KeyExists { .. })) => continue,
            Err(error) => return Err(error.into()),
        };
        let field = |name| stanza.get(name).unwrap_or_default();
        for provided in relations(field("Provides"))? {
            *directory.provided.entry(provided.name).or_default() += 1;
        }
        let (name, version) = (stanza.demand("Package")?, stanza.demand("Version")?);
        let architecture = stanza.demand("Architecture")?;
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
fn package(stanza: &Stanza<'_>) -> Result<Package, Failure> {
    let demand = |field| stanza.demand(field).map(str::to_owned);
    let (name, version) = (demand("Package")?, demand("Version")?);
    let architecture = demand("Architecture")?;
    let text = |field| stanza.get(field).map(str::to_owned);
    let number = |field| {
        let parsed = stanza.get(field).map(|number| {
            number.parse::<u64>().map_err(|error| format!("{field} of {name}, {number:?}: {error}"))
        });
        parsed.transpose()
    };
    let tags = stanza.get("Tag").map(|tags| tags.split(',').map(|tag| tag.trim().to_owned()));
    Ok(Package {
        id: format!("{name}:{architecture}={version}"),
        section: text("Section"),
        priority: text("Priority"),
        maintainer: text("Maintainer"),
        homepage: text("Homepage"),
        description: text("Description"),
        multi_arch: text("Multi-Arch"),
        size: number("Size")?,
        installed_size: number("Installed-Size")?,
        tags: tags.map(Iterator::collect).unwrap_or_default(),
        name,
        version,
        architecture,
    })
}

fn add_edges<'t>(
    ctx: &mut Transaction<'_>,
    batch: &[Pending<'t>],
    directory: &mut Directory<'t>,
) -> Result<(), Failure> {
    for package in batch {
        let all = [(package.pre_depends, true), (package.depends, false)];
        for (name, relations) in by_name(&all)? {
            let target = directory.target(ctx, name, package.architecture)?;
            let Need { architecture, choice, pre, versions } = need(&relations);
            ctx.link(package.id, DependsOn { architecture, choice, pre, versions }, target)?;
        }
        for (name, relations) in by_name(&[(package.recommends, false)])? {
            let target = directory.target(ctx, name, package.architecture)?;
            let Need { architecture, choice, pre, versions } = need(&relations);
            ctx.link(package.id, Recommends { architecture, choice, pre, versions }, target)?;
        }
    }
    Ok(())
}

/// What a package says about each name, and whether in a field of what comes first.
type ByName<'t> = BTreeMap<&'t str, Vec<(Relation<'t>, bool)>>;

fn by_name<'t>(fields: &[(&'t str, bool)]) -> Result<ByName<'t>, Failure> {
    let mut by_name = ByName::new();
    for (field, is_pre) in fields {
        for relation in relations(field)? {
            by_name.entry(relation.name).or_default().push((relation, *is_pre));
        }
    }
    Ok(by_name)
}

/// The fields of both types of edges.
struct Need {
    architecture: Option<String>,
    choice: Option<u32>,
    pre: bool,
    versions: Vec<String>,
}

/// Everything that a package says about another one it needs.
fn need(relations: &[(Relation<'_>, bool)]) -> Need {
    let architecture = relations.iter().find_map(|(relation, _)| relation.architecture);
    let choices: Option<Vec<usize>> =
        relations.iter().map(|(relation, _)| relation.choice).collect();
    let choice = choices.and_then(|choices| choices.into_iter().min());
    let versions = relations.iter().filter_map(|(relation, _)| relation.version);
    Need {
        architecture: architecture.map(str::to_owned),
        choice: choice.and_then(|choice| u32::try_from(choice).ok()),
        pre: relations.iter().any(|(_, is_pre)| *is_pre),
        versions: versions.map(|(operator, version)| format!("{operator} {version}")).collect(),
    }
}

impl<'t> Directory<'t> {
    /// The node that a name stands for, in the eyes of a package of this architecture; a
    /// new one if it stands for none.
    fn target(
        &mut self,
        ctx: &mut Transaction<'_>,
        name: &'t str,
        architecture: &str,
    ) -> Result<NodeId, Failure> {
        if let Some(target) = self.resolve(name, architecture) {
            return Ok(target);
        }
        let provided_by = self.provided.get(name).copied().unwrap_or(0);
        let id = ctx.insert(&Virtual { name: name.to_owned(), provided_by })?;
        self.virtuals.insert(name, id);
        Ok(id)
    }

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
