//! What is a node, and what an edge.
//!
//! ```text
//! (Package python3:amd64=3.11.2-1+b1) -[DEPENDS_ON versions: ["= 3.11.2-1+b1"]]-> (Package ..)
//!                                     -[RECOMMENDS]-> (Virtual ..)
//! ```

use selvedge::prelude::*;
use serde::{Deserialize, Serialize};

/// One triple of name, version and architecture. Fields are those of its stanza, in
/// small letters and with underscores; those it lacks are absent.
#[derive(Serialize, Deserialize, Node, Debug)]
#[node(index(on("tags[]"), name = "tag"))]
pub(crate) struct Package {
    /// `name:architecture=version`.
    #[node(key)]
    pub(crate) id: String,
    #[node(index, length = 2..=255)]
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) architecture: String,
    #[node(index)]
    pub(crate) section: Option<String>,
    pub(crate) priority: Option<String>,
    #[node(index)]
    pub(crate) maintainer: Option<String>,
    pub(crate) homepage: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) multi_arch: Option<String>,
    /// Of the archive, in bytes.
    pub(crate) size: Option<u64>,
    /// In KiB.
    #[node(index)]
    pub(crate) installed_size: Option<u64>,
    #[node(default)]
    pub(crate) tags: Vec<String>,
}

/// A name that packages depend on, and that none has.
#[derive(Serialize, Deserialize, Node, Debug)]
pub(crate) struct Virtual {
    #[node(key)]
    pub(crate) name: String,
    /// How many packages provide it.
    pub(crate) provided_by: u32,
}

/// Everything that a package says about another one it needs: the same fields for two
/// types of edges, whose target is a package or a virtual one.
macro_rules! needs {
    ($($(#[$meta:meta])* $name:ident = $edge_type:literal,)*) => {$(
        $(#[$meta])*
        #[derive(Serialize, Deserialize, Edge, Debug)]
        #[edge(type = $edge_type, from = Package)]
        pub(crate) struct $name {
            /// The qualifier behind a colon.
            pub(crate) architecture: Option<String>,
            /// Its best place among alternatives, from 0; absent if one clause has none.
            pub(crate) choice: Option<u32>,
            /// Whether it is needed before the package is unpacked.
            pub(crate) pre: bool,
            /// Which versions would do; absent if all.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub(crate) versions: Vec<String>,
        }
    )*};
}

needs! {
    /// `Depends` and `Pre-Depends`.
    DependsOn = "DEPENDS_ON",
    /// `Recommends`.
    Recommends = "RECOMMENDS",
}

/// What the database is to keep to.
pub(crate) fn definitions() -> [Define; 4] {
    [
        Define::node::<Package>(),
        Define::node::<Virtual>(),
        Define::edge::<DependsOn>(),
        Define::edge::<Recommends>(),
    ]
}
