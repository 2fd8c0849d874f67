//! Defining labels and edge types.

use std::sync::Arc;

use selvedge_graph::{Direction, EdgeTypeDef, Entity};
use selvedge_keyspace::Encoding;
use selvedge_schema::{
    DocumentDef, EdgeDef, IndexState, NodeDef, Owner, Schema, SchemaDifference, Violation,
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
    /// What is there already is verified first.
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
        if self.is_defined(&wanted)? {
            return Ok(());
        }
        // What is read to verify the definitions is validated by the commit.
        let options = TransactionOptions::serializable();
        self.transaction_retry_with(RetryPolicy::default(), &options, |ctx| {
            let mut schema = Schema::clone(&*ctx.schema()?);
            let mut changed = false;
            for wanted in &wanted {
                changed |= define(ctx, &mut schema, wanted)?;
            }
            if changed { ctx.stage_schema(schema) } else { Ok(()) }
        })
    }

    /// The schema of the newest state.
    ///
    /// # Errors
    /// [`Error::TooManySnapshots`].
    pub fn schema(&self) -> Result<Arc<Schema>> {
        self.view(|snapshot| snapshot.schema())
    }

    /// Whether all of it is defined so: then there is nothing to write.
    fn is_defined(&self, wanted: &[Wanted]) -> Result<bool> {
        self.view(|snapshot| {
            let schema = snapshot.schema()?;
            for Wanted { owner, document, shape } in wanted {
                let same =
                    schema.definition(owner).map(|stored| stored.document()) == Some(document);
                if !same
                    || snapshot.edge_type_def(owner.name())?.as_ref().filter(|_| shape.is_some())
                        != shape.as_ref()
                {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }
}

/// Defines one label or edge type in `schema`; whether that is new.
fn define(ctx: &mut Transaction<'_>, schema: &mut Schema, wanted: &Wanted) -> Result<bool> {
    let Wanted { owner, document, shape } = wanted;
    if let Some(shape) = shape {
        define_shape(ctx, owner, shape)?;
    }
    if let Some(stored) = schema.definition(owner) {
        return match SchemaDifference::between(owner, stored.document(), document) {
            Some(difference) => Err(SchemaError::Differs(difference).into()),
            None => Ok(false),
        };
    }
    verify_existing(ctx, wanted)?;
    let empty = match owner {
        Owner::Label(label) => ctx.count(label)? == 0,
        Owner::EdgeType(_) => true,
    };
    let state = if empty { IndexState::Ready } else { IndexState::Building };
    schema.put(owner, document.clone(), state);
    Ok(true)
}

/// How edges run is part of the edge type itself, and nowhere else.
fn define_shape(ctx: &mut Transaction<'_>, owner: &Owner, shape: &EdgeTypeDef) -> Result<()> {
    let stored = ctx.edge_type_def(owner.name())?.map(|stored| stored.to_string());
    let wanted = shape.to_string();
    let stored = stored.unwrap_or_else(|| wanted.clone());
    if let Some(difference) = SchemaDifference::of_text(owner, &stored, &wanted) {
        return Err(SchemaError::Differs(difference).into());
    }
    ctx.define_edge_type(owner.name(), shape.clone())
}

/// Whether everything there is keeps the definition.
fn verify_existing(ctx: &Transaction<'_>, wanted: &Wanted) -> Result<()> {
    let Wanted { owner, document, .. } = wanted;
    let refuse = |entity: Entity, violation: Violation| {
        let violation = Box::new(violation.of(owner.clone()));
        Err(Error::from(SchemaError::Existing { entity, violation }))
    };
    match owner {
        Owner::Label(label) => {
            for id in ctx.scan(label)? {
                let Some(node) = ctx.node(id)? else { continue };
                if let Err(violation) = document.check(node.document(), node.key()) {
                    return refuse(Entity::Node(id), violation);
                }
            }
        }
        Owner::EdgeType(name) => {
            if ctx.count_edges(name)? == 0 {
                return Ok(());
            }
            for label in ctx.labels()? {
                for id in ctx.scan(&label)? {
                    for edge in ctx.edges(id, Direction::Out, &**name)? {
                        if let Err(violation) = document.check(edge.document(), None) {
                            return refuse(Entity::Edge(edge.edge()), violation);
                        }
                    }
                }
            }
        }
    }
    Ok(())
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
