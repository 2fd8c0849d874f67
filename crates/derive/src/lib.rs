//! `#[derive(Node)]` and `#[derive(Edge)]`: what a struct is in the database, from its
//! fields and those attributes of serde that decide what is stored.
//!
//! ```text
//! attributes        --  #[node(..)], #[edge(..)], as they stand there
//! serde_attributes  --  #[serde(..)]: under which name a field is stored, if at all
//!       fields      --  both together, and whether they make sense
//!   node, edge      --  the implementation of the trait
//! ```
//!
//! What is refused here is refused with the place and the cure. What needs the types of
//! fields is left to the definition that the generated code builds: this crate sees
//! tokens, no types.
//!
//! The macros are used through the crate `selvedge`, whose traits `NodeType` and
//! `EdgeType` they implement.

mod attributes;
mod edge;
mod fields;
mod length;
mod node;
mod refusals;
mod rename;
mod serde_attributes;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct a node: implements `NodeType`. The struct also derives serde's
/// `Serialize` and `Deserialize`; what they store is what is defined.
///
/// On the struct:
///
/// | attribute | meaning |
/// |---|---|
/// | `#[node(label = "User")]` | the label; without it, the struct's name |
/// | `#[node(index(on("address.city", "age"), name = "city_age", unique))]` | an index over paths; `tags[]` gives an entry per element. The name and `unique` may be left out |
/// | `#[node(allow_unknown_fields)]` | documents may hold fields that the struct has not |
/// | `#[node(crate = path)]` | where the crate `selvedge` is, if not there |
///
/// On a field:
///
/// | attribute | meaning |
/// |---|---|
/// | `#[node(key)]` | it names the node within its label: a `String` or an integer |
/// | `#[node(unique)]` | no two nodes have the same value: a unique index |
/// | `#[node(index)]` | an index |
/// | `#[node(default = 5)]`, `#[node(default)]` | what is stored where it is absent |
/// | `#[node(min = 0, max = 150)]` | bounds of numbers and moments |
/// | `#[node(length = 1..=40)]` | lengths of strings, lists, vectors, bytes, maps |
/// | `#[node(field_type = FieldType::Number)]` | its type, if its `Deserialize` does not tell |
///
/// An `Option` is an optional field: absent if it is `None`. `#[serde(default)]` and
/// `#[serde(skip_serializing_if = "..")]` make a field optional, too. `rename`,
/// `rename_all`, `skip`, `with` are honoured.
#[proc_macro_derive(Node, attributes(node))]
pub fn derive_node(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    node::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes a struct an edge: implements `EdgeType`. The struct also derives serde's
/// `Serialize` and `Deserialize`.
///
/// On the struct:
///
/// | attribute | meaning |
/// |---|---|
/// | `#[edge(type = "KNOWS")]` | the edge type; without it, the struct's name: `WorksAt` is `WORKS_AT` |
/// | `#[edge(from = User, to = City)]` | between which nodes it runs: structs that are nodes; `"User"` is a label. Without them, any |
/// | `#[edge(multi)]` | several may run from one node to another |
/// | `#[edge(allow_unknown_fields)]`, `#[edge(crate = path)]` | as for nodes |
///
/// On a field: `default`, `min`, `max`, `length`, `field_type`, as for nodes.
#[proc_macro_derive(Edge, attributes(edge))]
pub fn derive_edge(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    edge::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
