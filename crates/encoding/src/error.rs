//! What can go wrong: a value that cannot be encoded, bytes that cannot be
//! decoded, a field of another type than expected.
//!
//! All three mean "fix the input". Paths read as they are written in
//! [`DocRef::get_path`](crate::DocRef::get_path): `address.lines[3]`.

use std::fmt;

use selvedge_base::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_DEPTH_MAX, NAME_BYTES_MAX};

use crate::path::PathError;

/// Characters of an overlong text that an error repeats.
pub(crate) const SHOWN_CHARS: usize = 32;

/// Why a document cannot be encoded, or an encoded one not be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The encoded document would have more bytes than a document may have.
    #[error("the document passes its limit of {limit} bytes{}", Place(path))]
    DocumentTooLong {
        /// Where the limit was passed; empty for the document itself.
        path: String,
        /// The limit, `DOCUMENT_BYTES_MAX`.
        limit: usize,
    },
    /// A list or a map lies deeper than a document may nest.
    #[error("`{path}` nests deeper than the limit of {limit} levels")]
    TooDeep {
        /// The list or map that is one level too deep.
        path: String,
        /// The limit, `DOCUMENT_DEPTH_MAX`; the document itself is level 1.
        limit: usize,
    },
    /// A field name has more bytes than a name may have.
    #[error("the field name at `{path}` has {bytes} bytes, the limit is {limit}")]
    NameTooLong {
        /// Where the name stands; the name itself is cut short.
        path: String,
        /// Bytes in the name.
        bytes: usize,
        /// The limit, `NAME_BYTES_MAX`.
        limit: usize,
    },
    /// A path leads through a value that is not a map.
    #[error(transparent)]
    TypeMismatch(#[from] TypeMismatch),
    /// A path to be written is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A path to be written names an element of a list.
    #[error("`{path}` names a list element; only fields of maps can be set by path")]
    ListElement {
        /// The path as given.
        path: String,
    },
    /// The bytes to be edited are not an encoded document.
    #[error("the bytes to be edited are not an encoded document")]
    NotADocument,
}

impl EncodeError {
    pub(crate) fn too_long() -> Self {
        Self::DocumentTooLong { path: String::new(), limit: DOCUMENT_BYTES_MAX }
    }

    pub(crate) fn too_deep() -> Self {
        Self::TooDeep { path: String::new(), limit: DOCUMENT_DEPTH_MAX }
    }

    pub(crate) fn name_too_long(name: &str) -> Self {
        Self::NameTooLong { path: String::new(), bytes: name.len(), limit: NAME_BYTES_MAX }
            .in_field(name)
    }

    /// The same error, told by the map whose field `name` it happened in. Paths
    /// grow from the inside out while an error travels up, so that encoding
    /// without an error never builds one.
    #[cold]
    pub(crate) fn in_field(mut self, name: &str) -> Self {
        self.path_mut().into_iter().for_each(|path| prefix_field(path, name));
        self
    }

    /// The same error, told by the list whose element `index` it happened in.
    #[cold]
    pub(crate) fn in_element(mut self, index: usize) -> Self {
        self.path_mut().into_iter().for_each(|path| prefix_element(path, index));
        self
    }

    fn path_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::DocumentTooLong { path, .. }
            | Self::TooDeep { path, .. }
            | Self::NameTooLong { path, .. } => Some(path),
            Self::TypeMismatch(mismatch) => Some(&mut mismatch.path),
            Self::Path(_) | Self::ListElement { .. } | Self::NotADocument => None,
        }
    }
}

/// Makes a path inside the field `name` one of the map around it. Overlong names
/// are cut short.
pub(crate) fn prefix_field(path: &mut String, name: &str) {
    let mut whole = shown(name, NAME_BYTES_MAX);
    if !path.is_empty() && !path.starts_with('[') {
        whole.push('.');
    }
    whole.push_str(path);
    *path = whole;
}

/// Makes a path inside the element `index` one of the list around it.
pub(crate) fn prefix_element(path: &mut String, index: usize) {
    let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
    *path = format!("[{index}]{dot}{path}");
}

/// `text` for an error to repeat: its beginning, if it has more than `bytes_max` bytes.
pub(crate) fn shown(text: &str, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.chars().take(SHOWN_CHARS).chain(['…']).collect()
    } else {
        text.to_owned()
    }
}

/// A path in a message; nothing for the document itself.
struct Place<'a>(&'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " at `{}`", self.0) }
    }
}

/// Why bytes are not an encoded document. Positions count from the first byte
/// of the outermost document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes than a document may have.
    #[error("{bytes} bytes are more than the {limit} that a document may have")]
    TooLong {
        /// Bytes given.
        bytes: usize,
        /// The limit, `DOCUMENT_BYTES_MAX`.
        limit: usize,
    },
    /// A list or a map lies deeper than a document may nest.
    #[error("the container at byte {at} nests deeper than the limit of {limit} levels")]
    TooDeep {
        /// Position of the container.
        at: usize,
        /// The limit, `DOCUMENT_DEPTH_MAX`; the document itself is level 1.
        limit: usize,
    },
    /// The bytes break a rule of the format.
    #[error("malformed document at byte {at}: {rule}")]
    Malformed {
        /// Position of the entry or container that breaks the rule.
        at: usize,
        /// The rule that is broken.
        rule: &'static str,
    },
}

/// A value has another type than the one asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is {found}, expected {expected}")]
#[non_exhaustive]
pub struct TypeMismatch {
    /// The field, or the path to it.
    pub path: String,
    /// What the caller asked for.
    pub expected: &'static str,
    /// The type name of what is there, as in [`Value::type_name`](crate::Value::type_name).
    pub found: &'static str,
}

impl TypeMismatch {
    /// The value at `path` is of the type `found`, not `expected`.
    pub fn new(path: &str, expected: &'static str, found: &'static str) -> Self {
        Self { path: path.to_owned(), expected, found }
    }
}
