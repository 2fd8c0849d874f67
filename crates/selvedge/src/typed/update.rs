//! Updates of single fields, staged as one.

use std::fmt;
use std::marker::PhantomData;

use selvedge_base::NodeId;
use selvedge_encoding::{DocRef, Document, EncodeError, Value, set_field, set_path, unset_field};
use selvedge_graph::{Edge, Entity, GraphError, Node};
use selvedge_schema::{Kind, Owner};

use crate::batch::{Op, Target, find};
use crate::db::Db;
use crate::error::Result;
use crate::read::{Read as _, Sealed as _};
use crate::schema::rules::upgraded;
use crate::transaction::Transaction;
use crate::typed::edge_type::EdgeType;
use crate::typed::error::TypedError;
use crate::typed::node_type::NodeType;

/// A step of an update.
#[derive(Clone, PartialEq, Debug)]
enum Edit {
    Set(String, Value),
    SetPath(String, Value),
    Unset(String),
    /// The whole document.
    Replace(Document),
}

/// The steps of an update; the error, if a value was none for a document.
type Edits = Result<Vec<Edit>>;

/// What runs the work of one operation: a transaction, or a database, which begins one.
#[doc(hidden)]
pub trait Execute {
    /// Runs it.
    ///
    /// # Errors
    /// Those of the work, and of the transaction.
    fn run<R>(self, work: impl FnOnce(&mut Transaction<'_>) -> Result<R>) -> Result<R>;
}

impl Execute for &mut Transaction<'_> {
    fn run<R>(self, work: impl FnOnce(&mut Transaction<'_>) -> Result<R>) -> Result<R> {
        work(self)
    }
}

impl Execute for &Db {
    fn run<R>(self, work: impl FnOnce(&mut Transaction<'_>) -> Result<R>) -> Result<R> {
        self.transaction(work)
    }
}

/// An update that becomes an operation of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InBatch;

/// Changes of a node's fields: all of them are staged as one by
/// [`execute`](Self::execute), or none.
///
/// ```
/// use selvedge::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Node)]
/// struct User {
///     #[node(key)]
///     name: String,
///     age: u8,
///     nick: Option<String>,
/// }
///
/// let db = Db::in_memory();
/// db.insert(&User { name: "alice".to_owned(), age: 31, nick: Some("al".to_owned()) })?;
/// db.update::<User>("alice").set("age", 32).unset("nick").execute()?;
/// let alice = db.get::<User>("alice")?.expect("inserted");
/// assert_eq!((alice.age, &alice.nick), (32, &None));
/// # Ok::<(), Error>(())
/// ```
///
/// What is set is checked by the definition of the label, when it is staged; fields that
/// hold structs or enums are set to [`to_value`](crate::to_value) of them. The field that
/// stands for the key cannot become another.
#[must_use = "nothing happens until `execute`; in a batch, `into`"]
pub struct NodeUpdate<T, X> {
    on: X,
    plan: NodePlan,
    of: PhantomData<fn(&T)>,
}

/// An update of a node, without its Rust type.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct NodePlan {
    pub(crate) target: Target,
    label: &'static str,
    key_field: Option<&'static str>,
    edits: Edits,
}

/// Changes of an edge's fields: all of them are staged as one by
/// [`execute`](Self::execute), or none.
#[must_use = "nothing happens until `execute`; in a batch, `into`"]
pub struct EdgeUpdate<E, X> {
    on: X,
    plan: EdgePlan,
    of: PhantomData<fn(&E)>,
}

/// An update of an edge, without its Rust type.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct EdgePlan {
    pub(crate) edge: EdgeTarget,
    edge_type: &'static str,
    edits: Edits,
}

/// Which edge.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum EdgeTarget {
    /// The one from one node to another.
    Between(Target, Target),
    This(Edge),
}

fn set(edits: &mut Edits, options: &[&str], field: String, value: Value) {
    let Ok(edits) = edits else { return };
    // An option that is `None` is absent.
    let absent = value == Value::Null && options.contains(&field.as_str());
    edits.push(if absent { Edit::Unset(field) } else { Edit::Set(field, value) });
}

fn add(edits: &mut Edits, edit: Edit) {
    if let Ok(edits) = edits {
        edits.push(edit);
    }
}

fn replace(edits: &mut Edits, document: Result<Document>) {
    match (edits, document) {
        (Ok(edits), Ok(document)) => {
            // What was set before is set over.
            edits.clear();
            edits.push(Edit::Replace(document));
        }
        (edits @ Ok(_), Err(error)) => *edits = Err(error),
        (Err(_), _) => {}
    }
}

impl<T: NodeType, X> NodeUpdate<T, X> {
    pub(crate) fn new(on: X, target: Target) -> Self {
        let (label, key_field) = (T::LABEL, T::KEY_FIELD);
        let plan = NodePlan { target, label, key_field, edits: Ok(Vec::new()) };
        Self { on, plan, of: PhantomData }
    }

