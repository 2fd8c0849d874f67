//! Defining labels and edge types.

use std::sync::Arc;

use selvedge_graph::EdgeTypeDef;
use selvedge_keyspace::Encoding;
use selvedge_schema::{
    Change, DocumentDef, EdgeDef, NodeDef, Owner, Phase, Schema, SchemaDifference,
};

use crate::db::Db;
use crate::error::{Error, Result};
use crate::kv::error::KvError;
use crate::options::TransactionOptions;
use crate::read::Read;
use crate::retry::RetryPolicy;
use crate::schema::cell::schema_key;
use crate::schema::error::SchemaError;
use crate::transaction::Transaction;

/// What is to be defined: a label or an edge type.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Define {
    /// A label.
    Node(NodeDef),
    /// An edge type.
    Edge(EdgeDef),
}

impl From<NodeDef> for Define {
    fn from(def: NodeDef) -> Self {
        Self::Node(def)
    }
}

impl From<EdgeDef> for Define {
    fn from(def: EdgeDef) -> Self {
        Self::Edge(def)
    }
}

/// A definition that makes sense.
#[derive(Clone, Debug)]
struct Wanted {
    owner: Owner,
    document: DocumentDef,
    /// Of an edge type: how its edges run.
    shape: Option<EdgeTypeDef>,
}

impl Wanted {
    fn new(define: Define) -> Result<Self, SchemaError> {
        Ok(match define {
            Define::Node(def) => {
                let (label, document) = def.into_document()?;
                Self { owner: Owner::Label(label), document, shape: None }
            }
            Define::Edge(def) => {
                let mut shape =
                    if def.is_multi() { EdgeTypeDef::multi() } else { EdgeTypeDef::unique() };
                if let Some(label) = def.source_label() {
                    shape = shape.from(label);
                }
                if let Some(label) = def.target_label() {
                    shape = shape.to(label);
                }
                let (name, document) = def.into_document()?;
                Self { owner: Owner::EdgeType(name), document, shape: Some(shape) }
            }
        })
    }
}

impl Db {
    /// Defines labels and edge types: from now on every write of a document keeps its
    /// definition. Defining again what is defined so already does nothing, so a program
    /// may do it whenever it opens the database. All are defined, or none.
    ///
    /// What is there already is verified first, and gets the defaults that it lacks, as
    /// [`migrate`](Self::migrate) does it.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::{Define, EdgeDef, FieldDef, NodeDef};
    ///
    /// let db = Db::in_memory();
    /// let user = NodeDef::new("User").field(FieldDef::int("age").min(0));
    /// let knows = EdgeDef::unique("KNOWS").from("User").to("User");
    /// db.define([Define::from(user), knows.into()])?;
    ///
    /// let refused = db.insert_node("User", "alice", doc! { "age": "31" }).unwrap_err();
    /// let expected = "label \"User\", field `age`: expected int, found string";
    /// assert_eq!(refused.to_string(), expected);
    ///
    /// let changed = NodeDef::new("User").field(FieldDef::float("age"));
    /// let refused = db.define([changed]).unwrap_err();
    /// assert!(refused.to_string().ends_with(
    ///     "label \"User\":\n\
    ///      - field age: int, required, min 0\n\
    ///      + field age: float, required"
    /// ));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Schema`]: a definition makes no sense, differs from the one stored, or
    /// something stored does not keep it; [`Error::RetriesExhausted`]; otherwise as
    /// [`transaction`](Self::transaction).
    pub fn define<D: Into<Define>>(&self, definitions: impl IntoIterator<Item = D>) -> Result<()> {
        let wanted = definitions.into_iter().map(|define| Wanted::new(define.into()));
        let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
        check_once(&wanted)?;
        if self.is_defined(&wanted)? {
            return Ok(());
        }
        // That there is nothing to verify is validated by the commit.
        let options = TransactionOptions::serializable();
        let changing = self.transaction_retry_with(RetryPolicy::default(), &options, |ctx| {
            let mut schema = Schema::clone(&*ctx.schema()?);
            let before = schema.clone();
            let changing = begin(ctx, &mut schema, &wanted)?;
            if schema != before {
                ctx.stage_schema(schema)?;
            }
            Ok::<_, Error>(changing)
        })?;
        if changing.is_empty() {
            return Ok(());
        }
        let shape = |wanted: &Wanted| Some((wanted.owner.clone(), wanted.shape.clone()?));
        let shapes: Vec<_> = wanted.iter().filter_map(shape).collect();
        self.carry_out(&changing, &shapes, &mut |_| {})
    }

