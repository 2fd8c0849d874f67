//! What is staged for one key.

use selvedge_mvcc::Version;

use crate::entry::{EntryHeader, EntryPointer};
use crate::error::ComputationError;
use crate::number::NoNumber;
use crate::number_steps::{NumberSteps, StepAt};
use crate::staged_versions::{StagedVersions, VersionAt};
use crate::value::EntryValue;

/// What is staged for a key: first a replacement of what is stored, if any, then
/// computations, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Staged {
    /// The key is subject to first committer wins.
    pub(crate) conflicts: bool,
    /// The tombstone is for a value that has expired, and for no other.
    pub(crate) only_expired: bool,
    /// The value or tombstone that takes the place of what is stored.
    pub(crate) replacement: Option<VersionAt>,
    /// What is then computed, ending here.
    pub(crate) steps: Option<StepAt>,
    /// Where the computed number goes.
    pub(crate) result: Option<VersionAt>,
    /// What the last validation found.
    pub(crate) plan: Plan,
}

/// What installing does with a key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Plan {
    /// Nothing: an absent entry is deleted.
    #[default]
    Nothing,
    /// A new version of this entry.
    Replace(EntryPointer),
    /// A new entry.
    Insert,
}

impl Staged {
    /// What the key has afterwards at `now`, if it had `stored` before.
    pub(crate) fn effect<'a>(
        &self,
        versions: &'a StagedVersions,
        steps: &NumberSteps,
        key: &[u8],
        stored: impl FnOnce() -> Option<&'a Version<EntryHeader>>,
        now: impl Fn() -> u64,
    ) -> Result<Option<EntryValue<'a>>, ComputationError> {
        let base = match self.replacement {
            Some(at) => versions.get(at).and_then(|version| EntryValue::written(version, &now)),
            None => stored().and_then(|version| EntryValue::committed(version, &now)),
        };
        let Some(last) = self.steps else { return Ok(base) };
        let number = match base {
            None => None,
            Some(value) => match value.as_number() {
                Some(number) => Some(number),
                None => {
                    let failed = (steps.first(last), NoNumber::WrongType);
                    return Err(ComputationError::new(key, failed));
                }
            },
        };
        match steps.evaluate(last, number) {
            Ok(number) => Ok(Some(EntryValue::computed(&number))),
            Err(failed) => Err(ComputationError::new(key, failed)),
        }
    }

    /// Where the version to be installed is.
    pub(crate) fn outcome(&self) -> Option<VersionAt> {
        if self.steps.is_some() { self.result } else { self.replacement }
    }
}
