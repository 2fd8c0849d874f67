//! Definitions: what documents of a label or edge type hold, and checking that
//! they do.
//!
//! ```text
//! NodeDef, EdgeDef  --  what a program declares, by builders
//!      DocumentDef  --  fields, key, indexes of one label or edge type
//!           Schema  --  all of them, as stored: with revisions, and what is changing
//!             Step  --  how one definition becomes another, and its documents with it
//! ```
//!
//! ```
//! use selvedge_encoding::{DocRef, doc, encode};
//! use selvedge_schema::{FieldDef, NodeDef};
//!
//! let user = NodeDef::new("User")
//!     .field(FieldDef::string("name").length(1..=80))
//!     .field(FieldDef::int("age").optional().min(0));
//! let check = |document| {
//!     let bytes = encode(&document).expect("small");
//!     user.document().check(DocRef::trusted(&bytes), None).map_err(|violation| violation.to_string())
//! };
//! assert!(check(doc! { "name": "Alice", "age": 31 }).is_ok());
//! assert_eq!(
//!     check(doc! { "name": "Alice", "age": "31" }).unwrap_err(),
//!     "field `age`: expected int, found string",
//! );
//! ```
//!
//! Invariants:
//! - S1: a label without a definition accepts every document.
//! - S2: a document that [`DocumentDef::check`] accepts, with the defaults that it
//!   asks for, is accepted again.
//! - S3: a revision is never used twice: a definition that was dropped and made again
//!   has another one.
//! - S4: a document that was converted is not changed by converting it again.
//! - S5: bytes that [`Schema::decode`] accepts are those of a valid schema.
//!
//! Reading order: [`FieldType`], [`FieldDef`], [`IndexDef`], [`DocumentDef`],
//! [`NodeDef`], [`EdgeDef`]; `check` and [`Violation`]; [`Step`], [`Schema`],
//! [`GainedDefault`], `stored`, [`SchemaDifference`].
//!
//! This crate knows no node, transaction or file, and no entry of an index.

mod check;
mod difference;
mod document_def;
mod edge_def;
mod error;
mod field;
mod field_type;
mod gained_default;
mod index_def;
mod index_keys;
mod node_def;
mod schema;
mod step;
mod stored;
mod violation;

pub use check::Missing;
pub use difference::SchemaDifference;
pub use document_def::DocumentDef;
pub use edge_def::EdgeDef;
pub use error::{DefinitionError, StoredSchemaError};
pub use field::{FieldDef, Presence, Shown};
pub use field_type::FieldType;
pub use gained_default::GainedDefault;
pub use index_def::{IndexDef, IndexNumber, IndexPath, IndexState};
pub use index_keys::{IndexKey, IndexKeyError, IndexKeys, ordered_values};
pub use node_def::NodeDef;
pub use schema::{Change, Definition, Kind, Phase, Schema};
pub use step::Step;
pub use violation::{Owner, Violation, ViolationKind};
