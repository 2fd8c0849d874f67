//! Checking a document against a definition: one pass over both, in the order of
//! names, that allocates nothing unless something is wrong.

use std::cmp::Ordering;
use std::io::Write as _;

use selvedge_encoding::{DocRef, Value, ValueRef};

use crate::field::Shown;
use crate::{DocumentDef, FieldDef, FieldType, Presence, Violation, ViolationKind};

/// Fields that a document lacks, and that get their defaults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Missing {
    pub(crate) defaults: usize,
}

impl Missing {
    /// Whether the document is complete.
    #[must_use]
    #[inline]
    pub fn is_none(self) -> bool {
        self.defaults == 0
    }
}

impl DocumentDef {
    /// Whether a document, of a node with this key, is one of these; tells whether it
    /// lacks fields that have defaults.
    ///
    /// # Errors
    /// [`Violation`], the first one in the order of field names.
    pub fn check(&self, document: DocRef<'_>, key: Option<&str>) -> Result<Missing, Violation> {
        let mut missing = Missing { defaults: 0 };
        if let (Some(field), None) = (&self.key, key) {
            return Err(Violation::at(field, ViolationKind::KeyMissing));
        }
        let mut defined = self.fields.iter();
        let mut next = defined.next();
        for (name, value) in document {
            while let Some(field) = next.filter(|field| *field.name < *name) {
                field.check_absent(&mut missing)?;
                next = defined.next();
            }
            match next.filter(|field| *field.name == *name) {
                Some(field) => {
                    field.check_value(value)?;
                    next = defined.next();
                }
                None if self.open => {}
                None => return Err(self.unknown(name)),
            }
        }
        next.into_iter().chain(defined).try_for_each(|field| field.check_absent(&mut missing))?;
        if let (Some(field), Some(key)) = (&self.key, key)
            && let Some(value) = document.get(field)
        {
            check_key(field, value, key)?;
        }
        Ok(missing)
    }

    /// The defaults of the fields that a document lacks, for an edit of its bytes.
    #[must_use]
    pub fn defaults(&self, document: DocRef<'_>) -> Vec<(&str, &Value)> {
        let default = |field: &'_ FieldDef| match &field.presence {
            Presence::Default(_) => !document.contains(&field.name),
            _ => false,
        };
        let lacking = self.fields.iter().filter(|field| default(field));
        lacking
            .filter_map(|field| match &field.presence {
                Presence::Default(value) => Some((&*field.name, value)),
                _ => None,
            })
            .collect()
    }

    #[cold]
    fn unknown(&self, name: &str) -> Violation {
        let similar = self.fields.iter().map(|field| (distance(&field.name, name), field));
        let similar = similar.min_by_key(|(distance, _)| *distance);
        let similar = similar.filter(|(distance, field)| {
            *distance <= SIMILAR_EDITS && *distance < field.name.chars().count()
        });
        let similar = similar.map(|(_, field)| field.name.clone());
        Violation::at(name, ViolationKind::Unknown { similar })
    }
}

/// Names that are so many edits apart are alike.
const SIMILAR_EDITS: usize = 2;

/// The least number of letters added, dropped and changed between two names.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in to.iter().enumerate() {
            let changed = before + usize::from(letter != *other);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

/// The key stands for a field, so the field has to say the same.
fn check_key(field: &str, value: ValueRef<'_>, key: &str) -> Result<(), Violation> {
    // The digits of a number, without an allocation.
    let mut digits = [0_u8; 24];
    let mut rest = &mut digits[..];
    let same = match value {
        ValueRef::String(text) => text == key,
        ValueRef::I64(number) => write!(rest, "{number}").is_ok() && is_text(&digits, key),
        ValueRef::U64(number) => write!(rest, "{number}").is_ok() && is_text(&digits, key),
        _ => false,
    };
    if same {
        return Ok(());
    }
    let (key, found) = (key.to_owned(), shown(value));
    Err(Violation::at(field, ViolationKind::KeyDiffers { key, found }))
}

/// Whether the digits, and the zeros behind them, are those of `key`.
fn is_text(digits: &[u8], key: &str) -> bool {
    let length = digits.iter().position(|byte| *byte == 0).unwrap_or(digits.len());
    digits.get(..length) == Some(key.as_bytes())
}

#[cold]
fn shown(value: ValueRef<'_>) -> String {
    Shown(&value.to_value()).to_string()
}

impl FieldDef {
    #[inline]
    fn check_absent(&self, missing: &mut Missing) -> Result<(), Violation> {
        match self.presence {
            Presence::Optional => Ok(()),
            Presence::Default(_) => {
                missing.defaults += 1;
                Ok(())
            }
            Presence::Required => {
                let expected = self.field_type.to_string();
                Err(Violation::at(&self.name, ViolationKind::Missing { expected }))
            }
        }
    }

