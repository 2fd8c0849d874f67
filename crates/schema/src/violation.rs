//! What is wrong with a document.

use std::fmt;

use selvedge_encoding::EncodeError;

/// Whose documents: those of a label, or of an edge type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Owner {
    /// Nodes with this label.
    Label(String),
    /// Edges of this type.
    EdgeType(String),
}

impl Owner {
    /// The label, or the name of the type.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Label(name) | Self::EdgeType(name) => name,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(name) => write!(f, "label {name:?}"),
            Self::EdgeType(name) => write!(f, "edge type {name:?}"),
        }
    }
}

/// A document that breaks a definition: where, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Whose definition is broken, once that is known.
    pub owner: Option<Owner>,
    /// Which field, or element of one: `tags[2]`. Empty: the node itself.
    pub path: String,
    /// How.
    pub kind: ViolationKind,
}

/// How a document breaks a definition.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ViolationKind {
    /// The value has another type.
    WrongType {
        /// The type that is defined.
        expected: String,
        /// The type of the value.
        found: String,
        /// What to do about it, if that is not obvious.
        hint: &'static str,
    },
    /// A required field is absent.
    Missing {
        /// The type that is defined.
        expected: String,
    },
    /// The definition names no such field.
    Unknown {
        /// A defined field with a name like it.
        similar: Option<String>,
    },
    /// The value is less than the least allowed.
    BelowMin {
        /// The least value allowed.
        min: String,
        /// The value.
        found: String,
    },
    /// The value is greater than the greatest allowed, or no number at all.
    AboveMax {
        /// The greatest value allowed.
        max: String,
        /// The value.
        found: String,
    },
    /// The value is too short, or too long.
    Length {
        /// The least length allowed.
        min: u64,
        /// The greatest length allowed.
        max: Option<u64>,
        /// The length of the value.
        found: u64,
    },
    /// A migration renames another field to this one, and there is one already.
    Taken {
        /// The field that is renamed.
        from: String,
    },
    /// The document is too long once it has its defaults.
    TooLong(EncodeError),
    /// The node has no key, and the label demands one.
    KeyMissing,
    /// The field that stands for the key says otherwise than the key.
    KeyDiffers {
        /// The key of the node.
        key: String,
        /// The value of the field.
        found: String,
    },
}

impl Violation {
    pub(crate) fn at(path: &str, kind: ViolationKind) -> Self {
        Self { owner: None, path: path.to_owned(), kind }
    }

    /// The same, of a document of `owner`.
    #[must_use]
    pub fn of(self, owner: Owner) -> Self {
        Self { owner: Some(owner), ..self }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(owner) = &self.owner {
            write!(f, "{owner}, ")?;
        }
        if let ViolationKind::KeyMissing = self.kind {
            let field = &self.path;
            return write!(f, "key field `{field}`: the node has no key; insert it with one");
        }
        write!(f, "field `{}`: ", self.path)?;
        match &self.kind {
            ViolationKind::WrongType { expected, found, hint } => {
                write!(f, "expected {expected}, found {found}")?;
                if hint.is_empty() { Ok(()) } else { write!(f, "; {hint}") }
            }
            ViolationKind::Missing { expected } => {
                write!(f, "a required {expected} is missing")
            }
            ViolationKind::Unknown { similar } => {
                f.write_str("the definition has no such field")?;
                match similar {
                    Some(similar) => write!(f, "; did you mean `{similar}`?"),
                    None => Ok(()),
                }
            }
            ViolationKind::BelowMin { min, found } => {
                write!(f, "{found} is below the minimum {min}")
            }
            ViolationKind::AboveMax { max, found } => {
                write!(f, "{found} is not within the maximum {max}")
            }
            ViolationKind::Length { min, max, found } => {
                write!(f, "the length is {found}, allowed are ")?;
                match max {
                    Some(max) => write!(f, "{min} to {max}"),
                    None => write!(f, "{min} or more"),
                }
            }
            ViolationKind::Taken { from } => {
                write!(f, "there is one already, so `{from}` cannot be renamed to it")
            }
            ViolationKind::TooLong(error) => write!(f, "{error}"),
            ViolationKind::KeyMissing => Ok(()),
            ViolationKind::KeyDiffers { key, found } => {
                write!(f, "it stands for the key, which is {key:?}, but holds {found}")
            }
        }
    }
}

impl std::error::Error for Violation {}
