//! What finds a node.

use std::borrow::Cow;

use selvedge_base::NodeId;
use selvedge_graph::{Entity, GraphError, Node};

use crate::batch::Target;
use crate::error::Result;
use crate::read::Read;
use crate::typed::edge_type::AnyNode;
use crate::typed::error::TypedError;
use crate::typed::node_type::{NodeKey, NodeType};
use crate::typed::stored::Stored;

/// What finds a node of type `T`: its id, its key (`"alice"`, `42`), a reference to a value
/// with its key, or a [`Stored`] one. For [`AnyNode`] also a label with a key. A
/// [`Target`] is for batches.
///
/// ```
/// use selvedge::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Node)]
/// struct Account {
///     #[node(key)]
///     number: u64,
/// }
///
/// let db = Db::in_memory();
/// let account = Account { number: 42 };
/// let id = db.insert(&account)?;
/// assert_eq!(db.get::<Account>(42)?.expect("inserted").id(), id);
/// assert_eq!(db.get::<Account>(id)?.expect("inserted").number, 42);
/// assert_eq!(db.get::<Account>(&account)?.expect("inserted").id(), id);
/// # Ok::<(), Error>(())
/// ```
///
/// What does not find it, does not compile:
///
/// ```compile_fail,E0277
/// # use selvedge::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, Node)]
/// # struct Account {
/// #     #[node(key)]
/// #     number: u64,
/// # }
/// # let db = Db::in_memory();
/// db.get::<Account>("alice");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not find a `{T}`",
    label = "finds no `{T}`",
    note = "a node is found by its id, by its key, by `&` of its value if that has a key, \
            or by `&` of a `Stored` one"
)]
pub trait Locate<T> {
    /// Where it is.
    fn place(&self) -> Place<'_>;
}

/// Where a node is to be found.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Place<'a> {
    /// The node with this id, of whatever label.
    Id(NodeId),
    /// The node with this id, whose label is known to be right: labels never change.
    Typed(NodeId),
    /// The node with this key, and the label of the type.
    Key(Cow<'a, str>),
    /// The node with this label and key.
    Labelled {
        /// The label.
        label: Cow<'a, str>,
        /// The key.
        key: Cow<'a, str>,
    },
    /// The node that an earlier operation of a batch inserted.
    Inserted(usize),
    /// A value without a key, of the type with this label: nothing is found by it.
    Keyless(&'static str),
}

impl<T> Locate<T> for NodeId {
    fn place(&self) -> Place<'_> {
        Place::Id(*self)
    }
}

impl<T: NodeType> Locate<T> for &Stored<T> {
    fn place(&self) -> Place<'_> {
        Place::Typed(self.id())
    }
}

impl<T: NodeType> Locate<AnyNode> for &Stored<T> {
    fn place(&self) -> Place<'_> {
        Place::Typed(self.id())
    }
}

fn of_value<T: NodeType<Key: NodeKey>>(value: &T) -> Place<'_> {
    match value.key() {
        Some(key) => Place::Labelled { label: T::LABEL.into(), key },
        None => Place::Keyless(T::LABEL),
    }
}

/// The key under which a value is upserted.
pub(crate) fn required_key<T: NodeType>(value: &T) -> Result<Cow<'_, str>> {
    value.key().ok_or_else(|| TypedError::NoKey { label: T::LABEL }.into())
}

/// The key under which a value is inserted: without one only if the type names no field
/// that stands for it.
pub(crate) fn given_key<T: NodeType>(value: &T) -> Result<Option<Cow<'_, str>>> {
    match T::KEY_FIELD {
        Some(_) => required_key(value).map(Some),
        None => Ok(value.key()),
    }
}

impl<T: NodeType<Key: NodeKey>> Locate<T> for &T {
    fn place(&self) -> Place<'_> {
        of_value(*self)
    }
}

impl<T: NodeType<Key: NodeKey>> Locate<AnyNode> for &T {
    fn place(&self) -> Place<'_> {
        of_value(*self)
    }
}

impl<T: NodeType<Key = String>> Locate<T> for &str {
    fn place(&self) -> Place<'_> {
        Place::Key(Cow::Borrowed(self))
    }
}

