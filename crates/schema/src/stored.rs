//! The schema as a document, and back.
//!
//! ```text
//! format: 1, revision, indexes_numbered
//! nodes, edges: [{ name, revision, document, change }]
//!   document: { open, key, fields, indexes }
//!   change:  { phase: "verifying" | "converting", to: document, steps: [{ step, .. }] }
//!   fields:  [{ name, type, presence: "required" | "optional" | "default", default,
//!               min, max, length_min, length_max }]
//!   type:    "int" | { list: type } | { nullable: type } | { vector: elements }
//!   indexes: [{ name, paths: ["address.city", "tags[]"], unique, number, ready }]
//! ```
//!
//! Reading trusts nothing: what is read is validated as if a program had brought it.

use std::collections::BTreeMap;

use selvedge_base::limits::FIELD_TYPE_DEPTH_MAX;
use selvedge_encoding::{DocRef, Document, Value, doc, encode};

use crate::field::ValueRules;
use crate::index_def::IndexPath;
use crate::{
    Change, Definition, DefinitionError, DocumentDef, FieldDef, FieldType, IndexDef, IndexNumber,
    IndexState, Owner, Phase, Presence, Schema, Step, StoredSchemaError,
};

/// The newest format.
const FORMAT: u64 = 1;

impl Schema {
    /// The schema as bytes.
    ///
    /// # Errors
    /// [`DefinitionError::Store`] if it has more than a document may have.
    pub fn encode(&self) -> Result<Vec<u8>, DefinitionError> {
        let definitions = |of: &BTreeMap<String, Definition>| {
            of.iter().map(|(name, definition)| definition_to(name, definition)).collect::<Vec<_>>()
        };
        let document = doc! {
            "format": FORMAT,
            "revision": self.revision,
            "indexes_numbered": u64::from(self.indexes_numbered),
            "nodes": definitions(&self.nodes),
            "edges": definitions(&self.edges),
        };
        encode(&document).map_err(DefinitionError::Store)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`StoredSchemaError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredSchemaError> {
        let parsed = DocRef::parse(bytes).map_err(StoredSchemaError::Damaged)?;
        let document = parsed.to_document();
        let found = number(&document, "format")?;
        if found > FORMAT {
            return Err(StoredSchemaError::Newer { found, known: FORMAT });
        }
        let mut schema = Self {
            revision: number(&document, "revision")?,
            indexes_numbered: small(&document, "indexes_numbered")?,
            ..Self::default()
        };
        for (part, of_nodes) in [("nodes", true), ("edges", false)] {
            for value in list(&document, part)? {
                let (owner, definition) = schema.definition_from(value, of_nodes)?;
                let name = owner.name().to_owned();
                let place = if of_nodes { &mut schema.nodes } else { &mut schema.edges };
                if place.insert(name, definition).is_some() {
                    return malformed(format!("{owner} is defined twice"));
                }
            }
        }
        Ok(schema)
    }

    fn definition_from(
        &self,
        value: &Value,
        of_nodes: bool,
    ) -> Result<(Owner, Definition), StoredSchemaError> {
        let stored = map(value)?;
        let name = text(stored, "name")?.to_owned();
        let owner = if of_nodes { Owner::Label(name) } else { Owner::EdgeType(name) };
        let document = stored.get("document").map(|value| self.document_from(&owner, map(value)?));
        let document = document.transpose()?;
        let change = stored.get("change").map(|value| self.change_from(&owner, map(value)?));
        let change = change.transpose()?;
        let holds = match &change {
            None => document.is_some(),
            Some(change) if change.phase == Phase::Verifying => true,
            Some(change) => Some(&change.to) == document.as_ref(),
        };
        let numbered = document.iter().flat_map(|document| &document.indexes);
        if !holds || numbered.into_iter().any(|index| index.number.is_none()) {
            return malformed(format!("the definition of {owner} and its change do not fit"));
        }
        let revision = number(stored, "revision")?;
        if revision == 0 || revision > self.revision {
            return malformed(format!("{owner} has revision {revision}, which was never given"));
        }
        Ok((owner, Definition { revision, document, change }))
    }

    fn document_from(
        &self,
        owner: &Owner,
        stored: &Document,
    ) -> Result<DocumentDef, StoredSchemaError> {
        let mut def = DocumentDef {
            key: stored.get("key").map(|_| text(stored, "key")).transpose()?.map(str::to_owned),
            open: flag(stored, "open")?,
            ..DocumentDef::default()
        };
        for value in list(stored, "fields")? {
            let field = field_from(map(value)?)?;
            if def.field(&field.name).is_some() {
                return malformed(format!("{owner} has field `{}` twice", field.name));
            }
            def.add_field(field);
        }
        let of_nodes = matches!(owner, Owner::Label(_));
        for value in list(stored, "indexes")? {
            let index = index_from(map(value)?)?;
            let known = index.number.is_none_or(|number| number.get() <= self.indexes_numbered);
            if !known || !of_nodes || def.index(&index.name).is_some() {
                return malformed(format!("{owner} cannot have the index {index}"));
            }
            def.add_index(index);
        }
        def.validate(owner).or_else(|error| malformed(error.to_string()))?;
        Ok(def)
    }

    fn change_from(&self, owner: &Owner, stored: &Document) -> Result<Change, StoredSchemaError> {
        let phase = match text(stored, "phase")? {
            "verifying" => Phase::Verifying,
            "converting" => Phase::Converting,
            other => return malformed(format!("there is no phase {other:?}")),
        };
        let Some(to) = stored.get("to") else { return malformed("a change leads nowhere") };
        let to = self.document_from(owner, map(to)?)?;
        let steps = list(stored, "steps")?.iter().map(|value| step_from(map(value)?));
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        if steps.iter().filter_map(Step::gone).any(|gone| to.field(gone).is_some()) {
            return malformed("a change brings back what it takes away");
        }
        Ok(Change { phase, to, steps })
    }
}

fn definition_to(name: &str, definition: &Definition) -> Value {
    let Definition { revision, document, change } = definition;
    let mut stored = doc! { "name": name, "revision": *revision };
    if let Some(document) = document {
        stored.set("document", document_to(document));
    }
    if let Some(Change { phase, to, steps }) = change {
        let phase = match phase {
            Phase::Verifying => "verifying",
            Phase::Converting => "converting",
        };
        let steps: Vec<Value> = steps.iter().map(step_to).collect();
        stored.set("change", doc! { "phase": phase, "to": document_to(to), "steps": steps });
    }
    Value::Map(stored)
}

fn document_to(document: &DocumentDef) -> Value {
    let fields: Vec<Value> = document.fields.iter().map(field_to).collect();
    let indexes: Vec<Value> = document.indexes.iter().map(index_to).collect();
    let mut stored = doc! { "open": document.open, "fields": fields, "indexes": indexes };
    if let Some(key) = &document.key {
        stored.set("key", key.clone());
    }
    Value::Map(stored)
}

fn step_to(step: &Step) -> Value {
    let stored = match step {
        Step::AddField(field) => doc! { "step": "add_field", "field": field_to(field) },
        Step::ChangeField(field) => doc! { "step": "change_field", "field": field_to(field) },
        Step::DropField(name) => doc! { "step": "drop_field", "name": name.clone() },
        Step::MakeRequired(name) => doc! { "step": "make_required", "name": name.clone() },
        Step::MakeOptional(name) => doc! { "step": "make_optional", "name": name.clone() },
        Step::RenameField { from, to } => {
            doc! { "step": "rename_field", "from": from.clone(), "to": to.clone() }
        }
        Step::AddIndex(index) => doc! { "step": "add_index", "index": index_to(index) },
        Step::DropIndex(name) => doc! { "step": "drop_index", "name": name.clone() },
        Step::AllowUnknownFields(open) => doc! { "step": "unknown_fields", "open": *open },
    };
    Value::Map(stored)
}

fn step_from(stored: &Document) -> Result<Step, StoredSchemaError> {
    let inner = |name: &str| match stored.get(name) {
        Some(value) => map(value),
        None => malformed("a step lacks what it is about"),
    };
    let named = |name: &str| text(stored, name).map(str::to_owned);
    Ok(match text(stored, "step")? {
        "add_field" => Step::AddField(field_from(inner("field")?)?),
        "change_field" => Step::ChangeField(field_from(inner("field")?)?),
        "drop_field" => Step::DropField(named("name")?),
        "rename_field" => Step::RenameField { from: named("from")?, to: named("to")? },
        "make_required" => Step::MakeRequired(named("name")?),
        "make_optional" => Step::MakeOptional(named("name")?),
        "add_index" => Step::AddIndex(index_from(inner("index")?)?),
        "drop_index" => Step::DropIndex(named("name")?),
        "unknown_fields" => Step::AllowUnknownFields(flag(stored, "open")?),
        other => return malformed(format!("there is no step {other:?}")),
    })
}

fn field_to(field: &FieldDef) -> Value {
    let mut stored = doc! { "name": field.name.clone(), "type": type_to(&field.field_type) };
    let presence = match &field.presence {
        Presence::Required => "required",
        Presence::Optional => "optional",
        Presence::Default(value) => {
            stored.set("default", value.clone());
            "default"
        }
    };
    stored.set("presence", presence);
    let ValueRules { min, max, length_min, length_max } = &field.rules;
    let lengths = [("length_min", length_min), ("length_max", length_max)];
    let bounds = [("min", min.clone()), ("max", max.clone())].into_iter();
    for (name, value) in bounds.chain(lengths.map(|(name, value)| (name, value.map(Value::from)))) {
        if let Some(value) = value {
            stored.set(name, value);
        }
    }
    Value::Map(stored)
}

fn field_from(document: &Document) -> Result<FieldDef, StoredSchemaError> {
    let Some(stored) = document.get("type") else { return malformed("a field has no type") };
    let mut field = FieldDef::new(text(document, "name")?, type_from(stored, 1)?);
    field.presence = match text(document, "presence")? {
        "required" => Presence::Required,
        "optional" => Presence::Optional,
        "default" => match document.get("default") {
            Some(value) => Presence::Default(value.clone()),
            None => return malformed("a default is missing"),
        },
        other => return malformed(format!("there is no presence {other:?}")),
    };
    let length = |name| document.get(name).map(|_| number(document, name)).transpose();
    field.rules = ValueRules {
        min: document.get("min").cloned(),
        max: document.get("max").cloned(),
        length_min: length("length_min")?,
        length_max: length("length_max")?,
    };
    Ok(field)
}

fn type_to(field_type: &FieldType) -> Value {
    match field_type {
        FieldType::Vector(Some(of)) => doc! { "vector": u64::from(*of) }.into(),
        FieldType::List(of) => doc! { "list": type_to(of) }.into(),
        FieldType::Nullable(of) => doc! { "nullable": type_to(of) }.into(),
        simple => simple.to_string().into(),
    }
}

fn type_from(value: &Value, depth: usize) -> Result<FieldType, StoredSchemaError> {
    if depth > FIELD_TYPE_DEPTH_MAX {
        return malformed("a type nests too deep");
    }
    if let Some(simple) = value.as_str() {
        let found = SIMPLE.iter().find(|of| of.to_string() == simple);
        let unknown = || StoredSchemaError::Malformed(format!("there is no type {simple:?}"));
        return found.cloned().ok_or_else(unknown);
    }
    let document = map(value)?;
    match document.iter().next() {
        Some(("vector", _)) => Ok(FieldType::Vector(Some(small(document, "vector")?))),
        Some(("list", of)) => Ok(FieldType::list(type_from(of, depth + 1)?)),
        Some(("nullable", of)) => Ok(type_from(of, depth + 1)?.nullable()),
        _ => malformed("a type that is none"),
    }
}

/// Types that their names say all of.
const SIMPLE: &[FieldType] = &[
    FieldType::Bool,
    FieldType::Int,
    FieldType::Uint,
    FieldType::Float,
    FieldType::Number,
    FieldType::String,
    FieldType::Bytes,
    FieldType::Timestamp,
    FieldType::Vector(None),
    FieldType::Map,
    FieldType::Any,
];

fn index_to(index: &IndexDef) -> Value {
    let paths: Vec<Value> = index.paths.iter().map(|path| path.to_string().into()).collect();
    let number = index.number.map_or(0, IndexNumber::get);
    doc! {
        "name": index.name.clone(),
        "paths": paths,
        "unique": index.unique,
        "number": u64::from(number),
        "ready": index.is_ready(),
    }
    .into()
}

fn index_from(document: &Document) -> Result<IndexDef, StoredSchemaError> {
    let path = |value: &Value| match value.as_str() {
        Some(path) => Ok(IndexPath::from(path)),
        None => malformed("a path of an index is no text"),
    };
    let number = Some(small(document, "number")?).filter(|number| *number > 0);
    Ok(IndexDef {
        name: text(document, "name")?.to_owned(),
        paths: list(document, "paths")?.iter().map(path).collect::<Result<_, _>>()?,
        unique: flag(document, "unique")?,
        number: number.map(IndexNumber::new),
        state: if flag(document, "ready")? { IndexState::Ready } else { IndexState::Building },
    })
}

fn malformed<T>(what: impl Into<String>) -> Result<T, StoredSchemaError> {
    Err(StoredSchemaError::Malformed(what.into()))
}

fn absent<T>(name: &str, wanted: &str) -> Result<T, StoredSchemaError> {
    malformed(format!("`{name}` is not {wanted}"))
}

fn number(document: &Document, name: &str) -> Result<u64, StoredSchemaError> {
    document.get(name).and_then(Value::as_u64).map_or_else(|| absent(name, "a number"), Ok)
}

fn small(document: &Document, name: &str) -> Result<u32, StoredSchemaError> {
    u32::try_from(number(document, name)?).or_else(|_| absent(name, "a small number"))
}

fn text<'d>(document: &'d Document, name: &str) -> Result<&'d str, StoredSchemaError> {
    document.get(name).and_then(Value::as_str).map_or_else(|| absent(name, "text"), Ok)
}

fn flag(document: &Document, name: &str) -> Result<bool, StoredSchemaError> {
    document.get(name).and_then(Value::as_bool).map_or_else(|| absent(name, "true or false"), Ok)
}

fn list<'d>(document: &'d Document, name: &str) -> Result<&'d [Value], StoredSchemaError> {
    document.get(name).and_then(Value::as_list).map_or_else(|| absent(name, "a list"), Ok)
}

fn map(value: &Value) -> Result<&Document, StoredSchemaError> {
    value.as_map().map_or_else(|| malformed("what should be a map is none"), Ok)
}