    /// Sets a field, by the name that it has in the document: a dot is a part of it. An
    /// `Option` that is `None` is taken away.
    pub fn set(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        set(&mut self.plan.edits, T::OPTIONS, field.into(), value.into());
        self
    }

    /// Sets a field inside nested maps, `address.city`; maps that are missing on the way
    /// are made.
    pub fn set_path(mut self, path: impl Into<String>, value: impl Into<Value>) -> Self {
        add(&mut self.plan.edits, Edit::SetPath(path.into(), value.into()));
        self
    }

    /// Takes a field away.
    pub fn unset(mut self, field: impl Into<String>) -> Self {
        add(&mut self.plan.edits, Edit::Unset(field.into()));
        self
    }

    /// Replaces the whole document by that of a value, which has the same key.
    pub fn set_all(mut self, value: &T) -> Self {
        replace(&mut self.plan.edits, node_document(value));
        self
    }
}

impl<T: NodeType, X: Execute> NodeUpdate<T, X> {
    /// Stages the changes; on a database, commits them. Gives the id of the node.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) if there is no such node, or what becomes of its document cannot
    /// be stored; [`Error::Typed`](crate::Error::Typed) if it has another label, or the key would change.
    pub fn execute(self) -> Result<NodeId> {
        let plan = self.plan;
        self.on.run(|ctx| {
            let id = find(ctx, plan.target.clone(), &[])?;
            plan.apply(ctx, id)
        })
    }
}

impl<T> From<NodeUpdate<T, InBatch>> for Op {
    fn from(update: NodeUpdate<T, InBatch>) -> Self {
        Self::of_node_update(update.plan)
    }
}

impl<E: EdgeType, X> EdgeUpdate<E, X> {
    pub(crate) fn new(on: X, edge: EdgeTarget) -> Self {
        let plan = EdgePlan { edge, edge_type: E::TYPE, edits: Ok(Vec::new()) };
        Self { on, plan, of: PhantomData }
    }

    /// Sets a field. An `Option` that is `None` is taken away.
    pub fn set(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        set(&mut self.plan.edits, E::OPTIONS, field.into(), value.into());
        self
    }

    /// Takes a field away.
    pub fn unset(mut self, field: impl Into<String>) -> Self {
        add(&mut self.plan.edits, Edit::Unset(field.into()));
        self
    }

    /// Replaces the whole document by that of a value.
    pub fn set_all(mut self, value: &E) -> Self {
        replace(&mut self.plan.edits, edge_document(value));
        self
    }
}

impl<E: EdgeType, X: Execute> EdgeUpdate<E, X> {
    /// Stages the changes; on a database, commits them. Gives the edge.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) if an end does not exist, or what becomes of the document cannot
    /// be stored; [`Error::Typed`](crate::Error::Typed) if there is no such edge, or several.
    pub fn execute(self) -> Result<Edge> {
        let plan = self.plan;
        self.on.run(|ctx| plan.apply(ctx, &|ctx, target| find(ctx, target, &[])))
    }
}

impl<E> From<EdgeUpdate<E, InBatch>> for Op {
    fn from(update: EdgeUpdate<E, InBatch>) -> Self {
        Self::of_edge_update(update.plan)
    }
}

/// The document of a value.
pub(crate) fn node_document<T: NodeType>(value: &T) -> Result<Document> {
    let owner = T::LABEL;
    value.to_document().map_err(|source| TypedError::Write { owner, source }.into())
}

/// The document of a value.
pub(crate) fn edge_document<E: EdgeType>(value: &E) -> Result<Document> {
    let owner = E::TYPE;
    value.to_document().map_err(|source| TypedError::Write { owner, source }.into())
}

impl NodePlan {
    pub(crate) fn apply(self, ctx: &mut Transaction<'_>, id: NodeId) -> Result<NodeId> {
        let edits = self.edits?;
        let node = ctx.node(id)?.ok_or(GraphError::NotFound(Entity::Node(id)))?;
        check_label(&node, self.label)?;
        if let Some(field) = self.key_field {
            check_key(&node, self.label, field, &edits)?;
        }
        match &edits[..] {
            [] => {}
            [Edit::Replace(document)] => ctx.replace(id, document.clone())?,
            [Edit::SetPath(path, value)] => ctx.set_path(id, path, value.clone())?,
            [Edit::Unset(field)] => drop(ctx.unset(id, field)?),
            edits => match only_sets(edits) {
                Some(fields) => ctx.set_many(id, fields)?,
                None => {
                    let schema = ctx.definitions();
                    let definition = schema.and_then(|of| of.named(Kind::Nodes, self.label));
                    let owner = || Owner::Label(self.label.to_owned());
                    let document = upgraded(definition, node.document(), owner)?;
                    let document = edited(&document, edits, || Entity::Node(id))?;
                    ctx.replace(id, document)?;
                }
            },
        }
        Ok(id)
    }
}

pub(crate) fn check_label(node: &Node<'_>, expected: &'static str) -> Result<()> {
    if node.label() != expected {
        let (node, found) = (node.id(), node.label().to_owned());
        return Err(TypedError::Label { node, expected, found }.into());
    }
    Ok(())
}

