//! Whether what is stored keeps its definitions: a part of `Db::check`.

use selvedge_encoding::DocRef;
use selvedge_graph::{Direction, Entity, GraphView};
use selvedge_keyspace::EntryView;
use selvedge_schema::{Definition, Owner, Phase, Schema, Violation};

use crate::schema::cell::schema_key;

/// Problems that are told.
const PROBLEMS_MAX: usize = 100;

/// Tells each stored document that its definition does not allow, and whether the
/// stored schema is another one than this, which documents are judged by.
pub(crate) fn verify(
    schema: &Schema,
    view: GraphView<'_>,
    entries: EntryView<'_>,
    problems: &mut Vec<String>,
) {
    let stored = entries.get(&schema_key()).ok().flatten();
    let stored = stored.and_then(|value| Schema::decode(value.bytes()).ok());
    if stored.as_ref() != Some(schema) {
        problems.push("the stored schema is not the one that documents are judged by".to_owned());
    }
    let mut tell = |entity: Entity, owner: &Owner, violation: Violation| {
        if problems.len() < PROBLEMS_MAX {
            problems.push(format!("{entity}: {}", violation.of(owner.clone())));
        }
    };
    for label in schema.labels() {
        let owner = Owner::Label(label.to_owned());
        let Some(definition) = schema.definition(&owner) else { continue };
        for node in view.scan(label).filter_map(|id| view.node(id)) {
            // A damaged document is told of elsewhere.
            if node.verify().is_ok()
                && let Err(violation) = judge(definition, node.document(), node.key())
            {
                tell(Entity::Node(node.id()), &owner, violation);
            }
        }
    }
    if schema.edge_types().next().is_none() {
        return;
    }
    let labels = view.labels();
    for node in labels.iter().flat_map(|label| view.scan(label)) {
        for edge in view.edges(node, Direction::Out, None) {
            let owner = Owner::EdgeType(edge.edge_type().to_owned());
            if let Some(definition) = schema.definition(&owner)
                && edge.verify().is_ok()
                && let Err(violation) = judge(definition, edge.document(), None)
            {
                tell(Entity::Edge(edge.named()), &owner, violation);
            }
        }
    }
}

/// Whether a stored document is as its definition says, or becomes so when it is
/// converted.
fn judge(
    definition: &Definition,
    document: DocRef<'_>,
    key: Option<&str>,
) -> Result<(), Violation> {
    match (definition.change(), definition.document()) {
        (Some(change), _) if change.phase() == Phase::Converting => {
            change.check_convertible(document, key)
        }
        (_, Some(def)) => def.check(document, key).map(drop),
        (_, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use selvedge_encoding::doc;
    use selvedge_graph::{EdgeTypeDef, GraphTransaction, ReadTracking};
    use selvedge_schema::{EdgeDef, FieldDef, NodeDef};

    use crate::db::Db;
    use crate::schema::define::Define;
    use crate::stores::StoreWrites;

    #[test]
    fn documents_that_got_past_the_rules_are_told() {
        let db = Db::in_memory();
        let user = NodeDef::new("User").field(FieldDef::int("age"));
        let knows = EdgeDef::unique("KNOWS").field(FieldDef::int("since"));
        db.define([Define::from(user), knows.into()]).unwrap();
        assert_eq!(db.check(), Ok(vec![]));
        let engine = db.engine().unwrap();
        let open = engine.open().unwrap();
        let mut writes = StoreWrites::default();
        {
            let (graph, at) = (&engine.participant().graph, engine.at(&open));
            let mut staging =
                GraphTransaction::new(graph, at, &mut writes.graph, ReadTracking::Off);
            let node = staging.insert("User", None, &doc! { "age": "x" }).unwrap();
            staging.define_edge_type("KNOWS", &EdgeTypeDef::unique()).unwrap();
            staging.link(node, "KNOWS", node, &doc! {}).unwrap();
        }
        engine.commit(open, &mut writes, None).unwrap();
        let expected = [
            "node n1: label \"User\", field `age`: expected int, found string",
            "edge n1 -KNOWS-> n1: edge type \"KNOWS\", field `since`: a required int is missing",
        ];
        assert_eq!(db.check().unwrap(), expected);
    }
}
