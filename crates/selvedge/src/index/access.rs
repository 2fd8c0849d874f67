//! Indexes as queries use them.

use selvedge_base::NodeId;
use selvedge_encoding::FieldPath;
use selvedge_schema::{Definition, DocumentDef, IndexDef, Kind, Schema, ordered_values};

use crate::error::Result;
use crate::index::place::Place;
use crate::index::view::IndexView;
use crate::kv::selection::Cursor;
use crate::kv::space::{SPACE_BYTES, Space};
use crate::query::index_access::{IndexField, IndexRange, IndexShape, Indexes, ValueBounds};
use crate::read::Read;
use crate::snapshot::Snapshot;
use crate::transaction::Transaction;

impl Indexes for Snapshot<'_> {
    fn of_label(&self, label: &str) -> Vec<IndexShape> {
        shapes(self, label)
    }

    fn nodes<'a>(
        &'a self,
        range: &IndexRange,
    ) -> Result<Box<dyn Iterator<Item = Result<NodeId>> + 'a>> {
        nodes(self, range)
    }
}

impl Indexes for Transaction<'_> {
    fn of_label(&self, label: &str) -> Vec<IndexShape> {
        shapes(self, label)
    }

    fn nodes<'a>(
        &'a self,
        range: &IndexRange,
    ) -> Result<Box<dyn Iterator<Item = Result<NodeId>> + 'a>> {
        nodes(self, range)
    }
}

fn shapes<R: Read>(reader: &R, label: &str) -> Vec<IndexShape> {
    let schema = reader.definitions();
    let definition = schema.and_then(|schema: &Schema| schema.named(Kind::Nodes, label));
    let Some(definition) = definition else { return Vec::new() };
    let indexes = definition.document().map(DocumentDef::indexes).unwrap_or_default();
    // A query reads documents as they are stored, and would not find in them what led to
    // them.
    let is_moving =
        |index: &IndexDef| index.paths().iter().any(|at| definition.is_moving(at.path()));
    let ready = indexes.iter().filter(|index| index.is_ready() && !is_moving(index));
    ready.filter_map(|index| shape(definition, index)).collect()
}

fn shape(definition: &Definition, index: &IndexDef) -> Option<IndexShape> {
    let fields = index.paths().iter().map(|at| {
        // A definition has only paths that can be read.
        let (path, is_multi) = (FieldPath::parse(at.path()).ok()?, at.is_each());
        let is_always_there = !is_multi && definition.is_always_there(at.path());
        let is_list = definition.is_list(at.path());
        Some(IndexField { path, is_multi, is_always_there, is_list })
    });
    let fields = fields.collect::<Option<_>>()?;
    Some(IndexShape { name: index.name().to_owned(), fields, unique: index.is_unique() })
}

fn nodes<'a, R: Read>(
    reader: &'a R,
    range: &IndexRange,
) -> Result<Box<dyn Iterator<Item = Result<NodeId>> + 'a>> {
    let IndexRange { label, index, equal, bounds, reverse, after } = range;
    let view: IndexView<'a> = reader.index(label, &index.name)?;
    let mut scan = view.scan();
    for value in equal {
        scan = scan.equal(value.clone());
    }
    scan = match bounds {
        ValueBounds::All => scan,
        ValueBounds::Within(values) => scan.within(values.iter().cloned()),
        ValueBounds::Between(least, most) => scan.range((least.clone(), most.clone())),
        ValueBounds::Prefix(text) => scan.prefix(text),
    };
    if *reverse {
        scan = scan.reverse();
    }
    if let Some(after) = after {
        let values = ordered_values(equal.iter().chain(&after.values));
        scan = scan.after(place_behind(&view.place, &values, after.node));
    }
    Ok(Box::new(scan.ids()?))
}

/// The cursor behind a node that has, or had, these values.
fn place_behind(place: &Place, values: &[u8], node: NodeId) -> Cursor {
    let key = place.entry(values, node);
    debug_assert!(key.starts_with(&Space::SYSTEM.key(&[])), "entries lie in the own keyspace");
    Cursor::at(&key[SPACE_BYTES..])
}