/// Whether the field that stands for the key stays what it is.
fn check_key(
    node: &Node<'_>,
    label: &'static str,
    field: &'static str,
    edits: &[Edit],
) -> Result<()> {
    for edit in edits {
        let wanted = match edit {
            Edit::Set(name, value) | Edit::SetPath(name, value) if name == field => Some(value),
            Edit::Unset(name) if name == field => None,
            Edit::Replace(document) => match document.get(field) {
                Some(value) => Some(value),
                // A type that does not store it leaves it to the key.
                None => continue,
            },
            _ => continue,
        };
        let wanted = wanted.and_then(key_text);
        if wanted.is_none() || wanted.as_deref() != node.key() {
            let wanted = wanted.map_or("absent, or no key".to_owned(), |key| format!("{key:?}"));
            let key = node.key().map(str::to_owned);
            return Err(TypedError::KeyChange { label, field, key, wanted }.into());
        }
    }
    Ok(())
}

/// The key that a value stands for.
fn key_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string()),
        Value::I64(number) => Some(number.to_string()),
        Value::U64(number) => Some(number.to_string()),
        _ => None,
    }
}

impl EdgePlan {
    /// `find` finds the ends.
    pub(crate) fn apply(
        self,
        ctx: &mut Transaction<'_>,
        find: &dyn Fn(&Transaction<'_>, Target) -> Result<NodeId>,
    ) -> Result<Edge> {
        let (edits, edge_type) = (self.edits?, self.edge_type);
        let found = match self.edge {
            EdgeTarget::This(edge) => {
                let between = ctx.edges_between(edge.source, edge_type, edge.target)?;
                let found = between.into_iter().find(|other| other.edge() == edge);
                found.ok_or_else(|| {
                    GraphError::NotFound(Entity::Edge(ctx.view().named_edge(edge)))
                })?
            }
            EdgeTarget::Between(source, target) => {
                let (source_node, target) = (find(ctx, source)?, find(ctx, target)?);
                match ctx.edges_between(source_node, edge_type, target)?[..] {
                    [edge] => edge,
                    [] => return Err(TypedError::NoEdge { edge_type, source_node, target }.into()),
                    [_, _, ..] => {
                        let count = ctx.edges_between(source_node, edge_type, target)?.len();
                        let several =
                            TypedError::SeveralEdges { edge_type, source_node, target, count };
                        return Err(several.into());
                    }
                }
            }
        };
        let edge = found.edge();
        match &edits[..] {
            [] => {}
            [Edit::Replace(document)] => ctx.replace_edge(edge, document.clone())?,
            [Edit::Unset(field)] => drop(ctx.unset_edge(edge, field)?),
            edits => match only_sets(edits) {
                Some(fields) => ctx.set_edge(edge, fields)?,
                None => {
                    let schema = ctx.definitions();
                    let definition = schema.and_then(|of| of.named(Kind::Edges, edge_type));
                    let owner = || Owner::EdgeType(edge_type.to_owned());
                    let document = upgraded(definition, found.document(), owner)?;
                    let document = edited(&document, edits, || Entity::Edge(found.named()))?;
                    ctx.replace_edge(edge, document)?;
                }
            },
        }
        Ok(edge)
    }
}

/// The fields that are set, if nothing else is done.
fn only_sets(edits: &[Edit]) -> Option<Document> {
    let fields = edits.iter().map(|edit| match edit {
        Edit::Set(field, value) => Some((field.clone(), value.clone())),
        _ => None,
    });
    fields.collect::<Option<Vec<_>>>().map(|fields| fields.into_iter().collect())
}

/// What several edits make of a document: rules see the outcome, not what lies between.
fn edited(document: &[u8], edits: &[Edit], entity: impl FnOnce() -> Entity) -> Result<Document> {
    let mut bytes = document.to_vec();
    let mut step = |edit: &Edit| -> Result<(), EncodeError> {
        let mut next = Vec::new();
        match edit {
            Edit::Set(field, value) => set_field(&bytes, field, value, &mut next)?,
            Edit::SetPath(path, value) => set_path(&bytes, path, value, &mut next)?,
            Edit::Unset(field) => drop(unset_field(&bytes, field, &mut next)),
            Edit::Replace(document) => selvedge_encoding::encode_into(document, &mut next)?,
        }
        bytes = next;
        Ok(())
    };
    match edits.iter().try_for_each(&mut step) {
        Ok(()) => Ok(DocRef::trusted(&bytes).to_document()),
        Err(EncodeError::TypeMismatch(mismatch)) => Err(mismatch.into()),
        Err(source) => Err(GraphError::Document { entity: entity().to_string(), source }.into()),
    }
}

impl<T, X> fmt::Debug for NodeUpdate<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeUpdate").field(&self.plan).finish()
    }
}

impl<E, X> fmt::Debug for EdgeUpdate<E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EdgeUpdate").field(&self.plan).finish()
    }
}
