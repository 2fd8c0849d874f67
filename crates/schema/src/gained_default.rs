//! Defaults that a change brings to fields of unique indexes that there are.
//!
//! A document that lacks such a field gets the default, and its entry with it, when it is
//! converted; until then its place in the index is free, and whoever took it would stop
//! the conversion half way. So as long as the change is under way a write may not come to
//! have a key that holds such a default. Those that have it when the change begins are
//! told apart when it is verified.

use selvedge_encoding::{DocRef, EncodeError, Value, set_fields};

use crate::schema::{Change, Phase};
use crate::{IndexDef, IndexKeyError, IndexKeys, Presence, Step};

/// Why a document may not be written beside a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GainedDefault<'c> {
    /// It would have a default of the change in this unique index.
    Kept(&'c IndexDef),
    /// With its defaults it does not fit this index.
    Misfit(&'c IndexDef, IndexKeyError),
}

impl Change {
    /// Whether a document, written in the place of `old`, would come to have a default of
    /// this change in a unique index from before it; or has no place there.
    ///
    /// # Errors
    /// As [`convert`](Self::convert).
    pub fn gains_default(
        &self,
        old: Option<DocRef<'_>>,
        new: DocRef<'_>,
    ) -> Result<Option<GainedDefault<'_>>, EncodeError> {
        let fields = self.fields_with_new_defaults();
        let of_field =
            |index: &IndexDef, field: &str| index.paths().iter().any(|path| path.field() == field);
        let concerned = |index: &&IndexDef| {
            // What the change adds has a number as soon as it is built beside it.
            let is_known = index.number().is_some() || self.phase == Phase::Converting;
            is_known && index.is_unique() && fields.iter().any(|(name, _)| of_field(index, name))
        };
        let mut concerned = self.to.indexes().iter().filter(concerned).peekable();
        if concerned.peek().is_none() {
            return Ok(None);
        }
        let (old, new) = (old.map(|old| self.converted(old)).transpose()?, self.converted(new)?);
        for index in concerned {
            let mut keys = match index.keys(DocRef::trusted(&new)) {
                Ok(keys) => keys,
                Err(error) => return Ok(Some(GainedDefault::Misfit(index, error))),
            };
            let before = old.as_ref().and_then(|old| index.keys(DocRef::trusted(old)).ok());
            let before = before.unwrap_or_default();
            keys.retain(|key| !before.contains(key));
            for (name, default) in fields.iter().filter(|(name, _)| of_field(index, name)) {
                if gives_any(index, &new, (name, default), &keys)? {
                    return Ok(Some(GainedDefault::Kept(index)));
                }
            }
        }
        Ok(None)
    }

    fn converted(&self, document: DocRef<'_>) -> Result<Vec<u8>, EncodeError> {
        let mut converted = Vec::new();
        let moved = self.convert(document, &mut converted)?;
        Ok(if moved { converted } else { document.as_bytes().to_vec() })
    }

    /// Fields that get a default by a step, by their names afterwards.
    fn fields_with_new_defaults(&self) -> Vec<(&str, &Value)> {
        let mut names: Vec<&str> = Vec::new();
        for step in &self.steps {
            match step {
                Step::AddField(field) | Step::ChangeField(field) => names.push(field.name()),
                Step::RenameField { from, to } => {
                    names.iter_mut().filter(|name| *name == from).for_each(|name| *name = to);
                }
                _ => {}
            }
        }
        let default = |name: &str| match self.to.field(name)?.presence() {
            Presence::Default(default) => Some(default),
            _ => None,
        };
        names.into_iter().filter_map(|name| Some((name, default(name)?))).collect()
    }
}

/// Whether a document with this value in its field would have one of these keys.
fn gives_any(
    index: &IndexDef,
    document: &[u8],
    value: (&str, &Value),
    keys: &IndexKeys,
) -> Result<bool, EncodeError> {
    let mut with_default = Vec::new();
    set_fields(document, &[value], &mut with_default)?;
    let of_default = index.keys(DocRef::trusted(&with_default)).unwrap_or_default();
    Ok(of_default.iter().any(|key| keys.contains(key)))
}
