//! Migrations: changing a definition, and what is there with it.

use std::fmt;

use selvedge_schema::{FieldDef, IndexDef, Owner, Phase, Step};

use crate::db::Db;
use crate::error::Result;
use crate::schema::change::{MigrationProgress, OnProgress};
use crate::schema::error::SchemaError;

/// A change of the definition of a label or edge type, from [`Db::migrate`]. Nothing
/// happens before [`run`](Self::run).
pub struct Migration<'db> {
    db: &'db Db,
    owner: Owner,
    steps: Vec<Step>,
    report: Box<OnProgress<'db>>,
}

impl Db {
    /// Changes the definition of a label, and its nodes with it, step by step:
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::{FieldDef, NodeDef};
    ///
    /// let db = Db::in_memory();
    /// let user = NodeDef::new("User").field(FieldDef::string("nick")).field(FieldDef::any("old"));
    /// db.define([user])?;
    /// let alice = db.insert_node("User", "alice", doc! { "nick": "Al", "old": 1 })?;
    ///
    /// db.migrate("User")
    ///     .rename_field("nick", "alias")
    ///     .drop_field("old")
    ///     .add_field(FieldDef::int("level").default(1))
    ///     .run()?;
    /// let document = db.snapshot()?.node(alice)?.expect("inserted").document().to_document();
    /// assert_eq!(document, doc! { "alias": "Al", "level": 1 });
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// Every node is verified first, while the old definition holds. If one cannot be
    /// converted, nothing is changed, and the error names it. Then the new definition
    /// holds at once for whatever is written, and what is there is converted bit by
    /// bit, beside other transactions; until that has ended readers meet both. Commits
    /// that wrote nodes of the label, and began before, are conflicts.
    ///
    /// After a crash a migration goes on where it was when it is run again; one that
    /// had begun to convert ends by a migration without steps, too.
    #[must_use]
    pub fn migrate(&self, label: &str) -> Migration<'_> {
        Migration::new(self, Owner::Label(label.to_owned()))
    }

    /// As [`migrate`](Self::migrate), of an edge type and the documents of its edges.
    #[must_use]
    pub fn migrate_edges(&self, edge_type: &str) -> Migration<'_> {
        Migration::new(self, Owner::EdgeType(edge_type.to_owned()))
    }
}

impl<'db> Migration<'db> {
    fn new(db: &'db Db, owner: Owner) -> Self {
        Self { db, owner, steps: Vec::new(), report: Box::new(|_| {}) }
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    fn with_index(self, index: Option<IndexDef>) -> Self {
        index.into_iter().fold(self, Self::add_index)
    }

    /// Adds a field. Nodes that lack it get its default; without one it has to be
    /// optional if there are any nodes.
    #[must_use]
    pub fn add_field(self, field: FieldDef) -> Self {
        let (field, index) = field.split();
        self.step(Step::AddField(field)).with_index(index)
    }

    /// Drops a field, and its values.
    #[must_use]
    pub fn drop_field(self, name: &str) -> Self {
        self.step(Step::DropField(name.to_owned()))
    }

    /// Gives a field another name, in documents and in the paths of indexes. An index that
    /// is named after its paths, as those of fields are, is called by the new one from then
    /// on, as a definition with the new name has it; one that was given a name keeps it.
    #[must_use]
    pub fn rename_field(self, from: &str, to: &str) -> Self {
        self.step(Step::RenameField { from: from.to_owned(), to: to.to_owned() })
    }

    /// Gives a field another definition. Values that are there have to keep it; those
    /// that are not get its default.
    #[must_use]
    pub fn change_field(self, field: FieldDef) -> Self {
        let (field, index) = field.split();
        self.step(Step::ChangeField(field)).with_index(index)
    }

    /// Every node has to have a field, and has it.
    #[must_use]
    pub fn make_required(self, name: &str) -> Self {
        self.step(Step::MakeRequired(name.to_owned()))
    }

    /// A field may be absent.
    #[must_use]
    pub fn make_optional(self, name: &str) -> Self {
        self.step(Step::MakeOptional(name.to_owned()))
    }

    /// Adds an index.
    #[must_use]
    pub fn add_index(self, index: IndexDef) -> Self {
        self.step(Step::AddIndex(index))
    }

    /// Drops an index.
    #[must_use]
    pub fn drop_index(self, name: &str) -> Self {
        self.step(Step::DropIndex(name.to_owned()))
    }

    /// Fields that the definition does not name are allowed from now on, or are not.
    #[must_use]
    pub fn allow_unknown_fields(self, allow: bool) -> Self {
        self.step(Step::AllowUnknownFields(allow))
    }

    /// Tells how far it is, now and then.
    #[must_use]
    pub fn on_progress(self, report: impl FnMut(MigrationProgress) + 'db) -> Self {
        Self { report: Box::new(report), ..self }
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// [`Error::Schema`](crate::Error::Schema): a step does not fit, a node cannot be
    /// converted, another migration is under way; nothing is changed then. Otherwise as
    /// [`Db::transaction_retry`]; it can be run again then.
    pub fn run(mut self) -> Result<()> {
        self.begin()?;
        self.db.carry_out(std::slice::from_ref(&self.owner), &[], &mut *self.report)
    }

    /// Begins it, or takes up the one that is under way.
    fn begin(&self) -> Result<()> {
        let owner = &self.owner;
        let undefined = || SchemaError::Undefined(owner.clone());
        self.db.change_schema(|schema, _| {
            let definition = schema.definition(owner).ok_or_else(undefined)?;
            if let Some(change) = definition.change() {
                // The same one, interrupted by a crash, say.
                if self.steps.is_empty() || change.steps() == self.steps {
                    return Ok(false);
                }
                if change.phase() == Phase::Converting {
                    return Err(SchemaError::UnderWay(owner.clone()).into());
                }
            }
            let document = definition.document().ok_or_else(undefined)?;
            let to = document.migrated(owner, &self.steps).map_err(SchemaError::from)?;
            if to == *document && definition.change().is_none() {
                return Ok(false);
            }
            schema.begin(owner, to, self.steps.clone());
            Ok(true)
        })
    }
}

impl fmt::Debug for Migration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.steps.iter().map(Step::to_string);
        f.debug_list().entries(steps).finish()
    }
}
