//! What can be wrong with a query.

use selvedge_base::NodeId;
use selvedge_base::limits::{QUERY_REPEATS_MAX, QUERY_STEPS_MAX};
use selvedge_encoding::{EncodeError, PathError};

/// Fix the query.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A field is named by something that is no path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A value to compare with could not be stored, so nothing stored equals it.
    #[error("a value to compare with cannot be stored: {0}")]
    Operand(#[from] EncodeError),
    /// Conditions or predicates nest too deep.
    #[error("conditions nest {depth} levels deep, the limit is {limit}")]
    TooDeep {
        /// How deep.
        depth: usize,
        /// How deep they may.
        limit: usize,
    },
    /// The query has too many steps.
    #[error("a query of {steps} steps: the limit is {QUERY_STEPS_MAX}")]
    TooManySteps {
        /// How many, those of repeated parts included.
        steps: usize,
    },
    /// The query starts from a value without a key, though its type has one.
    #[error("the query starts from a value of {label:?} that has no key: nothing is found by it")]
    NoKey {
        /// The label of the type.
        label: &'static str,
    },
    /// `repeat` comes before any hop.
    #[error("repeat has nothing to repeat: it repeats the hop before it and what tests it")]
    NothingToRepeat,
    /// A repeated part has a step that looks at more than one node.
    #[error("`{step}` cannot be repeated: only hops and tests can; put it behind the repeat")]
    CannotRepeat {
        /// The step.
        step: String,
    },
    /// The number of repetitions is no range, or too large.
    #[error(
        "repeat {from} to {to} times: the first may not be greater than the second, nor that \
         than {QUERY_REPEATS_MAX}"
    )]
    RepeatTimes {
        /// The least.
        from: u32,
        /// The most.
        to: u32,
    },
    /// A step would hold more in memory than it may.
    #[error(
        "{what} would hold more than {limit} in memory: narrow the query, or raise the limit \
         with `held_max`"
    )]
    Held {
        /// Which step, and what it holds.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A cursor that is damaged, or of another query.
    #[error("not a cursor of this query: {why}")]
    Cursor {
        /// How that is known.
        why: &'static str,
    },
    /// A page of a query that has no pages.
    #[error("no page of this query: {why}")]
    Page {
        /// Why not.
        why: &'static str,
    },
    /// Something else than a number is to be added up.
    #[error("`{field}` of {node} is {found}: only numbers have a sum and an average")]
    NotANumber {
        /// The field.
        field: String,
        /// Whose field.
        node: NodeId,
        /// What it is.
        found: &'static str,
    },
    /// A sum that no number of its kind holds.
    #[error("the sum of `{field}` leaves the range of {numbers}")]
    SumOutOfRange {
        /// The field.
        field: String,
        /// Of which numbers: integers, or floats.
        numbers: &'static str,
    },
}
