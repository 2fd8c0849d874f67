//! Carrying a change of definitions out: verify what is there, then convert it.
//!
//! ```text
//! begin     commit: the old definition holds; writes have to be convertible, too
//! verify    at a snapshot behind it: everything there is convertible?   no: withdraw
//! convert   commit: the new definition holds; writes begin with the converted document
//!           batches of ordinary transactions: what is there is converted
//! finish    commit: nothing of the old is left
//! index     indexes that are new are built, those that are not there any more erased
//! ```
//!
//! A transaction that began before one of these commits, and wrote what is changed, is
//! a conflict. So whatever was written after `begin` is convertible, and what was there
//! before is seen by `verify`: converting cannot fail. A crash leaves the change in the
//! phase that it had reached, and whoever asks for it again goes on there.

use std::fmt;

use selvedge_base::{NodeId, mutant};
use selvedge_encoding::{DocRef, Document, EncodeError};
use selvedge_graph::{Direction, Edge, EdgeRef, EdgeTypeDef, Entity, GraphError};
use selvedge_schema::{Change, Definition, DocumentDef, Owner, Phase, Schema};

use crate::db::Db;
use crate::error::{Error, Result};
use crate::index::candidate::Candidates;
use crate::read::Read;
use crate::retry::RetryPolicy;
use crate::schema::define::define_shape;
use crate::schema::error::SchemaError;
use crate::transaction::Transaction;

/// Nodes, or edges, that one transaction converts.
const CONVERTED_PER_COMMIT: usize = 256;
/// Nodes, or edges, between two reports of progress.
const VERIFIED_PER_REPORT: usize = 4096;

/// What a migration does, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MigrationStage {
    /// Looks whether what is there can be converted.
    Verifying,
    /// Converts it.
    Converting,
    /// Builds the indexes that are new.
    Indexing,
}

/// How far a change of a definition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationProgress {
    /// Whose definition.
    pub owner: Owner,
    /// What is being done.
    pub stage: MigrationStage,
    /// Nodes, or edges, that this was done to.
    pub done: u64,
    /// How many there are, or were when it began.
    pub of: u64,
}

/// Whom to tell of progress.
pub(crate) type OnProgress<'p> = dyn FnMut(MigrationProgress) + 'p;

/// What a definition is about, as of one moment.
enum Members {
    Nodes(Vec<NodeId>),
    Edges(Vec<Edge>),
}

impl Members {
    fn of<R: Read>(owner: &Owner, reader: &R) -> Result<Self> {
        let name = match owner {
            Owner::Label(label) => return Ok(Self::Nodes(reader.scan(label)?.collect())),
            Owner::EdgeType(name) => name,
        };
        let mut edges = Vec::new();
        if reader.count_edges(name)? > 0 {
            for label in reader.labels()? {
                for id in reader.scan(&label)? {
                    let found = reader.edges(id, Direction::Out, &**name)?;
                    edges.extend(found.map(|edge| edge.edge()));
                }
            }
        }
        Ok(Self::Edges(edges))
    }

    fn len(&self) -> usize {
        match self {
            Self::Nodes(nodes) => nodes.len(),
            Self::Edges(edges) => edges.len(),
        }
    }
}

/// A change that is to be carried out, as it was when that began.
struct Target {
    owner: Owner,
    revision: u64,
    to: DocumentDef,
}

impl Target {
    fn of(owners: &[Owner], schema: &Schema) -> Vec<Self> {
        let target = |owner: &Owner| {
            let definition = schema.definition(owner)?;
            let (revision, to) = (definition.revision(), definition.change()?.to().clone());
            Some(Self { owner: owner.clone(), revision, to })
        };
        owners.iter().filter_map(target).collect()
    }

    /// Whether it is this very change that is being verified.
    fn is_verified_in(&self, schema: &Schema) -> bool {
        schema.definition(&self.owner).is_some_and(|definition| {
            let phase = definition.change().map(Change::phase);
            definition.revision() == self.revision && phase == Some(Phase::Verifying)
        })
    }

    /// It was verified: the new definition holds. Whether that is news.
    fn convert(&self, schema: &mut Schema) -> Result<bool, SchemaError> {
        if self.is_verified_in(schema) {
            return Ok(schema.convert(&self.owner));
        }
        // Somebody else carries out the same, or was faster.
        let now = schema.definition(&self.owner).and_then(|definition| definition.document());
        let same = now == Some(&self.to);
        same.then_some(false).ok_or_else(|| SchemaError::Overtaken(self.owner.clone()))
    }
}

