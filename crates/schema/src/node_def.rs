//! The definition of a label.

use crate::{DefinitionError, DocumentDef, FieldDef, IndexDef, Owner};

/// The definition of a label: what its nodes' documents hold.
///
/// ```
/// use selvedge_schema::{FieldDef, IndexDef, NodeDef};
///
/// let user = NodeDef::new("User")
///     .key("name")
///     .field(FieldDef::string("email").unique())
///     .field(FieldDef::int("age").optional())
///     .field(FieldDef::map("address").optional())
///     .index(IndexDef::on(["address.city", "age"]));
/// assert_eq!(user.document().indexes().len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDef {
    label: String,
    document: DocumentDef,
}

impl NodeDef {
    /// The definition of a label whose documents have no field yet.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), document: DocumentDef::default() }
    }

    /// Nodes have a key, which stands for this field. A document may hold the field as
    /// well, as a string or an integer: then it is the same as the key.
    #[must_use]
    pub fn key(mut self, field: impl Into<String>) -> Self {
        self.document.key = Some(field.into());
        self.document.add_key_field();
        self
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

    /// An index. One of the same name is replaced.
    #[must_use]
    pub fn index(mut self, index: IndexDef) -> Self {
        self.document.add_index(index);
        self
    }

    /// Documents may hold fields that the definition does not name.
    #[must_use]
    pub fn allow_unknown_fields(mut self) -> Self {
        self.document.open = true;
        self
    }

    /// The label.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What it says about documents.
    #[must_use]
    pub fn document(&self) -> &DocumentDef {
        &self.document
    }

    /// The label and what is said about its documents, if that makes sense.
    ///
    /// # Errors
    /// [`DefinitionError`], the first one.
    pub fn into_document(self) -> Result<(String, DocumentDef), DefinitionError> {
        let owner = Owner::Label(self.label.clone());
        self.document.validate(&owner)?;
        Ok((self.label, self.document))
    }
}
