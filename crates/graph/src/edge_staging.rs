//! Staging changes of edges and edge types.

use std::sync::Arc;

use selvedge_base::{EdgeId, EdgeTypeId, NodeId};
use selvedge_encoding::{
    DocRef, Document, EncodeError, Value, encode_into, set_fields, unset_field,
};
use selvedge_mvcc::VersionBox;

use crate::adjacency::AdjacencyRead as _;
use crate::catalog::EdgeType;
use crate::edge_type::EdgeTypeDef;
use crate::entity::{Direction, Edge, Entity};
use crate::error::GraphError;
use crate::graph::EdgeHeader;
use crate::new_edges::NewEdges;
use crate::reads::ReadTracking;
use crate::transaction::{GraphTransaction, check_document, check_name, document_error};
use crate::writes::{EdgeTypeWrite, EdgeWrite, GraphWrites, NodeChange};

impl GraphTransaction<'_> {
    /// Defines an edge type. Defining it again the same way is fine.
    ///
    /// # Errors
    /// [`GraphError::EdgeType`] if it is defined otherwise; a name that is empty
    /// or too long.
    pub fn define_edge_type(&mut self, name: &str, def: &EdgeTypeDef) -> Result<(), GraphError> {
        check_name("an edge type", name)?;
        self.check_room(1)?;
        for label in [def.source_label(), def.target_label()].into_iter().flatten() {
            check_name("a label", label)?;
        }
        let (_, existing) = self.edge_type_or_define(name, def, true)?;
        if existing != *def {
            let wanted = format!("it cannot become {def}");
            let defined = existing.to_string();
            return Err(GraphError::EdgeType { name: name.to_owned(), defined, wanted });
        }
        Ok(())
    }

    /// The type with this name: as it is defined, or staged as `def`, which was
    /// asked for or is implied.
    fn edge_type_or_define(
        &mut self,
        name: &str,
        def: &EdgeTypeDef,
        explicit: bool,
    ) -> Result<(EdgeTypeId, EdgeTypeDef), GraphError> {
        let own = self.writes.reserved_edge_types.iter().find(|kind| &*kind.name == name);
        let edge_type = match own {
            Some(own) => Arc::clone(own),
            None => self.reserve_edge_type(name)?,
        };
        if let Some(own) = self.writes.edge_types.get(&edge_type.id).cloned() {
            if explicit && !own.explicit && own.def == *def {
                let write = EdgeTypeWrite { explicit, ..own.clone() };
                self.writes.edge_types.put(edge_type.id, write);
            }
            return Ok((edge_type.id, own.def));
        }
        if let Some((_, def)) = edge_type.created.get() {
            return Ok((edge_type.id, def.clone()));
        }
        let write = EdgeTypeWrite { def: def.clone(), explicit };
        self.writes.edge_types.put(edge_type.id, write);
        Ok((edge_type.id, def.clone()))
    }

    fn reserve_edge_type(&mut self, name: &str) -> Result<Arc<EdgeType>, GraphError> {
        let (edge_type, reserved) =
            self.graph.edge_types.reserve(name, self.at).map_err(|full| GraphError::Limit {
                what: "the number of edge types",
                actual: full.limit as u64 + 1,
                limit: full.limit as u64,
            })?;
        if reserved {
            self.writes.reserved_edge_types.push(Arc::clone(&edge_type));
        }
        Ok(edge_type)
    }

    /// Links `source` to `target`. An edge of a type that nobody defined defines
    /// it as unique. If there is such an edge already, and the type is unique,
    /// its document is replaced.
    ///
    /// # Errors
    /// [`GraphError::MissingEndpoint`]; [`GraphError::EdgeType`] if the type
    /// demands other labels; a document that cannot be stored.
    pub fn link(
        &mut self,
        source: NodeId,
        edge_type: &str,
        target: NodeId,
        document: &Document,
    ) -> Result<Edge, GraphError> {
        check_name("an edge type", edge_type)?;
        // The first edge of a type comes with the type.
        let known = self.graph.edge_types.table(self.at).by_name(edge_type).is_some()
            || self.writes.reserved_edge_types.iter().any(|kind| &*kind.name == edge_type);
        self.check_room(if known { 0 } else { 2 })?;
        self.check_endpoints(source, target)?;
        let entity = || format!("the edge from {source} to {target}");
        self.encode(entity, |out| encode_into(document, out))?;
        if let Some(rules) = &mut self.rules {
            rules.edge_changes(edge_type, &mut self.writes.scratch)?;
        }
        let (kind, def) = self.edge_type_or_define(edge_type, &EdgeTypeDef::unique(), false)?;
        self.check_labels(edge_type, &def, source, target)?;
        let mut edge = Edge { source, edge_type: kind, target, id: None };
        if def.is_multi() {
            self.check_room(1)?;
            let number = self.graph.new_edge_number()?;
            edge.id = Some(EdgeId::new(number));
            self.stage_document(edge, None, None, Some(number))?;
        } else {
            let own = self.writes.edges.get(&edge).map(|write| (write.existed, write.now));
            self.check_room(usize::from(own.is_none()))?;
            let (existed, found) = own.unwrap_or_else(|| {
                let stored = self.view().stored_between(source, kind, target);
                let number = stored.first().map(|half| half.id);
                (number, number)
            });
            // An edge keeps its record; one without a document needs none.
            let number = found.filter(|number| *number != 0);
            let write = self.document_write(existed, found, number)?;
            match own {
                // Nothing is written at it yet.
                None => {
                    self.writes.edges.add(edge, write);
                }
                Some(_) => {
                    self.writes.edges.put(edge, write);
                }
            }
            self.count_linked(&edge, found);
        }
        Ok(edge)
    }

    /// Links each source to its target, without documents; gives the number of edges
    /// that are new. What it stages is not seen by this transaction, which is to commit
    /// next.
    ///
    /// # Errors
    /// As [`link`](Self::link).
    pub fn link_many(
        &mut self,
        edge_type: &str,
        ends: &[(NodeId, NodeId)],
    ) -> Result<u64, GraphError> {
        check_name("an edge type", edge_type)?;
        if ends.is_empty() {
            return Ok(0);
        }
        if let Some(new) = self.new_edges(edge_type, ends)? {
            let count = new.len();
            self.writes.count_edge_type(new.edge_type(), count as i64);
            self.writes.new_edges = Some(Box::new(new));
            return Ok(count as u64);
        }
        let linked = |writes: &GraphWrites| -> i64 {
            writes.edge_type_counts.iter().map(|(_, count)| *count).sum()
        };
        let before = linked(self.writes);
        for (source, target) in ends {
            self.link(*source, edge_type, *target, &Document::new())?;
        }
        Ok((linked(self.writes) - before) as u64)
    }

    /// The edges between these ends, if all of them are new and nothing else is to be
    /// noted with them.
    fn new_edges(
        &mut self,
        edge_type: &str,
        ends: &[(NodeId, NodeId)],
    ) -> Result<Option<NewEdges>, GraphError> {
        let writes = &*self.writes;
        let is_first =
            writes.nodes.is_empty() && writes.edges.is_empty() && writes.new_edges.is_none();
        if !is_first || self.tracking != ReadTracking::Off {
            return Ok(None);
        }
        for (source, target) in ends {
            self.check_endpoints(*source, *target)?;
        }
        self.encode(|| format!("edges {edge_type:?}"), |out| encode_into(&Document::new(), out))?;
        if let Some(rules) = &mut self.rules {
            rules.edge_changes(edge_type, &mut self.writes.scratch)?;
        }
        // The rules have given them a document.
        if !self.writes.scratch.is_empty() {
            return Ok(None);
        }
        let (kind, def) = self.edge_type_or_define(edge_type, &EdgeTypeDef::unique(), false)?;
        if def.source_label().or(def.target_label()).is_some() {
            for (source, target) in ends {
                self.check_labels(edge_type, &def, *source, *target)?;
            }
        }
        if !def.is_multi() {
            let edges = ends.iter().map(|(source, target)| (*source, *target, 0));
            let new = NewEdges::new(kind, ends.len(), edges);
            if self.has_any(&new) {
                return Ok(None);
            }
            // A pair that comes twice is written once.
            self.check_room(new.len())?;
            return Ok(Some(new));
        }
        self.check_room(ends.len())?;
        let first = self.graph.new_edge_numbers(ends.len() as u64)?;
        let numbered = ends.iter().zip(first..);
        let numbered = numbered.map(|((source, target), number)| (*source, *target, number));
        Ok(Some(NewEdges::new(kind, ends.len(), numbered)))
    }

    /// Whether any of these edges, of a unique type, is there already.
    fn has_any(&self, new: &NewEdges) -> bool {
        new.outgoing().each().any(|(source, targets)| {
            let stored = self.graph.edges_at(source, Direction::Out, self.at);
            let is_there = |target: NodeId| {
                stored.is_some_and(|stored| !stored.find(new.edge_type(), target).is_empty())
            };
            targets.iter().any(|(target, _)| is_there(*target))
        })
    }

    /// Stages the document in the scratch buffer as that of `edge`, which is now
    /// there with `found`, under the record `number`, or under a new one if the
    /// document needs one.
    fn stage_document(
        &mut self,
        edge: Edge,
        existed: Option<u64>,
        found: Option<u64>,
        number: Option<u64>,
    ) -> Result<(), GraphError> {
        let write = self.document_write(existed, found, number)?;
        // An id that was just given out names no edge of this transaction yet.
        if edge.id.is_some() && found.is_none() {
            self.writes.edges.add(edge, write);
        } else {
            self.writes.edges.put(edge, write);
        }
        self.count_linked(&edge, found);
        Ok(())
    }

    fn count_linked(&mut self, edge: &Edge, found: Option<u64>) {
        if found.is_none() {
            self.writes.count_edge_type(edge.edge_type, 1);
        }
    }

    /// The write of an edge with the document in the scratch buffer, see
    /// [`stage_document`](Self::stage_document).
    fn document_write(
        &self,
        existed: Option<u64>,
        found: Option<u64>,
        number: Option<u64>,
    ) -> Result<EdgeWrite, GraphError> {
        let empty = self.writes.scratch.is_empty();
        let number = match number {
            Some(number) => number,
            None if empty => 0,
            None => self.graph.new_edge_number()?,
        };
        // A record that is new and empty is not worth its place: reading it
        // finds no document either.
        let stored = number != 0 && !(empty && found.is_none());
        let version = stored.then(|| VersionBox::new(EdgeHeader::INSIDE, &[&self.writes.scratch]));
        Ok(EdgeWrite { existed, now: Some(number), version })
    }

    fn check_endpoints(&self, source: NodeId, target: NodeId) -> Result<(), GraphError> {
        let exists = |id: &NodeId| match self.writes.nodes.get(id) {
            Some(write) => !matches!(write.change, NodeChange::Delete | NodeChange::Nothing),
            None => {
                let record = self.graph.nodes.get(id.get(), self.at);
                record.is_some_and(|record| record.exists(self.at))
            }
        };
        let missing = [source, target].into_iter().find(|id| !exists(id));
        // An edge is checked against its ends at the commit; but it may be gone
        // by then, and that its ends exist was told all the same.
        self.view().track(|reads| match missing {
            Some(missing) => {
                reads.nodes.insert(missing);
            }
            None => reads.existing.extend([source, target]),
        });
        match missing {
            Some(missing) => {
                Err(GraphError::MissingEndpoint { source_node: source, target, missing })
            }
            None => Ok(()),
        }
    }

    fn check_labels(
        &self,
        name: &str,
        def: &EdgeTypeDef,
        source: NodeId,
        target: NodeId,
    ) -> Result<(), GraphError> {
        let ends = [("source", def.source_label(), source), ("target", def.target_label(), target)];
        for (end, wanted, node) in ends {
            let Some(wanted) = wanted else { continue };
            let label = self.view().node(node).map_or("", |node| node.label());
            if label != wanted {
                return Err(GraphError::EdgeType {
                    name: name.to_owned(),
                    defined: def.to_string(),
                    wanted: format!("the {end}, node {node}, has label {label:?}"),
                });
            }
        }
        Ok(())
    }

    /// Unlinks `source` from `target`: removes every edge of the type between
    /// them; gives their number.
    ///
    /// # Errors
    /// [`GraphError::Limit`] if the transaction writes too much.
    pub fn unlink(
        &mut self,
        source: NodeId,
        edge_type: &str,
        target: NodeId,
    ) -> Result<u64, GraphError> {
        let edges: Vec<(Edge, u64)> = {
            let view = self.view();
            view.track_neighbourhood(source, Direction::Out);
            let Some(kind) = view.edge_type(edge_type) else { return Ok(0) };
            let halves = view.halves_between(source, kind.id, target).into_iter();
            let multi = view.is_multi(kind.id);
            let id = |number| multi.then(|| EdgeId::new(number));
            let edge = |number| Edge { source, edge_type: kind.id, target, id: id(number) };
            halves.map(|half| (edge(half.id), half.id)).collect()
        };
        self.check_room(self.new_among(&edges))?;
        for (edge, number) in &edges {
            self.stage_unlink(*edge, *number);
        }
        Ok(edges.len() as u64)
    }

    /// Removes one edge.
    ///
    /// # Errors
    /// [`GraphError::NotFound`].
    pub fn unlink_edge(&mut self, edge: Edge) -> Result<(), GraphError> {
        let number = self.number_of(edge)?;
        self.check_room_for_edge(&edge)?;
        self.stage_unlink(edge, number);
        Ok(())
    }

    fn check_room_for_edge(&self, edge: &Edge) -> Result<(), GraphError> {
        self.check_room(usize::from(self.writes.edges.get(edge).is_none()))
    }

    /// The record number of an edge that exists, 0 if it has none.
    fn number_of(&self, edge: Edge) -> Result<u64, GraphError> {
        let view = self.view();
        // Edges of a multi type have ids, and no others: a handle that is wrong
        // in this names no edge.
        let multi = view.is_multi(edge.edge_type);
        let wanted = |number: u64| match edge.id {
            Some(id) => multi && id.get() == number,
            None => !multi,
        };
        let halves = view.halves_between(edge.source, edge.edge_type, edge.target);
        let found = halves.into_iter().find(|half| wanted(half.id));
        // That there is such an edge, or none, is something that was read.
        if found.is_some() {
            view.track(|reads| {
                reads.edge_names.insert(edge);
            });
        } else {
            view.track_neighbourhood(edge.source, Direction::Out);
        }
        found
            .map(|half| half.id)
            .ok_or_else(|| GraphError::NotFound(Entity::Edge(view.named_edge(edge))))
    }

    /// Sets fields of an edge's document; the others stay.
    ///
    /// # Errors
    /// [`GraphError::NotFound`]; a document that cannot be stored.
    pub fn set_edge(&mut self, edge: Edge, fields: &[(&str, &Value)]) -> Result<(), GraphError> {
        self.rewrite_edge(edge, |old, out| set_fields(old, fields, out))
    }

    /// Removes a field of an edge's document; whether it was there.
    ///
    /// # Errors
    /// [`GraphError::NotFound`].
    pub fn unset_edge(&mut self, edge: Edge, field: &str) -> Result<bool, GraphError> {
        let mut found = false;
        self.rewrite_edge(edge, |old, out| {
            found = unset_field(old, field, out);
            Ok(())
        })?;
        Ok(found)
    }

    /// Replaces an edge's document.
    ///
    /// # Errors
    /// As [`GraphTransaction::set_edge`].
    pub fn replace_edge(&mut self, edge: Edge, document: &Document) -> Result<(), GraphError> {
        self.rewrite_edge(edge, |_, out| encode_into(document, out))
    }

    fn rewrite_edge(
        &mut self,
        edge: Edge,
        edit: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), GraphError> {
        let number = self.number_of(edge)?;
        self.check_room_for_edge(&edge)?;
        let mut scratch = std::mem::take(&mut self.writes.scratch);
        scratch.clear();
        let mut rules = self.rules.take();
        let now = self.view().edge_named(edge, number);
        let edited = now.verify().and_then(|()| {
            let (mut upgraded, mut base) = (Vec::new(), now.document());
            if let Some(rules) = &mut rules
                && rules.upgrade_edge(now.edge_type(), base, &mut upgraded)?
            {
                base = DocRef::trusted(&upgraded);
            }
            let edited = edit(base.as_bytes(), &mut scratch);
            edited.map_err(|source| document_error(now.named().to_string(), source))?;
            check_document(&scratch)?;
            match &mut rules {
                Some(rules) => rules.edge_changes(now.edge_type(), &mut scratch),
                None => Ok(()),
            }
        });
        (self.writes.scratch, self.rules) = (scratch, rules);
        edited?;
        let existed = match self.writes.edges.get(&edge) {
            Some(write) => write.existed,
            None => Some(number),
        };
        self.stage_document(edge, existed, Some(number), Some(number).filter(|number| *number != 0))
    }
}
