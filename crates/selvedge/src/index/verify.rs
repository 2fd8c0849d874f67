//! Whether indexes hold what documents say.

use selvedge_base::NodeId;
use selvedge_encoding::DocRef;
use selvedge_graph::GraphView;
use selvedge_schema::{Definition, IndexDef, Kind, Schema};

use crate::index::place::Place;
use crate::index::scan::everything;
use crate::kv::reading::KvView;

/// Problems of one index that are told.
const TOLD_MAX: usize = 10;

/// Compares every index that is ready with the documents of its label, as of one
/// moment; adds what is wrong.
pub(crate) fn verify(
    schema: &Schema,
    graph: GraphView<'_>,
    entries: KvView<'_>,
    problems: &mut Vec<String>,
) {
    for label in schema.labels() {
        let Some(definition) = schema.named(Kind::Nodes, label) else { continue };
        let indexes = definition.document().map(|document| document.indexes()).unwrap_or_default();
        for index in indexes.iter().filter(|index| index.is_ready()) {
            let found = verify_index((label, definition), index, graph, entries);
            problems.extend(found.into_iter().take(TOLD_MAX));
        }
    }
}

fn verify_index(
    (label, definition): (&str, &Definition),
    index: &IndexDef,
    graph: GraphView<'_>,
    entries: KvView<'_>,
) -> Vec<String> {
    let name = || format!("index {} of {label:?}", index.name());
    let Some(place) = Place::of(index) else { return vec![format!("{} has no number", name())] };
    let mut problems = Vec::new();
    let (mut expected, mut scratch) = (0_u64, Vec::new());
    for id in graph.scan(label) {
        // Damaged documents are told of elsewhere.
        let Some(node) = graph.node(id).filter(|node| node.verify().is_ok()) else { continue };
        let Ok(document) = definition.as_indexed(node.document()) else { continue };
        let document = DocRef::trusted(&document);
        let Ok(keys) = place.entries(index, document, id, &mut scratch) else {
            problems.push(format!("{}: {id} is beyond its limits", name()));
            continue;
        };
        expected += keys.len() as u64;
        for key in keys {
            let found = entries.full_key_bytes(&key).ok().flatten();
            let holder = found.and_then(|value| place.node(&key, &value));
            if holder != Some(id) {
                let holder = holder.map_or("nothing".to_owned(), |id: NodeId| id.to_string());
                problems.push(format!("{}: {id} should have an entry, where {holder} has", name()));
            }
        }
    }
    let found = entries.full_range(&everything(&place), false).count() as u64;
    if found != expected {
        problems.insert(0, format!("{} has {found} entries, documents say {expected}", name()));
    }
    problems
}