    /// The schema of the newest state.
    ///
    /// # Errors
    /// [`Error::TooManySnapshots`].
    pub fn schema(&self) -> Result<Arc<Schema>> {
        self.view(|snapshot| snapshot.schema())
    }

    /// Whether all of it is defined so, and nothing of it is under way.
    fn is_defined(&self, wanted: &[Wanted]) -> Result<bool> {
        self.view(|snapshot| {
            let schema = snapshot.schema()?;
            for Wanted { owner, document, shape } in wanted {
                let stored = schema.definition(owner).filter(|of| of.change().is_none());
                let runs_so = match shape {
                    Some(shape) => snapshot.edge_type_def(owner.name())?.as_ref() == Some(shape),
                    None => true,
                };
                if !runs_so || stored.and_then(|of| of.document()) != Some(document) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }
}

/// Whether nothing is to be defined in two ways.
fn check_once(wanted: &[Wanted]) -> Result<(), SchemaError> {
    for (at, one) in wanted.iter().enumerate() {
        for other in wanted[..at].iter().filter(|other| other.owner == one.owner) {
            let shape = |of: &Wanted| of.shape.as_ref().map_or(String::new(), ToString::to_string);
            let documents = SchemaDifference::between(&one.owner, &other.document, &one.document);
            let shapes = || SchemaDifference::of_text(&one.owner, &shape(other), &shape(one));
            if let Some(difference) = documents.or_else(shapes) {
                return Err(SchemaError::Twice(difference));
            }
        }
    }
    Ok(())
}

/// Makes all of these definitions at once, if there is nothing to verify; begins them
/// otherwise. Gives those that are under way.
fn begin(ctx: &mut Transaction<'_>, schema: &mut Schema, wanted: &[Wanted]) -> Result<Vec<Owner>> {
    let (mut changing, mut new) = (Vec::new(), Vec::new());
    for Wanted { owner, document, shape } in wanted {
        if let Some(shape) = shape {
            check_shape(ctx, owner, shape)?;
        }
        let Some(stored) = schema.definition(owner) else {
            new.push((owner, document));
            continue;
        };
        match (stored.document(), stored.change()) {
            (Some(stored), change) => {
                if let Some(difference) = SchemaDifference::between(owner, stored, document) {
                    return Err(SchemaError::Differs(difference).into());
                }
                let converting = |change: &&Change| change.phase() == Phase::Converting;
                changing.extend(change.filter(converting).map(|_| owner.clone()));
            }
            (None, Some(change)) if change.to() == document => changing.push(owner.clone()),
            // Whoever began it was interrupted, and wants something else now.
            (None, _) => new.push((owner, document)),
        }
    }
    let mut at_once = changing.is_empty();
    for (owner, _) in &new {
        at_once &= schema.definition(owner).is_none() && is_empty(ctx, owner)?;
    }
    for (owner, document) in new {
        if at_once {
            schema.put(owner, document.clone());
        } else {
            schema.begin(owner, document.clone(), Vec::new());
            changing.push(owner.clone());
        }
    }
    if at_once {
        for Wanted { owner, shape, .. } in wanted {
            shape.iter().try_for_each(|shape| define_shape(ctx, owner, shape))?;
        }
    }
    Ok(changing)
}

fn is_empty(ctx: &Transaction<'_>, owner: &Owner) -> Result<bool> {
    Ok(match owner {
        Owner::Label(label) => ctx.count(label)? == 0,
        Owner::EdgeType(name) => ctx.count_edges(name)? == 0,
    })
}

/// How edges run is part of the edge type itself, and nowhere else.
pub(crate) fn define_shape(
    ctx: &mut Transaction<'_>,
    owner: &Owner,
    shape: &EdgeTypeDef,
) -> Result<()> {
    check_shape(ctx, owner, shape)?;
    ctx.define_edge_type(owner.name(), shape.clone())
}

fn check_shape(ctx: &Transaction<'_>, owner: &Owner, shape: &EdgeTypeDef) -> Result<()> {
    let Some(stored) = ctx.edge_type_def(owner.name())? else { return Ok(()) };
    match SchemaDifference::of_text(owner, &stored.to_string(), &shape.to_string()) {
        Some(difference) => Err(SchemaError::Differs(difference).into()),
        None => Ok(()),
    }
}

impl Transaction<'_> {
    /// Stages a schema in place of the one that there is.
    pub(crate) fn stage_schema(&mut self, schema: Schema) -> Result<()> {
        let bytes = schema.encode().map_err(SchemaError::from)?;
        let staged = self.entries().put(&schema_key(), Encoding::BYTES, &bytes);
        staged.map_err(|error| KvError::staging(&error))?;
        self.set_schema(schema);
        Ok(())
    }
}
