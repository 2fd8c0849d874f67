//! Why a run ends early.

use std::fmt;
use std::io;

/// The result of a step.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database broke a promise.
    Broken(String),
    /// The database refused, or the system below it.
    Refused(selvedge::Error),
    /// The system refused what the run itself needs.
    System(String),
    /// Somebody wants the run to end.
    Interrupted,
}

impl Failure {
    /// A refusal of the system, with what it was asked.
    pub(crate) fn system(asked: impl fmt::Display, error: &io::Error) -> Self {
        Self::System(format!("{asked}: {error}"))
    }
}

impl From<selvedge::Error> for Failure {
    fn from(error: selvedge::Error) -> Self {
        Self::Refused(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(what) => write!(f, "broken promise: {what}"),
            Self::Refused(error) => write!(f, "refused: {error}"),
            Self::System(what) => f.write_str(what),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}
