//! Identifiers of entities. Each is a number of its own kind; those of nodes and
//! edges are given out once and never reused.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($inner);

        impl $name {
            /// The identifier with this number.
            #[must_use]
            #[inline]
            pub const fn new(number: $inner) -> Self {
                Self(number)
            }

            /// The number behind the identifier.
            #[must_use]
            #[inline]
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id! {
    /// A node. The first is 1; 0 names no node.
    NodeId(u64), "n"
}
id! {
    /// An edge that has a document, or whose type allows several between the
    /// same two nodes. The first is 1; 0 names no edge.
    EdgeId(u64), "e"
}
id! {
    /// The label of a node. The number of a name that no commit came to use may
    /// be given to another name.
    LabelId(u32), "label"
}
id! {
    /// The type of an edge. The number of a name that no commit came to use may
    /// be given to another name: the handle of an edge from a transaction that
    /// rolled back names nothing.
    EdgeTypeId(u32), "type"
}