/// A policy that is as patient as a change has to be beside busy writers.
fn patient() -> RetryPolicy {
    RetryPolicy::default().attempts_max(10_000)
}

impl Db {
    /// Changes the schema in a transaction of its own, if `change` says that it did.
    pub(crate) fn change_schema(
        &self,
        mut change: impl FnMut(&mut Schema, &mut Transaction<'_>) -> Result<bool>,
    ) -> Result<()> {
        self.transaction_retry(patient(), |ctx| {
            let mut schema = Schema::clone(&*ctx.schema()?);
            if change(&mut schema, ctx)? { ctx.stage_schema(schema) } else { Ok(()) }
        })
    }

    /// Carries out the changes that have begun for these. With them, edge types come to
    /// run so.
    pub(crate) fn carry_out(
        &self,
        owners: &[Owner],
        shapes: &[(Owner, EdgeTypeDef)],
        report: &mut OnProgress<'_>,
    ) -> Result<()> {
        let targets = Target::of(owners, &*self.schema()?);
        let verified = targets.iter().try_for_each(|target| self.verify(target, report));
        let holds = verified.and_then(|()| {
            self.change_schema(|schema, ctx| {
                shapes.iter().try_for_each(|(owner, shape)| define_shape(ctx, owner, shape))?;
                let converted = targets.iter().map(|target| target.convert(schema));
                Ok(converted.collect::<Result<Vec<_>, _>>()?.contains(&true))
            })
        });
        if let Err(error) = holds {
            if matches!(error, Error::Schema(_) | Error::Input(_)) {
                self.change_schema(|schema, _| {
                    let mine = targets.iter().filter(|target| target.is_verified_in(schema));
                    let mine: Vec<&Owner> = mine.map(|target| &target.owner).collect();
                    Ok(mine.into_iter().filter(|owner| schema.withdraw(owner)).count() > 0)
                })?;
            }
            return Err(error);
        }
        let mut unindexed = Ok(());
        for owner in owners {
            unindexed = unindexed.and(self.convert_to_end(owner, report)?);
        }
        let built = owners.iter().try_for_each(|owner| self.build_indexes_of(owner, report));
        self.erase_dropped_indexes()?;
        unindexed.and(built)
    }

    /// Whether everything that is there can be converted.
    fn verify(&self, target: &Target, report: &mut OnProgress<'_>) -> Result<()> {
        let owner = &target.owner;
        let snapshot = self.snapshot_labelled("verifying a definition")?;
        let schema = snapshot.schema()?;
        let change = schema.definition(owner).and_then(|definition| definition.change());
        let Some(change) =
            change.filter(|_| target.is_verified_in(&schema) && !mutant::is("existing-unverified"))
        else {
            return Ok(());
        };
        let before = schema.definition(owner).and_then(|definition| definition.document());
        let mut candidates = Candidates::new(owner.name(), before, change.to());
        let mut converted = Vec::new();
        let members = Members::of(owner, &snapshot)?;
        let (stage, of) = (MigrationStage::Verifying, members.len() as u64);
        let mut tell = |done: usize| {
            if done.is_multiple_of(VERIFIED_PER_REPORT) || done == members.len() {
                let (owner, done) = (owner.clone(), done as u64);
                report(MigrationProgress { owner, stage, done, of });
            }
        };
        for at in 0..members.len() {
            let (entity, verified) = match &members {
                Members::Nodes(nodes) => {
                    let Some(node) = snapshot.node(nodes[at])? else { continue };
                    let verified = change.check_convertible(node.document(), node.key());
                    (Entity::Node(nodes[at]), verified)
                }
                Members::Edges(edges) => {
                    let Some(edge) = find(&snapshot, owner, edges[at])? else { continue };
                    (Entity::Edge(edge.named()), change.check_convertible(edge.document(), None))
                }
            };
            verified.map_err(|violation| {
                let violation = Box::new(violation.of(owner.clone()));
                SchemaError::Existing { entity, violation }
            })?;
            if let (Members::Nodes(nodes), false) = (&members, candidates.is_empty()) {
                let Some(node) = snapshot.node(nodes[at])? else { continue };
                converted.clear();
                let stored = node.document();
                let moved = change.convert(stored, &mut converted);
                let moved =
                    moved.map_err(|source| unconvertible(&Entity::Node(nodes[at]), source))?;
                let document = if moved { DocRef::trusted(&converted) } else { stored };
                candidates.add(nodes[at], document)?;
            }
            tell(at + 1);
        }
        Ok(())
    }

    /// Converts what is not converted yet, and says that all is. Gives why an index was
    /// dropped that would have been in the way.
    fn convert_to_end(&self, owner: &Owner, report: &mut OnProgress<'_>) -> Result<Result<()>> {
        let mut unindexed = Ok(());
        loop {
            let converted = match self.convert(owner, report) {
                Ok(None) => return Ok(unindexed),
                Ok(Some(revision)) => revision,
                Err(error) if self.drop_in_the_way(owner, &error)? => {
                    unindexed = unindexed.and(Err(error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.change_schema(|schema, _| {
                // Another change since may have converted nothing yet.
                let now = schema.definition(owner).map(Definition::revision);
                Ok(now == Some(converted) && schema.finish(owner))
            })?;
        }
    }

    /// Documents are converted whatever they do to an index that is not complete yet:
    /// one that cannot hold them goes, as when it is built. Whether one did.
    fn drop_in_the_way(&self, owner: &Owner, error: &Error) -> Result<bool> {
        match error.input() {
            Some(
                GraphError::UniqueViolation { index, .. } | GraphError::IndexKey { index, .. },
            ) => self.drop_building(owner.name(), index),
            _ => Ok(false),
        }
    }

    /// Converts what is not converted yet; gives the revision of the definition that it
    /// was converted to, if there was a change under way.
    fn convert(&self, owner: &Owner, report: &mut OnProgress<'_>) -> Result<Option<u64>> {
        let (revision, members) = {
            let snapshot = self.snapshot_labelled("converting to a definition")?;
            let schema = snapshot.schema()?;
            let converting = |definition: &&Definition| {
                definition.change().is_some_and(|change| change.phase() == Phase::Converting)
            };
            let Some(definition) = schema.definition(owner).filter(converting) else {
                return Ok(None);
            };
            // Whatever comes later is written by the new definition.
            (definition.revision(), Members::of(owner, &snapshot)?)
        };
        let (stage, of) = (MigrationStage::Converting, members.len() as u64);
        for from in (0..members.len()).step_by(CONVERTED_PER_COMMIT) {
            let until = members.len().min(from + CONVERTED_PER_COMMIT);
            self.transaction_retry(patient(), |ctx| match &members {
                Members::Nodes(nodes) => convert_nodes(ctx, owner, &nodes[from..until]),
                Members::Edges(edges) => convert_edges(ctx, owner, &edges[from..until]),
            })?;
            report(MigrationProgress { owner: owner.clone(), stage, done: until as u64, of });
        }
        Ok(Some(revision))
    }
}

fn find<'r, R: Read>(reader: &'r R, owner: &Owner, edge: Edge) -> Result<Option<EdgeRef<'r>>> {
    let between = reader.edges_between(edge.source, owner.name(), edge.target)?;
    Ok(between.into_iter().find(|found| found.edge() == edge))
}

fn convert_nodes(ctx: &mut Transaction<'_>, owner: &Owner, nodes: &[NodeId]) -> Result<()> {
    let schema = ctx.schema()?;
    let Some(definition) = schema.definition(owner) else { return Ok(()) };
    let mut converted = Vec::new();
    for id in nodes {
        converted.clear();
        let Some(node) = ctx.node(*id)? else { continue };
        let upgraded = definition.upgrade(node.document(), &mut converted);
        if upgraded.map_err(|source| unconvertible(&Entity::Node(*id), source))? {
            // The edit begins with the converted document, and adds nothing.
            ctx.set_many(*id, Document::new())?;
        }
    }
    Ok(())
}

fn convert_edges(ctx: &mut Transaction<'_>, owner: &Owner, edges: &[Edge]) -> Result<()> {
    let schema = ctx.schema()?;
    let Some(definition) = schema.definition(owner) else { return Ok(()) };
    let mut converted = Vec::new();
    for edge in edges {
        converted.clear();
        let Some(found) = find(ctx, owner, *edge)? else { continue };
        let upgraded = definition.upgrade(found.document(), &mut converted);
        if upgraded.map_err(|source| unconvertible(&Entity::Edge(found.named()), source))? {
            ctx.set_edge(*edge, Document::new())?;
        }
    }
    Ok(())
}

#[cold]
fn unconvertible(entity: &Entity, source: EncodeError) -> GraphError {
    GraphError::Document { entity: entity.to_string(), source }
}

impl fmt::Display for MigrationProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, stage, done, of } = self;
        let verb = match stage {
            MigrationStage::Verifying => "verified",
            MigrationStage::Converting => "converted",
            MigrationStage::Indexing => "indexed",
        };
        write!(f, "{owner}: {verb} {done} of {of}")
    }
}
