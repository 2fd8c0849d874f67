//! All that a reader sees, to be compared.

use std::collections::BTreeMap;

use selvedge::prelude::*;
use selvedge::{EdgeId, Result};

/// A node.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct NodeState {
    pub(crate) label: String,
    pub(crate) key: Option<String>,
    pub(crate) version: Option<Timestamp>,
    pub(crate) document: Document,
}

/// An edge.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct EdgeState {
    pub(crate) source: NodeId,
    pub(crate) edge_type: String,
    pub(crate) target: NodeId,
    pub(crate) id: Option<EdgeId>,
    pub(crate) document: Document,
}

/// Everything that a reader sees.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct State {
    pub(crate) labels: Vec<String>,
    pub(crate) edge_types: BTreeMap<String, Option<EdgeTypeDef>>,
    pub(crate) nodes: BTreeMap<NodeId, NodeState>,
    /// In the order of their sources.
    pub(crate) edges: Vec<EdgeState>,
}

/// [`State`] without ids and versions: nodes go by label and key.
pub(crate) type Names = (
    Vec<String>,
    BTreeMap<String, Option<EdgeTypeDef>>,
    BTreeMap<String, Document>,
    Vec<(String, String, String, Document)>,
);

impl State {
    /// What `reader` sees. All ways to it must agree.
    pub(crate) fn of(reader: &impl Read) -> Result<Self> {
        let mut state = Self { labels: reader.labels()?, ..Self::default() };
        for name in reader.edge_types()? {
            state.edge_types.insert(name.clone(), reader.edge_type_def(&name)?);
        }
        for label in &state.labels {
            let ids: Vec<_> = reader.scan(label)?.collect();
            assert_eq!(reader.count(label)?, ids.len() as u64, "nodes of {label}");
            for id in ids {
                let node = reader.node(id)?.expect("scanned");
                assert_eq!(node.label(), label);
                if let Some(key) = node.key() {
                    let found = reader.get_node(label, key)?.map(|found| found.id());
                    assert_eq!(found, Some(id), "{label}/{key}");
                }
                let key = node.key().map(str::to_owned);
                let (version, document) = (node.version(), node.document().to_document());
                state.nodes.insert(id, NodeState { label: label.clone(), key, version, document });
            }
        }
        assert_eq!(reader.node_count()?, state.nodes.len() as u64);
        state.read_edges(reader)?;
        Ok(state)
    }

    fn read_edges(&mut self, reader: &impl Read) -> Result<()> {
        let mut into = 0;
        for id in self.nodes.keys().copied() {
            for edge in reader.edges(id, Direction::Out, None)? {
                let (source, target) = (edge.source(), edge.target());
                let edge_type = edge.edge_type().to_owned();
                let between = reader.edges_between(source, &edge_type, target)?;
                assert!(between.iter().any(|found| found.edge() == edge.edge()));
                assert!(self.nodes.contains_key(&target), "an edge of {id} dangles");
                let (id, document) = (edge.edge().id, edge.document().to_document());
                self.edges.push(EdgeState { source, edge_type, target, id, document });
            }
            into += reader.edges(id, Direction::In, None)?.count();
            let out = reader.neighbours(id, Direction::Out, None)?.count() as u64;
            assert_eq!(reader.degree(id, Direction::Out, None)?, out);
        }
        assert_eq!(into, self.edges.len(), "each edge has two ends");
        assert_eq!(reader.edge_count()?, self.edges.len() as u64);
        for edge_type in self.edge_types.keys() {
            let found = self.edges.iter().filter(|edge| edge.edge_type == *edge_type).count();
            assert_eq!(reader.count_edges(edge_type)?, found as u64, "edges of {edge_type}");
        }
        Ok(())
    }

    /// What is there now, which the database itself must find sound.
    pub(crate) fn checked(db: &Db) -> Result<Self> {
        assert_eq!(db.check()?, Vec::<String>::new());
        Self::of(&db.snapshot()?)
    }

    /// The same for databases in which the same things have other ids.
    pub(crate) fn names(&self) -> Names {
        let name = |id: &NodeId| {
            let NodeState { label, key, .. } = &self.nodes[id];
            format!("{label}/{}", key.as_deref().unwrap_or_default())
        };
        let nodes = self.nodes.iter().map(|(id, node)| (name(id), node.document.clone()));
        let edges = self.edges.iter().map(|edge| {
            let EdgeState { source, edge_type, target, document, .. } = edge;
            (name(source), edge_type.clone(), name(target), document.clone())
        });
        let mut edges: Vec<_> = edges.collect();
        edges.sort_by_key(|edge| format!("{edge:?}"));
        (self.labels.clone(), self.edge_types.clone(), nodes.collect(), edges)
    }
}
