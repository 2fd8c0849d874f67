//! The definition of an edge type.

use crate::{DefinitionError, DocumentDef, FieldDef, Owner};

/// The definition of an edge type: between which labels its edges run, how many
/// between the same two nodes, and what their documents hold.
///
/// ```
/// use selvedge_schema::{EdgeDef, FieldDef};
///
/// let knows = EdgeDef::unique("KNOWS").from("User").to("User").field(FieldDef::int("since"));
/// assert_eq!(knows.edge_type(), "KNOWS");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeDef {
    edge_type: String,
    multi: bool,
    from: Option<String>,
    to: Option<String>,
    document: DocumentDef,
}

impl EdgeDef {
    /// At most one edge from one node to another; linking again replaces its document.
    #[must_use]
    pub fn unique(edge_type: impl Into<String>) -> Self {
        let document = DocumentDef::default();
        Self { edge_type: edge_type.into(), multi: false, from: None, to: None, document }
    }

    /// Any number of edges from one node to another, each with an id.
    #[must_use]
    pub fn multi(edge_type: impl Into<String>) -> Self {
        Self { multi: true, ..Self::unique(edge_type) }
    }

    /// Only nodes with this label may be the source.
    #[must_use]
    pub fn from(self, label: impl Into<String>) -> Self {
        Self { from: Some(label.into()), ..self }
    }

    /// Only nodes with this label may be the target.
    #[must_use]
    pub fn to(self, label: impl Into<String>) -> Self {
        Self { to: Some(label.into()), ..self }
    }

    /// A field. One of the same name is replaced.
    #[must_use]
    pub fn field(mut self, field: FieldDef) -> Self {
        self.document.add_field(field);
        self
    }

    /// Several fields.
    #[must_use]
    pub fn fields(self, fields: impl IntoIterator<Item = FieldDef>) -> Self {
        fields.into_iter().fold(self, Self::field)
    }

    /// Documents may hold fields that the definition does not name.
    #[must_use]
    pub fn allow_unknown_fields(mut self) -> Self {
        self.document.open = true;
        self
    }

    /// The name of the type.
    #[must_use]
    pub fn edge_type(&self) -> &str {
        &self.edge_type
    }

    /// Whether several edges may run between the same two nodes.
    #[must_use]
    pub fn is_multi(&self) -> bool {
        self.multi
    }

    /// The label that sources must have, if any is demanded.
    #[must_use]
    pub fn source_label(&self) -> Option<&str> {
        self.from.as_deref()
    }

    /// The label that targets must have, if any is demanded.
    #[must_use]
    pub fn target_label(&self) -> Option<&str> {
        self.to.as_deref()
    }

    /// What it says about documents.
    #[must_use]
    pub fn document(&self) -> &DocumentDef {
        &self.document
    }

    /// The name and what is said about documents, if that makes sense.
    ///
    /// # Errors
    /// [`DefinitionError`], the first one.
    pub fn into_document(self) -> Result<(String, DocumentDef), DefinitionError> {
        let owner = Owner::EdgeType(self.edge_type.clone());
        self.document.validate(&owner)?;
        Ok((self.edge_type, self.document))
    }
}
