//! Definitions that cannot be made, or changed.

use selvedge_graph::Entity;
use selvedge_schema::{DefinitionError, Owner, SchemaDifference, Violation};

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
    /// It is to be defined in two ways at once.
    #[error("one definition differs from another one beside it.\n{0}")]
    Twice(SchemaDifference),
    /// There is a node, or edge, that would not keep the definition.
    #[error("{entity} does not keep the definition: {violation}; mend it, or define less")]
    Existing {
        /// The first one found.
        entity: Entity,
        /// What is wrong with it, or would be.
        violation: Box<Violation>,
    },
    /// There is no such definition.
    #[error("{0} has no definition that could be changed; define it")]
    Undefined(Owner),
    /// Another migration has begun to convert what is there, and has to end first.
    #[error("a migration of {0} is under way: run one without steps to end it, then this one")]
    UnderWay(Owner),
    /// Somebody else has changed the definition while this change was under way.
    #[error("{0} was defined anew by somebody else meanwhile; look at what there is, and decide")]
    Overtaken(Owner),
}
