//! What can go wrong between Rust types and values.

use std::fmt;

use serde::de::{self, Expected, Unexpected};
use serde::ser;

use crate::error::{SHOWN_CHARS, prefix_element, prefix_field, shown};
use crate::{EncodeError, Value};

/// Why a Rust type did not become a value, or was not read from one. Paths read
/// as in [`DocRef::get_path`](crate::DocRef::get_path), and are empty for the
/// document itself. All but [`Damaged`](SerdeError::Damaged) mean: fix the input,
/// or the type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SerdeError {
    /// A limit of documents is passed.
    #[error(transparent)]
    Limit(#[from] EncodeError),
    /// A value is of another type, or of another range, than the Rust type.
    #[error("{} is {found}, expected {expected}", At(path))]
    Mismatch {
        /// Where.
        path: String,
        /// What is there.
        found: String,
        /// What the Rust type wants.
        expected: String,
    },
    /// A field that the Rust type needs is absent.
    #[error(
        "{} has no field `{field}`: write it, or make it an `Option` or `#[serde(default)]`",
        At(path)
    )]
    MissingField {
        /// The map without it.
        path: String,
        /// The field.
        field: &'static str,
    },
    /// A field or variant that the Rust type does not know.
    #[error("{} has the unknown {what} `{name}`, {}", At(path), Known(known))]
    Unknown {
        /// The map or value it stands in.
        path: String,
        /// `field` or `variant`.
        what: &'static str,
        /// Its name; a long one is cut short.
        name: String,
        /// The names that the Rust type knows.
        known: &'static [&'static str],
    },
    /// A field comes twice, by flattening for instance; one of them would be lost.
    #[error("{} has the field `{field}` twice: rename or skip one of them", At(path))]
    Twice {
        /// The map.
        path: String,
        /// The field; a long name is cut short.
        field: String,
    },
    /// An integer beyond both `i64` and `u64`.
    #[error("{} is the integer {number}, beyond i64 and u64: store it as text or bytes", At(path))]
    IntegerTooLarge {
        /// Where.
        path: String,
        /// The integer.
        number: String,
    },
    /// The key of a map is of a type that is no field name.
    #[error(
        "{} has a key of type {found}; a key is a string, char, integer, bool or unit variant",
        At(path)
    )]
    Key {
        /// The map.
        path: String,
        /// The type of the key.
        found: &'static str,
    },
    /// What should become a document is not a map.
    #[error("a document is made of a struct or a map, not of a {found}: wrap it in one")]
    NotADocument {
        /// The type of the value it became.
        found: &'static str,
    },
    /// Values are wrapped into each other without end, as in
    /// `struct Endless(Option<Box<Endless>>)`.
    #[error("{} is wrapped into more than {limit} newtypes and options", At(path))]
    Wrapped {
        /// Where.
        path: String,
        /// How many there may be between two lists or maps.
        limit: usize,
    },
    /// The bytes are damaged: no encoder wrote them. Restore a backup.
    #[error("{} is damaged: its bytes are not what any encoder writes", At(path))]
    Damaged {
        /// The list, map or value that does not add up.
        path: String,
    },
    /// The type itself refused, with words of its own.
    #[error("{}: {message}", At(path))]
    Refused {
        /// Where.
        path: String,
        /// What it says.
        message: String,
    },
}

impl SerdeError {
    pub(crate) fn damaged() -> Self {
        Self::Damaged { path: String::new() }
    }

    pub(crate) fn twice(field: &str) -> Self {
        Self::Twice { path: String::new(), field: shown(field, SHOWN_CHARS) }
    }

    pub(crate) fn key(found: &'static str) -> Self {
        Self::Key { path: String::new(), found }
    }

    pub(crate) fn integer_too_large(number: impl fmt::Display) -> Self {
        Self::IntegerTooLarge { path: String::new(), number: number.to_string() }
    }

    pub(crate) fn not_a_document(value: &Value) -> Self {
        Self::NotADocument { found: value.type_name() }
    }

    pub(crate) fn wrapped(limit: usize) -> Self {
        Self::Wrapped { path: String::new(), limit }
    }

    pub(crate) fn mismatch(found: impl Into<String>, expected: &dyn Expected) -> Self {
        let (found, expected) = (found.into(), expected.to_string());
        Self::Mismatch { path: String::new(), found, expected }
    }

    /// The same error of a value of the type `name` that was handed on as `found`.
    pub(crate) fn renamed(mut self, found: &str, name: &str) -> Self {
        if let Self::Mismatch { path, found: told, .. } = &mut self
            && path.is_empty()
            && told == found
        {
            name.clone_into(told);
        }
        self
    }

    /// The same error, told by the map whose field `name` it happened in.
    #[cold]
    pub(crate) fn in_field(mut self, name: &str) -> Self {
        if let Self::Limit(error) = self {
            return Self::Limit(error.in_field(name));
        }
        self.path_mut().into_iter().for_each(|path| prefix_field(path, name));
        self
    }

    /// The same error, told by the list whose element `index` it happened in.
    #[cold]
    pub(crate) fn in_element(mut self, index: usize) -> Self {
        if let Self::Limit(error) = self {
            return Self::Limit(error.in_element(index));
        }
        self.path_mut().into_iter().for_each(|path| prefix_element(path, index));
        self
    }

    fn path_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Mismatch { path, .. }
            | Self::MissingField { path, .. }
            | Self::Unknown { path, .. }
            | Self::Twice { path, .. }
            | Self::IntegerTooLarge { path, .. }
            | Self::Key { path, .. }
            | Self::Wrapped { path, .. }
            | Self::Damaged { path }
            | Self::Refused { path, .. } => Some(path),
            Self::Limit(_) | Self::NotADocument { .. } => None,
        }
    }
}

impl ser::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Refused { path: String::new(), message: message.to_string() }
    }
}

impl de::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Refused { path: String::new(), message: message.to_string() }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Str(_) => "string".to_owned(),
            other => describe(other),
        };
        Self::mismatch(found, expected)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch(describe(found), expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::mismatch(format!("of length {length}"), expected)
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        let name = shown(name, SHOWN_CHARS);
        Self::Unknown { path: String::new(), what: "variant", name, known }
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        let name = shown(name, SHOWN_CHARS);
        Self::Unknown { path: String::new(), what: "field", name, known }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::MissingField { path: String::new(), field }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::twice(field)
    }
}

/// What was found, in the words of this crate.
fn describe(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Unsigned(number) => format!("the integer {number}"),
        Unexpected::Signed(number) => format!("the integer {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the string `{}`", shown(text, SHOWN_CHARS)),
        Unexpected::Bool(_) => "bool".to_owned(),
        Unexpected::Bytes(_) => "bytes".to_owned(),
        Unexpected::Unit => "null".to_owned(),
        Unexpected::Seq => "list".to_owned(),
        Unexpected::Map => "map".to_owned(),
        Unexpected::Other(text) => shown(text, SHOWN_CHARS),
        other => other.to_string(),
    }
}

/// A path in a message.
struct At<'a>(&'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("the value itself") } else { write!(f, "`{}`", self.0) }
    }
}

/// The names that a type knows, in a message.
struct Known<'a>(&'a [&'a str]);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("the type knows none"),
            names => write!(f, "the type knows `{}`", names.join("`, `")),
        }
    }
}
