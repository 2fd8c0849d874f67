//! What the documents of one label or edge type hold.

use std::cmp::Ordering;

use selvedge_base::limits::{
    DEFINED_FIELDS_MAX, FIELD_TYPE_DEPTH_MAX, INDEX_PATHS_MAX, INDEXES_MAX, NAME_BYTES_MAX,
};
use selvedge_encoding::{DocRef, Document, Value, encode};

use crate::field::ValueRules;
use crate::{DefinitionError, FieldDef, FieldType, IndexDef, Owner, Presence};

/// The fields, the key and the indexes of one label, or the fields of one edge type.
///
/// Two are equal if they define the same: the numbers and states of indexes do not
/// count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentDef {
    /// Sorted by name, as the fields of documents are.
    pub(crate) fields: Vec<FieldDef>,
    pub(crate) key: Option<String>,
    /// Sorted by name.
    pub(crate) indexes: Vec<IndexDef>,
    /// Fields that are not named are allowed.
    pub(crate) open: bool,
}

impl DocumentDef {
    /// The fields, in the order of their names.
    #[must_use]
    pub fn fields(&self) -> &[FieldDef] {
        &self.fields
    }

    /// The field with a name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldDef> {
        let found = self.fields.binary_search_by(|field| (*field.name).cmp(name));
        found.ok().map(|at| &self.fields[at])
    }

    /// The field that the key stands for; `None` if nodes need no key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The indexes, in the order of their names.
    #[must_use]
    pub fn indexes(&self) -> &[IndexDef] {
        &self.indexes
    }

    /// The index with a name.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<&IndexDef> {
        self.indexes.iter().find(|index| index.name == name)
    }

    /// Whether fields are allowed that are not named here.
    #[must_use]
    pub fn allows_unknown_fields(&self) -> bool {
        self.open
    }

    /// Adds a field, or puts it in the place of the one with its name; and the index
    /// that it asks for.
    pub(crate) fn add_field(&mut self, field: FieldDef) {
        let (field, index) = field.split();
        index.into_iter().for_each(|index| self.add_index(index));
        match self.fields.binary_search_by(|old| old.name.cmp(&field.name)) {
            Ok(at) => self.fields[at] = field,
            Err(at) => self.fields.insert(at, field),
        }
    }

    /// Adds an index, or puts it in the place of the one with its name.
    pub(crate) fn add_index(&mut self, index: IndexDef) {
        match self.indexes.binary_search_by(|old| old.name.cmp(&index.name)) {
            Ok(at) => self.indexes[at] = index,
            Err(at) => self.indexes.insert(at, index),
        }
    }

    /// The key's field may stand in documents, too.
    pub(crate) fn add_key_field(&mut self) {
        if let Some(key) = &self.key
            && self.field(key).is_none()
        {
            self.add_field(FieldDef::string(key.clone()).optional());
        }
    }

    /// Whether it makes sense.
    pub(crate) fn validate(&self, owner: &Owner) -> Result<(), DefinitionError> {
        if owner.name().is_empty() {
            return Err(DefinitionError::EmptyName { owner: owner.clone() });
        }
        let limited = |what, actual, limit| limited(owner, what, actual, limit);
        limited("the number of fields", self.fields.len(), DEFINED_FIELDS_MAX)?;
        limited("the number of indexes", self.indexes.len(), INDEXES_MAX)?;
        limited("the length of its name in bytes", owner.name().len(), NAME_BYTES_MAX)?;
        if let (Owner::EdgeType(_), Some(index)) = (owner, self.indexes.first()) {
            let (owner, index) = (owner.clone(), index.name.clone());
            return Err(DefinitionError::IndexOfEdges { owner, index });
        }
        self.fields.iter().try_for_each(|field| validate_field(owner, field))?;
        if let Some(key) = &self.key {
            let found = self.field(key).map(FieldDef::field_type);
            if !matches!(found, Some(FieldType::String | FieldType::Int | FieldType::Uint)) {
                let found = found.map_or("undefined".to_owned(), ToString::to_string);
                return Err(DefinitionError::Key {
                    owner: owner.clone(),
                    field: key.clone(),
                    found,
                });
            }
        }
        self.indexes.iter().try_for_each(|index| self.validate_index(owner, index))
    }

    fn validate_index(&self, owner: &Owner, index: &IndexDef) -> Result<(), DefinitionError> {
        limited(owner, "the number of paths of an index", index.paths.len(), INDEX_PATHS_MAX)?;
        limited(owner, "the length of the name of an index", index.name.len(), NAME_BYTES_MAX)?;
        let refuse = |reason: String| {
            let (owner, index) = (owner.clone(), index.name.clone());
            Err(DefinitionError::Index { owner, index, reason })
        };
        if index.name.is_empty() || index.paths.is_empty() {
            return refuse("it needs a name and at least one path".to_owned());
        }
        if index.paths.iter().filter(|path| path.is_each()).count() > 1 {
            return refuse("at most one of its paths may end with `[]`".to_owned());
        }
        for (at, path) in index.paths.iter().enumerate() {
            let path = path.path();
            path.split('.').try_for_each(|name| check_field_name(owner, name))?;
            if index.paths[..at].iter().any(|other| other.path() == path) {
                return refuse(format!("path `{path}` comes twice"));
            }
            let (first, inside) = path.split_once('.').map_or((path, false), |(at, _)| (at, true));
            match self.field(first).map(|field| field.field_type.without_null()) {
                None if !self.open => {
                    return refuse(format!(
                        "there is no field `{first}`: define it, or drop the index"
                    ));
                }
                Some(FieldType::Map | FieldType::Any) | None => {}
                Some(other) if inside => {
                    return refuse(format!("field `{first}` is {other}, and no map"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn limited(
    owner: &Owner,
    what: &'static str,
    actual: usize,
    limit: usize,
) -> Result<(), DefinitionError> {
    if actual > limit {
        return Err(DefinitionError::Limit { owner: owner.clone(), what, actual, limit });
    }
    Ok(())
}

fn check_field_name(owner: &Owner, name: &str) -> Result<(), DefinitionError> {
    if name.is_empty() || name.contains(['.', '[']) {
        return Err(DefinitionError::FieldName { owner: owner.clone(), name: name.to_owned() });
    }
    limited(owner, "the length of a field's name in bytes", name.len(), NAME_BYTES_MAX)
}

fn validate_field(owner: &Owner, field: &FieldDef) -> Result<(), DefinitionError> {
    check_field_name(owner, &field.name)?;
    let depth = field.field_type.depth();
    limited(owner, "the depth of a field's type", depth, FIELD_TYPE_DEPTH_MAX)?;
    let refuse = |reason: String| {
        let (owner, field) = (owner.clone(), field.name.clone());
        Err(DefinitionError::Rule { owner, field, reason })
    };
    let of = field.field_type.without_null();
    let ValueRules { min, max, length_min, length_max } = &field.rules;
    let of_numbers =
        matches!(of, FieldType::Int | FieldType::Uint | FieldType::Float | FieldType::Number);
    for (rule, bound) in [("min", min), ("max", max)] {
        let Some(bound) = bound else { continue };
        let fits = match bound {
            Value::I64(_) | Value::U64(_) => of_numbers,
            Value::F64(bound) => of_numbers && !bound.is_nan(),
            Value::Timestamp(_) => *of == FieldType::Timestamp,
            _ => false,
        };
        if !fits {
            let found = bound.type_name();
            return refuse(format!("a {rule} that is {found} does not fit the type {of}"));
        }
    }
    if let (Some(min), Some(max)) = (min, max)
        && min.total_cmp(max) == Ordering::Greater
    {
        return refuse("no value is both at least min and at most max".to_owned());
    }
    let has_length = length_min.is_some() || length_max.is_some();
    let lengthy = matches!(
        of,
        FieldType::String
            | FieldType::Bytes
            | FieldType::Vector(_)
            | FieldType::List(_)
            | FieldType::Map
    );
    if has_length && !lengthy {
        return refuse(format!("values of the type {of} have no length"));
    }
    if length_max.is_some_and(|max| max < length_min.unwrap_or(0)) {
        return refuse("no value has a length that is allowed".to_owned());
    }
    let Presence::Default(default) = &field.presence else { return Ok(()) };
    let mut document = Document::new();
    document.set(field.name.clone(), default.clone());
    let bytes = encode(&document).map_err(DefinitionError::Store)?;
    let alone = DocumentDef { fields: vec![field.clone()], ..DocumentDef::default() };
    match alone.check(DocRef::trusted(&bytes), None) {
        Ok(_) => Ok(()),
        Err(violation) => {
            let owner = owner.clone();
            Err(DefinitionError::Default { owner, reason: violation.to_string() })
        }
    }
}
