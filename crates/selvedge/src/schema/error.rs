//! Definitions that cannot be made.

use selvedge_schema::{DefinitionError, Owner, SchemaDifference, Violation};

use selvedge_graph::Entity;

/// Why a label or edge type cannot be defined so, or changed so. Nothing of it is
/// applied.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The definition makes no sense.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// It is defined otherwise: lines with `-` are stored, lines with `+` wanted.
    #[error(
        "what is wanted differs from what is stored; change it by a migration, or the program.\n{0}"
    )]
    Differs(SchemaDifference),
    /// There is a node, or edge, that does not keep the definition.
    #[error("{entity} does not keep the definition: {violation}; mend it, or define less")]
    Existing {
        /// The first one found.
        entity: Entity,
        /// What is wrong with it.
        violation: Box<Violation>,
    },
    /// There is no such definition.
    #[error("{0} has no definition")]
    Undefined(Owner),
}
