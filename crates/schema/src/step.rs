//! Steps of a migration: how a definition becomes another, and documents with it.

use std::fmt;

use selvedge_encoding::{DocRef, EncodeError, Value, set_fields, unset_field};

use crate::{DefinitionError, DocumentDef, FieldDef, IndexDef, Owner, Presence};

/// One step of a migration.
///
/// Steps are done to documents in their order. They are done again to documents that
/// had them done already, without an effect: no field that a step takes away is in the
/// definition that comes out.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Step {
    /// A field that was not defined. Where it is absent it gets its default.
    AddField(FieldDef),
    /// A field goes, and its values.
    DropField(String),
    /// A field gets another name, in the paths of indexes as well, and in the names of
    /// those that are named after their paths.
    RenameField {
        /// The name that it had.
        from: String,
        /// The name that it gets.
        to: String,
    },
    /// A field gets another definition. Its values stay, and have to keep it.
    ChangeField(FieldDef),
    /// A field has to be there from now on. It loses its default, if it has one.
    MakeRequired(String),
    /// A field may be absent from now on. It loses its default, if it has one.
    MakeOptional(String),
    /// A new index.
    AddIndex(IndexDef),
    /// An index goes.
    DropIndex(String),
    /// Fields that are not named are allowed from now on, or are not.
    AllowUnknownFields(bool),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddField(field) => write!(f, "add field {field}"),
            Self::DropField(name) => write!(f, "drop field {name}"),
            Self::RenameField { from, to } => write!(f, "rename field {from} to {to}"),
            Self::ChangeField(field) => write!(f, "change field {field}"),
            Self::MakeRequired(name) => write!(f, "make field {name} required"),
            Self::MakeOptional(name) => write!(f, "make field {name} optional"),
            Self::AddIndex(index) => write!(f, "add index {index}"),
            Self::DropIndex(name) => write!(f, "drop index {name}"),
            Self::AllowUnknownFields(true) => f.write_str("allow unknown fields"),
            Self::AllowUnknownFields(false) => f.write_str("refuse unknown fields"),
        }
    }
}

impl Step {
    /// The field that is not there any more afterwards.
    pub(crate) fn gone(&self) -> Option<&str> {
        match self {
            Self::DropField(name) | Self::RenameField { from: name, .. } => Some(name),
            _ => None,
        }
    }
}

impl DocumentDef {
    /// The definition that the steps make of this one.
    ///
    /// # Errors
    /// [`DefinitionError`]: a step that does not fit, or a definition that makes no
    /// sense.
    pub fn migrated(&self, owner: &Owner, steps: &[Step]) -> Result<Self, DefinitionError> {
        let mut def = self.clone();
        let refused = |step: &Step, reason: String| {
            let (owner, step) = (owner.clone(), step.to_string());
            DefinitionError::Step { owner, step, reason }
        };
        for step in steps {
            def.apply(step).map_err(|reason| refused(step, reason))?;
        }
        for step in steps {
            if let Some(gone) = step.gone().filter(|gone| def.field(gone).is_some()) {
                let reason = format!("another step brings `{gone}` back; run it on its own, later");
                return Err(refused(step, reason));
            }
        }
        def.validate(owner)?;
        Ok(def)
    }

    fn apply(&mut self, step: &Step) -> Result<(), String> {
        let key = self.key.clone();
        let absent = |name: &str| match &key {
            Some(key) if key == name => format!("`{name}` stands for the key"),
            _ => format!("there is no field `{name}`"),
        };
        let taken = |name: &str| format!("there is a field `{name}` already");
        match step {
            Step::AddField(field) => {
                if self.field(&field.name).is_some() {
                    return Err(taken(&field.name));
                }
                self.add_field(field.clone());
            }
            Step::ChangeField(field) => {
                if self.field(&field.name).is_none() {
                    return Err(absent(&field.name));
                }
                self.add_field(field.clone());
            }
            Step::DropField(name) => drop(self.take_field(name).ok_or_else(|| absent(name))?),
            Step::RenameField { from, to } => {
                if self.field(to).is_some() {
                    return Err(taken(to));
                }
                let field = self.take_field(from).ok_or_else(|| absent(from))?;
                self.add_field(FieldDef { name: to.clone(), ..field });
                self.indexes.iter_mut().for_each(|index| index.rename(from, to));
                self.indexes.sort_by(|a, b| a.name.cmp(&b.name));
                if let Some([twice, _]) =
                    self.indexes.array_windows().find(|[a, b]| a.name == b.name)
                {
                    let name = &twice.name;
                    return Err(format!(
                        "an index is named after its paths, and would become {name:?}, which \
                         another is; drop one of them first"
                    ));
                }
            }
            Step::MakeRequired(name) => {
                self.field_mut(name).ok_or_else(|| absent(name))?.presence = Presence::Required;
            }
            Step::MakeOptional(name) => {
                self.field_mut(name).ok_or_else(|| absent(name))?.presence = Presence::Optional;
            }
            Step::AddIndex(index) => {
                if self.index(&index.name).is_some() {
                    return Err(format!("there is an index {:?} already", index.name));
                }
                self.add_index(IndexDef { number: None, ..index.clone() });
            }
            Step::DropIndex(name) => {
                let at = self.indexes.iter().position(|index| index.name == *name);
                self.indexes.remove(at.ok_or_else(|| format!("there is no index {name:?}"))?);
            }
            Step::AllowUnknownFields(open) => self.open = *open,
        }
        Ok(())
    }

    fn field_mut(&mut self, name: &str) -> Option<&mut FieldDef> {
        self.fields.iter_mut().find(|field| field.name == name)
    }

    /// Takes a field out, but for the one of the key.
    fn take_field(&mut self, name: &str) -> Option<FieldDef> {
        let at = self.fields.iter().position(|field| field.name == name)?;
        if self.key.as_deref() == Some(name) {
            return None;
        }
        Some(self.fields.remove(at))
    }
}

/// Does the steps to a document, then gives it the defaults of `to`: appends what comes
/// of it and gives true, or gives false if nothing is to be done.
pub(crate) fn convert(
    steps: &[Step],
    to: &DocumentDef,
    document: DocRef<'_>,
    out: &mut Vec<u8>,
) -> Result<bool, EncodeError> {
    let done = steps.iter().filter_map(Step::gone).all(|gone| !document.contains(gone));
    if done && to.defaults(document).is_empty() {
        return Ok(false);
    }
    let moved = moved(steps, document, true)?;
    let moved = DocRef::trusted(&moved);
    set_fields(moved.as_bytes(), &to.defaults(moved), out)?;
    Ok(true)
}

/// Renames the fields that the steps rename; drops those that they drop, if asked.
pub(crate) fn moved(
    steps: &[Step],
    document: DocRef<'_>,
    drops: bool,
) -> Result<Vec<u8>, EncodeError> {
    let mut now = document.as_bytes().to_vec();
    let mut next = Vec::new();
    for step in steps {
        let Some(gone) = step.gone() else { continue };
        let Some(value) = DocRef::trusted(&now).get(gone).map(|value| value.to_value()) else {
            continue;
        };
        match step {
            Step::RenameField { to, .. } => rename(&now, (gone, to, &value), &mut next)?,
            _ if drops => drop(unset_field(&now, gone, &mut next)),
            _ => continue,
        }
        std::mem::swap(&mut now, &mut next);
        next.clear();
    }
    Ok(now)
}

fn rename(
    document: &[u8],
    (from, to, value): (&str, &str, &Value),
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let mut without = Vec::with_capacity(document.len());
    unset_field(document, from, &mut without);
    set_fields(&without, &[(to, value)], out)
}
