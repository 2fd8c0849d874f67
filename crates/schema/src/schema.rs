//! All definitions of a database, as they are stored.

use std::collections::BTreeMap;

use crate::{DocumentDef, IndexNumber, IndexState, Owner};

/// Whose definitions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Labels.
    Nodes,
    /// Edge types.
    Edges,
}

/// What is stored of one label or edge type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Definition {
    pub(crate) revision: u64,
    pub(crate) document: DocumentDef,
}

impl Definition {
    /// What documents hold.
    #[must_use]
    pub fn document(&self) -> &DocumentDef {
        &self.document
    }

    /// The number of the change that made it so; grows.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

/// All definitions of a database, by label and by edge type.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Schema {
    /// The newest revision given out.
    pub(crate) revision: u64,
    /// Indexes that were ever numbered.
    pub(crate) indexes_numbered: u32,
    pub(crate) nodes: BTreeMap<String, Definition>,
    pub(crate) edges: BTreeMap<String, Definition>,
}

impl Schema {
    /// What nodes with a label hold; `None`: anything.
    #[must_use]
    pub fn node(&self, label: &str) -> Option<&DocumentDef> {
        self.nodes.get(label).map(Definition::document)
    }

    /// What the documents of edges of a type hold; `None`: anything. Between which
    /// labels they run is said by the edge type itself.
    #[must_use]
    pub fn edge(&self, edge_type: &str) -> Option<&DocumentDef> {
        self.edges.get(edge_type).map(Definition::document)
    }

    /// The labels that are defined, sorted.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    /// The edge types whose documents are defined, sorted.
    pub fn edge_types(&self) -> impl Iterator<Item = &str> {
        self.edges.keys().map(String::as_str)
    }

    /// The definition of a label or edge type.
    #[must_use]
    pub fn definition(&self, owner: &Owner) -> Option<&Definition> {
        match owner {
            Owner::Label(name) => self.nodes.get(name),
            Owner::EdgeType(name) => self.edges.get(name),
        }
    }

    /// The revision of a definition; 0 if there is none.
    #[must_use]
    pub fn revision_of(&self, kind: Kind, name: &str) -> u64 {
        let definitions = match kind {
            Kind::Nodes => &self.nodes,
            Kind::Edges => &self.edges,
        };
        definitions.get(name).map_or(0, Definition::revision)
    }

    /// Whether nothing is defined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.edges.is_empty()
    }

    /// Gives a label or edge type a definition, in place of the one it has. Indexes
    /// that it has already keep their numbers and states; new ones begin in `state`.
    pub fn put(&mut self, owner: &Owner, mut document: DocumentDef, state: IndexState) {
        let old = self.definition(owner).map(|old| old.document.indexes.clone());
        for index in &mut document.indexes {
            let same = old.iter().flatten().find(|old| *old == index);
            (index.number, index.state) = match same {
                Some(same) => (same.number, same.state),
                None => {
                    self.indexes_numbered += 1;
                    (Some(IndexNumber::new(self.indexes_numbered)), state)
                }
            };
        }
        self.revision += 1;
        let definition = Definition { revision: self.revision, document };
        match owner {
            Owner::Label(name) => self.nodes.insert(name.clone(), definition),
            Owner::EdgeType(name) => self.edges.insert(name.clone(), definition),
        };
    }

    /// Takes a definition away; whether there was one.
    pub fn remove(&mut self, owner: &Owner) -> bool {
        let removed = match owner {
            Owner::Label(name) => self.nodes.remove(name),
            Owner::EdgeType(name) => self.edges.remove(name),
        };
        removed.is_some()
    }

    /// Says that an index of a label is complete, or is not; whether there is one.
    pub fn set_index_state(&mut self, label: &str, index: &str, state: IndexState) -> bool {
        let Some(definition) = self.nodes.get_mut(label) else { return false };
        let mut indexes = definition.document.indexes.iter_mut();
        let Some(index) = indexes.find(|other| other.name == index) else { return false };
        index.state = state;
        self.revision += 1;
        definition.revision = self.revision;
        true
    }
}