    #[inline]
    fn check_value(&self, value: ValueRef<'_>) -> Result<(), Violation> {
        if !self.field_type.admits(value) {
            return Err(self.wrong_type(&self.field_type, value, &self.name));
        }
        if let ValueRef::List(list) = value
            && let FieldType::List(of) = self.field_type.without_null()
            && **of != FieldType::Any
        {
            for (at, element) in list.iter().enumerate() {
                self.check_element(of, element, &mut [at])?;
            }
        }
        if self.rules.is_empty() || value.is_null() {
            return Ok(());
        }
        self.check_rules(value)
    }

    /// `place`: the positions in the lists on the way, outer ones first.
    fn check_element(
        &self,
        of: &FieldType,
        value: ValueRef<'_>,
        place: &mut [usize],
    ) -> Result<(), Violation> {
        if !of.admits(value) {
            let positions = place.iter().map(|at| format!("[{at}]"));
            let path = format!("{}{}", self.name, positions.collect::<String>());
            return Err(self.wrong_type(of, value, &path));
        }
        if let (ValueRef::List(list), FieldType::List(of)) = (value, of.without_null()) {
            // Lists in lists are rare, and pay for their path.
            let mut inner = [place, &mut [0][..]].concat();
            for (at, element) in list.iter().enumerate() {
                *inner.last_mut().expect("one was appended") = at;
                self.check_element(of, element, &mut inner)?;
            }
        }
        Ok(())
    }

    #[cold]
    fn wrong_type(&self, expected: &FieldType, value: ValueRef<'_>, path: &str) -> Violation {
        let found = match value {
            ValueRef::I64(_) => "int".to_owned(),
            ValueRef::U64(_) => "uint beyond int".to_owned(),
            ValueRef::F64(_) => "float".to_owned(),
            ValueRef::Vector(vector) => format!("vector of {}", vector.len()),
            other => other.type_name().to_owned(),
        };
        let of = expected.without_null();
        let is_required = self.presence == Presence::Required && path == self.name;
        let hint = match (of, value) {
            (_, ValueRef::Null) if is_required => "set it, or make the field nullable",
            (_, ValueRef::Null) => "leave it out, or make the field nullable",
            (FieldType::Uint, ValueRef::I64(_)) => "it may not be negative",
            (FieldType::Float, ValueRef::I64(_) | ValueRef::U64(_)) => "write it as 3.0",
            (FieldType::Timestamp, ValueRef::String(_)) => "parse it as a DateTime",
            _ => "",
        };
        let expected = expected.to_string();
        Violation::at(path, ViolationKind::WrongType { expected, found, hint })
    }

    fn check_rules(&self, value: ValueRef<'_>) -> Result<(), Violation> {
        let refuse = |kind| Err(Violation::at(&self.name, kind));
        if let (Some(value), bounds) = (scalar(value), &self.rules) {
            if let Some(min) = &bounds.min
                && (value.total_cmp(min) == Ordering::Less || is_nan(&value))
            {
                let (min, found) = (Shown(min).to_string(), Shown(&value).to_string());
                return refuse(ViolationKind::BelowMin { min, found });
            }
            if let Some(max) = &bounds.max
                && value.total_cmp(max) == Ordering::Greater
            {
                let (max, found) = (Shown(max).to_string(), Shown(&value).to_string());
                return refuse(ViolationKind::AboveMax { max, found });
            }
        }
        let (min, max) = (self.rules.length_min.unwrap_or(0), self.rules.length_max);
        if min > 0 || max.is_some() {
            let found = length(value);
            if found < min || max.is_some_and(|max| found > max) {
                return refuse(ViolationKind::Length { min, max, found });
            }
        }
        Ok(())
    }
}

fn is_nan(value: &Value) -> bool {
    matches!(value, Value::F64(value) if value.is_nan())
}

/// A value that has bounds, owned: these need no memory.
fn scalar(value: ValueRef<'_>) -> Option<Value> {
    match value {
        ValueRef::I64(value) => Some(Value::I64(value)),
        ValueRef::U64(value) => Some(Value::U64(value)),
        ValueRef::F64(value) => Some(Value::F64(value)),
        ValueRef::Timestamp(value) => Some(Value::Timestamp(value)),
        _ => None,
    }
}

fn length(value: ValueRef<'_>) -> u64 {
    (match value {
        ValueRef::String(text) => text.chars().count(),
        ValueRef::Bytes(bytes) => bytes.len(),
        ValueRef::Vector(vector) => vector.len(),
        ValueRef::List(list) => list.len(),
        ValueRef::Map(map) => map.len(),
        _ => 0,
    }) as u64
}
