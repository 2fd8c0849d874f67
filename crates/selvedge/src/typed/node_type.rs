//! What makes a struct a node.

use std::borrow::Cow;

use selvedge_encoding::{DocRef, Document, SerdeError, Value, to_document};
use selvedge_schema::NodeDef;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A Rust type whose values are the nodes of a label. `#[derive(Node)]` implements it
/// from the fields of a struct; by hand it reads so:
///
/// ```
/// use std::borrow::Cow;
///
/// use selvedge::prelude::*;
/// use selvedge::{FieldDef, NodeDef, NodeKey};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct User {
///     name: String,
///     age: u8,
/// }
///
/// impl NodeType for User {
///     type Key = String;
///     const LABEL: &'static str = "User";
///     const KEY_FIELD: Option<&'static str> = Some("name");
///
///     fn definition() -> NodeDef {
///         NodeDef::new("User")
///             .key("name")
///             .field(FieldDef::string("name"))
///             .field(FieldDef::uint("age"))
///     }
///
///     fn key(&self) -> Option<Cow<'_, str>> {
///         Some(self.name.text())
///     }
/// }
///
/// let db = Db::in_memory();
/// db.insert(&User { name: "alice".to_owned(), age: 31 })?;
/// assert_eq!(db.get::<User>("alice")?.expect("inserted").age, 31);
/// # Ok::<(), Error>(())
/// ```
///
/// The field that stands for the key is stored in the document, too: so queries,
/// indexes and programs without the type see it. A node whose document lacks it, since
/// another program wrote it, is read with its key in that field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no node",
    note = "derive it: `#[derive(Serialize, Deserialize, Node)]`"
)]
pub trait NodeType: Serialize + DeserializeOwned {
    /// The type of the field that stands for the key; [`NoKey`] if there is none.
    type Key;

    /// The label.
    const LABEL: &'static str;

    /// The name, as it is stored, of the field that stands for the key.
    const KEY_FIELD: Option<&'static str> = None;

    /// Names of fields that are left out of the document when they are null: those that
    /// are an `Option`.
    const OPTIONS: &'static [&'static str] = &[];

    /// What its documents hold.
    fn definition() -> NodeDef;

    /// The key of this node. A type whose `Key` is not [`NoKey`], or that names a
    /// `KEY_FIELD`, gives one for each value: without it a value is neither inserted,
    /// upserted nor found, which is [`TypedError::NoKey`](crate::TypedError::NoKey).
    fn key(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// A key as the value of the field that stands for it.
    #[must_use]
    fn key_value(key: &str) -> Value {
        key.into()
    }

    /// The document that is stored.
    ///
    /// # Errors
    /// [`SerdeError`].
    fn to_document(&self) -> Result<Document, SerdeError> {
        without_none(to_document(self)?, Self::OPTIONS)
    }

    /// The value that a document holds.
    ///
    /// # Errors
    /// [`SerdeError`].
    fn from_document(document: DocRef<'_>) -> Result<Self, SerdeError> {
        document.deserialize()
    }
}

/// A document without those of the fields `options` that are null.
pub(crate) fn without_none(
    mut document: Document,
    options: &[&str],
) -> Result<Document, SerdeError> {
    for option in options {
        if document.get(option) == Some(&Value::Null) {
            document.remove(option);
        }
    }
    Ok(document)
}

/// Instead of the type of a key: nodes of this type have none. They are found by their
/// ids; by anything else, this does not compile:
///
/// ```compile_fail,E0277
/// # use selvedge::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// #[derive(Serialize, Deserialize, Node)]
/// struct Login {
///     at: u64,
/// }
///
/// let db = Db::in_memory();
/// let login = Login { at: 5 };
/// db.insert(&login).unwrap();
/// db.upsert(&login).unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoKey;

/// The type of a field that stands for a key: text, or an integer, whose decimal digits
/// are the key then.
///
/// ```
/// use std::borrow::Cow;
///
/// use selvedge::NodeKey;
///
/// assert_eq!(42_u64.text(), "42");
///
/// struct Isbn(String);
/// impl NodeKey for Isbn {
///     fn text(&self) -> Cow<'_, str> {
///         Cow::Borrowed(&self.0)
///     }
/// }
/// assert_eq!(Isbn("0131103628".to_owned()).text(), "0131103628");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no type of a key",
    label = "a key is needed here",
    note = "a field with `#[node(key)]` is a `String` or an integer",
    note = "nodes without such a field are found by their ids"
)]
pub trait NodeKey {
    /// The key.
    fn text(&self) -> Cow<'_, str>;

    /// A key as the value of the field that stands for it.
    #[must_use]
    fn value(key: &str) -> Value {
        key.into()
    }
}

impl NodeKey for String {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

macro_rules! integer_keys {
    ($($integer:ident),*) => {$(
        impl NodeKey for $integer {
            fn text(&self) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }

            fn value(key: &str) -> Value {
                key.parse::<$integer>().map_or_else(|_| key.into(), Value::from)
            }
        }
    )*};
}

integer_keys!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);
