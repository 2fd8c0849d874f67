//! Definitions that make no sense, and stored ones that are not understood.

use selvedge_encoding::{DecodeError, EncodeError};

use crate::Owner;

/// A definition that makes no sense. Nothing of it is applied.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// A named limit is exceeded.
    #[error("the definition of {owner}: {what} is {actual}, the limit is {limit}")]
    Limit {
        /// Whose definition.
        owner: Owner,
        /// What is limited.
        what: &'static str,
        /// What was given.
        actual: usize,
        /// The limit.
        limit: usize,
    },
    /// The name of the label or edge type is empty.
    #[error("the definition of {owner}: its name may not be empty")]
    EmptyName {
        /// Whose definition.
        owner: Owner,
    },
    /// The name of a field, or a part of a path, is none: empty, or with a dot or
    /// bracket in it.
    #[error(
        "the definition of {owner}: {name:?} is no name of a field: \
         it may not be empty, nor contain `.` or `[`"
    )]
    FieldName {
        /// Whose definition.
        owner: Owner,
        /// The name.
        name: String,
    },
    /// A default is refused by the field's own rules.
    #[error("the definition of {owner}: the default of {reason}")]
    Default {
        /// Whose definition.
        owner: Owner,
        /// The field, and why.
        reason: String,
    },
    /// A rule does not fit the type of its field, or no value keeps it.
    #[error("the definition of {owner}: field `{field}`: {reason}")]
    Rule {
        /// Whose definition.
        owner: Owner,
        /// The field.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// The key is a field that cannot stand for one.
    #[error(
        "the definition of {owner}: the key field `{field}` is {found}; \
         it has to be a string, int or uint"
    )]
    Key {
        /// Whose definition.
        owner: Owner,
        /// The field.
        field: String,
        /// Its type.
        found: String,
    },
    /// An index that makes no sense.
    #[error("the definition of {owner}: index {index:?}: {reason}")]
    Index {
        /// Whose definition.
        owner: Owner,
        /// The name of the index.
        index: String,
        /// What is wrong.
        reason: String,
    },
    /// A field of edges is to be indexed.
    #[error("the definition of {owner}: index {index:?}: documents of edges have no indexes")]
    IndexOfEdges {
        /// Whose definition.
        owner: Owner,
        /// The name of the index.
        index: String,
    },
    /// A step of a migration does not fit the definition.
    #[error("the migration of {owner} cannot {step}: {reason}")]
    Step {
        /// Whose definition.
        owner: Owner,
        /// The step.
        step: String,
        /// What is wrong.
        reason: String,
    },
    /// The whole schema does not fit into what stores it.
    #[error("the schema cannot be stored: {0}")]
    Store(EncodeError),
}

/// A stored schema that is not understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoredSchemaError {
    /// It was written by a newer version of this program.
    #[error("the schema has format {found}, and this program knows formats up to {known}")]
    Newer {
        /// The format found.
        found: u64,
        /// The newest one known.
        known: u64,
    },
    /// The bytes are no document.
    #[error("the schema is damaged: {0}")]
    Damaged(DecodeError),
    /// The document is no schema.
    #[error("the schema is damaged: {0}")]
    Malformed(String),
}