impl<T: NodeType<Key = String>> Locate<T> for &String {
    fn place(&self) -> Place<'_> {
        Place::Key(Cow::Borrowed(self))
    }
}

impl<T: NodeType<Key = String>> Locate<T> for String {
    fn place(&self) -> Place<'_> {
        Place::Key(Cow::Borrowed(self))
    }
}

macro_rules! located_by_integers {
    ($($integer:ident),*) => {$(
        impl<T: NodeType<Key = $integer>> Locate<T> for $integer {
            fn place(&self) -> Place<'_> {
                Place::Key(self.text())
            }
        }
    )*};
}

located_by_integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl Locate<AnyNode> for (&str, &str) {
    fn place(&self) -> Place<'_> {
        Place::Labelled { label: self.0.into(), key: self.1.into() }
    }
}

impl<T> Locate<T> for Target {
    fn place(&self) -> Place<'_> {
        match self {
            Self::Id(id) => Place::Id(*id),
            Self::Key(label, key) => Place::Labelled { label: label.into(), key: key.into() },
            Self::Inserted(place) => Place::Inserted(*place),
            Self::Keyless(label) => Place::Keyless(label),
        }
    }
}

impl Place<'_> {
    /// The same, for a batch.
    pub(crate) fn to_target(&self, label: Option<&str>) -> Target {
        match self {
            Self::Id(id) | Self::Typed(id) => Target::Id(*id),
            Self::Key(key) => Target::Key(label.unwrap_or_default().to_owned(), key.to_string()),
            Self::Labelled { label, key } => Target::Key(label.to_string(), key.to_string()),
            Self::Inserted(place) => Target::Inserted(*place),
            Self::Keyless(label) => Target::Keyless(label),
        }
    }

    /// The node, if it exists.
    ///
    /// # Errors
    /// [`TypedError::Label`] if it has not the label that is given;
    /// [`TypedError::NoKey`] if it is a value without a key.
    pub(crate) fn find<'r, R: Read + ?Sized>(
        &self,
        reader: &'r R,
        label: Option<&'static str>,
    ) -> Result<Option<Node<'r>>> {
        let node = match self {
            Self::Id(id) | Self::Typed(id) => reader.node(*id)?,
            Self::Key(key) => reader.get_node(label.unwrap_or_default(), key)?,
            Self::Labelled { label, key } => reader.get_node(label, key)?,
            Self::Inserted(place) => return Err(GraphError::NoInsert { place: *place }.into()),
            Self::Keyless(label) => return Err(TypedError::NoKey { label }.into()),
        };
        if let (Some(node), Some(expected)) = (&node, label)
            && node.label() != expected
        {
            let (node, found) = (node.id(), node.label().to_owned());
            return Err(TypedError::Label { node, expected, found }.into());
        }
        Ok(node)
    }

    /// The node, which has to exist.
    pub(crate) fn existing<'r, R: Read + ?Sized>(
        &self,
        reader: &'r R,
        label: Option<&'static str>,
    ) -> Result<Node<'r>> {
        let found = self.find(reader, label)?;
        found.ok_or_else(|| GraphError::NotFound(self.entity(label)).into())
    }

    /// The id of a node, if it exists; that of one that is known is not looked after.
    pub(crate) fn id<R: Read + ?Sized>(
        &self,
        reader: &R,
        label: Option<&'static str>,
    ) -> Result<Option<NodeId>> {
        match (self, label) {
            (Self::Typed(id), _) | (Self::Id(id), None) => Ok(Some(*id)),
            _ => Ok(self.find(reader, label)?.map(|node| node.id())),
        }
    }

    /// The id of a node that has to exist.
    pub(crate) fn existing_id<R: Read + ?Sized>(
        &self,
        reader: &R,
        label: Option<&'static str>,
    ) -> Result<NodeId> {
        let found = self.id(reader, label)?;
        found.ok_or_else(|| GraphError::NotFound(self.entity(label)).into())
    }

    fn entity(&self, label: Option<&'static str>) -> Entity {
        match self.to_target(label) {
            Target::Id(id) => Entity::Node(id),
            Target::Key(label, key) => Entity::Key { label, key },
            Target::Inserted(_) | Target::Keyless(_) => {
                unreachable!("refused before it was looked for")
            }
        }
    }
}
