//! Structs as nodes and edges: the same operations as on documents, by type.
//!
//! ```text
//!   NodeType, EdgeType  --  what a struct is: label, key, definition; by derive or by hand
//!               Locate  --  what finds a node: its id, its key, its value
//!  Stored, StoredEdge   --  a value with its id, as it was read
//!           Read::get.. --  reading, in snapshots and transactions
//!   Transaction::insert.. --  writing
//!        Db::insert..   --  the same, each a transaction of its own
//! ```
//!
//! Nothing is checked here that definitions say: typed and untyped writes meet in one
//! staging, where the rules are. What is kept here:
//! - T1: a node is read and changed as a type only if it has the type's label.
//! - T2: a node's key and the field that stands for it stay the same.
//! - T3: an operation stages all that it says, or nothing.

pub(crate) mod define;
pub mod derived;
pub(crate) mod edge_type;
pub(crate) mod error;
pub(crate) mod field_type;
pub(crate) mod locate;
pub(crate) mod node_type;
pub(crate) mod reading;
pub(crate) mod stored;
pub(crate) mod update;

mod auto_commit;
mod writing;
