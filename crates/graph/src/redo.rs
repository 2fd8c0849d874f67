//! What a commit writes, as bytes for the log, and back.
//!
//! ```text
//! tag u8 | fields: numbers as LEB128, strings and documents behind their length
//! ```
//!
//! Names come first, then nodes, then edges. Reading back trusts no byte: what does
//! not fit the graph is an error, and is found before anything is installed.
#![expect(unsafe_code, reason = "replaying holds the commit lock")]

use std::sync::Arc;

use selvedge_base::EdgeId;
use selvedge_base::limits::{NODE_KEY_BYTES_MAX, NODES_MAX};
use selvedge_mvcc::{Record, Stamp, VersionBox};

use crate::codec::{
    Bytes, GraphBytes as _, Misfit, document, misfit, put_bytes, put_number, put_option,
    put_optional_bytes, text,
};
use crate::edge_type::EdgeTypeDef;
use crate::entity::Edge;
use crate::graph::{EdgeHeader, Graph, NodeHeader, NodeRead};
use crate::outside::ReadDocument;
use crate::writes::{EdgeTypeWrite, EdgeWrite, GraphWrites, NodeChange, NodeWrite};

const LABEL: u8 = 1;
const EDGE_TYPE: u8 = 2;
const NODE_INSERTED: u8 = 3;
const NODE_UPDATED: u8 = 4;
const NODE_DELETED: u8 = 5;
const EDGE: u8 = 6;

impl GraphWrites {
    /// Appends what a commit of these writes does, as [`Graph::decode_writes`]
    /// reads it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.encode_names(out);
        for (id, write) in self.nodes.iter() {
            let Some(version) = &write.version else { continue };
            out.push(match write.change {
                NodeChange::Insert => NODE_INSERTED,
                NodeChange::Update => NODE_UPDATED,
                NodeChange::Delete => NODE_DELETED,
                NodeChange::Nothing => continue,
            });
            put_number(out, id.get());
            put_number(out, u64::from(write.label.get()));
            put_optional_bytes(out, version.key_bytes());
            if write.change != NodeChange::Delete {
                put_bytes(out, version.document());
            }
        }
        for (edge, write) in self.edges.iter() {
            if write.existed.is_none() && write.now.is_none() {
                continue;
            }
            let document = write.version.as_ref().map(|version| version.document());
            put_edge(out, edge, (write.existed, write.now), document);
        }
        for edge in self.new_edges.iter().flat_map(|new| new.iter()) {
            put_edge(out, &edge, (None, Some(edge.id.map_or(0, EdgeId::get))), None);
        }
    }

    /// Names that the commit may bring into the database. If another commit does
    /// so first, replaying meets a name that is known, and that is fine.
    fn encode_names(&self, out: &mut Vec<u8>) {
        if !self.reserved_labels.is_empty() {
            let inserted = self.labels_inserted();
            for label in self.reserved_labels.iter().filter(|label| inserted.contains(&label.id)) {
                out.push(LABEL);
                put_number(out, u64::from(label.id.get()));
                put_bytes(out, label.name.as_bytes());
            }
        }
        if self.edge_types.is_empty() {
            return;
        }
        let linked = self.edge_types_linked();
        for (id, EdgeTypeWrite { def, explicit }) in self.edge_types.iter() {
            let reserved = self.reserved_edge_types.iter().find(|kind| kind.id == *id);
            if let Some(kind) = reserved.filter(|_| *explicit || linked.contains(id)) {
                out.push(EDGE_TYPE);
                put_number(out, u64::from(id.get()));
                put_bytes(out, kind.name.as_bytes());
                out.push(u8::from(def.is_multi()));
                put_optional_bytes(out, def.source_label().map(str::as_bytes));
                put_optional_bytes(out, def.target_label().map(str::as_bytes));
            }
        }
    }
}

/// An edge, with its number before and after.
fn put_edge(
    out: &mut Vec<u8>,
    edge: &Edge,
    (existed, now): (Option<u64>, Option<u64>),
    document: Option<&[u8]>,
) {
    out.push(EDGE);
    put_number(out, edge.source.get());
    put_number(out, u64::from(edge.edge_type.get()));
    put_number(out, edge.target.get());
    put_number(out, edge.id.map_or(0, EdgeId::get));
    put_option(out, existed);
    put_option(out, now);
    put_optional_bytes(out, document);
}

fn stamp<H>(record: Option<&Record<H>>) -> Stamp {
    record.map_or_else(Stamp::default, Record::stamp)
}

impl Graph {
    /// Reads what a logged commit wrote into `writes`, which are empty, ready to
    /// be installed.
    ///
    /// # Errors
    /// [`Misfit`] if the bytes say what cannot have been committed.
    ///
    /// # Safety
    /// The caller holds the commit lock.
    pub unsafe fn decode_writes(
        &self,
        bytes: &[u8],
        writes: &mut GraphWrites,
    ) -> Result<(), Misfit> {
        let mut bytes = Bytes(bytes);
        while let Ok(tag) = bytes.byte() {
            // SAFETY: the caller's contract, here and below.
            unsafe {
                match tag {
                    LABEL => self.decode_label(&mut bytes, writes)?,
                    EDGE_TYPE => self.decode_edge_type(&mut bytes, writes)?,
                    NODE_INSERTED => self.decode_node(NodeChange::Insert, &mut bytes, writes)?,
                    NODE_UPDATED => self.decode_node(NodeChange::Update, &mut bytes, writes)?,
                    NODE_DELETED => self.decode_node(NodeChange::Delete, &mut bytes, writes)?,
                    EDGE => self.decode_edge(&mut bytes, writes)?,
                    tag => return misfit(format!("there is no change of kind {tag}")),
                }
            }
        }
        // SAFETY: as above.
        unsafe { self.check_counts(writes) }
    }

    unsafe fn decode_label(
        &self,
        bytes: &mut Bytes<'_>,
        writes: &mut GraphWrites,
    ) -> Result<(), Misfit> {
        let (id, name) = (bytes.label()?, bytes.text()?);
        // SAFETY: the caller holds the commit lock.
        let known = unsafe { self.labels.current() };
        match (known.by_number(id.get()), known.by_name(name)) {
            (None, None) => {
                writes.reserved_labels.push(self.labels.reserve_as(id.get(), name));
                Ok(())
            }
            (Some(numbered), Some(named)) if Arc::ptr_eq(numbered, named) => Ok(()),
            _ => misfit(format!("label {name:?} has another number than before")),
        }
    }

    unsafe fn decode_edge_type(
        &self,
        bytes: &mut Bytes<'_>,
        writes: &mut GraphWrites,
    ) -> Result<(), Misfit> {
        let (id, name) = (bytes.edge_type()?, bytes.text()?);
        let mut def = if bytes.byte()? == 0 { EdgeTypeDef::unique() } else { EdgeTypeDef::multi() };
        if let Some(label) = bytes.optional_bytes()? {
            def = def.from(text(label)?);
        }
        if let Some(label) = bytes.optional_bytes()? {
            def = def.to(text(label)?);
        }
        // SAFETY: the caller holds the commit lock.
        let known = unsafe { self.edge_types.current() };
        match (known.by_number(id.get()), known.by_name(name)) {
            (None, None) => {
                writes.reserved_edge_types.push(self.edge_types.reserve_as(id.get(), name));
                // It came to be, for whatever reason it did.
                writes.edge_types.put(id, EdgeTypeWrite { def, explicit: true });
                Ok(())
            }
            (Some(numbered), Some(named)) if Arc::ptr_eq(numbered, named) => Ok(()),
            _ => misfit(format!("edge type {name:?} has another number than before")),
        }
    }

    unsafe fn decode_node(
        &self,
        change: NodeChange,
        bytes: &mut Bytes<'_>,
        writes: &mut GraphWrites,
    ) -> Result<(), Misfit> {
        let (id, label, key) = (bytes.node()?, bytes.label()?, bytes.optional_bytes()?);
        if let Some(key) = key {
            text(key)?;
            if key.len() > NODE_KEY_BYTES_MAX {
                return misfit(format!("a key has {} bytes", key.len()));
            }
        }
        // SAFETY: the caller holds the commit lock.
        let (record, known) = unsafe { (self.nodes.slot(id.get()), self.labels.current()) };
        let old = stamp(record);
        let fits = match change {
            NodeChange::Insert => old.is_empty(),
            _ => old.is_alive(),
        };
        let reserved = || writes.reserved_labels.iter().any(|new| new.id == label);
        if !fits || writes.nodes.get(&id).is_some() {
            return misfit(format!("node {id} is not there, or there already"));
        }
        if known.by_number(label.get()).is_none() && !reserved() {
            return misfit(format!("node {id} has a label without a name"));
        }
        let [node_ids, _] = self.sequences();
        node_ids.skip_to(id.get() + 1);
        let header = NodeHeader::new(label, key);
        let key = key.unwrap_or_default();
        let version = match change {
            NodeChange::Delete => VersionBox::tombstone(header, key),
            _ => VersionBox::new(header, &[key, document(bytes.bytes()?)?]),
        };
        writes.nodes.put(id, NodeWrite { change, label, version: Some(version) });
        match change {
            NodeChange::Insert => writes.count_label(label, 1),
            NodeChange::Delete => writes.count_label(label, -1),
            _ => {}
        }
        Ok(())
    }

    unsafe fn decode_edge(
        &self,
        bytes: &mut Bytes<'_>,
        writes: &mut GraphWrites,
    ) -> Result<(), Misfit> {
        let (source, edge_type, target) = (bytes.node()?, bytes.edge_type()?, bytes.node()?);
        let id = Some(bytes.edge_number()?).filter(|id| *id != 0).map(EdgeId::new);
        let (existed, now) = (bytes.option()?, bytes.option()?);
        let stored = bytes.optional_bytes()?.map(document).transpose()?;
        // SAFETY: the caller holds the commit lock.
        let known = unsafe { self.edge_types.current() }.by_number(edge_type.get()).is_some();
        if !known && !writes.reserved_edge_types.iter().any(|new| new.id == edge_type) {
            return misfit("an edge has a type without a name");
        }
        if [existed, now].into_iter().flatten().any(|number| number > NODES_MAX) {
            return misfit("the number of an edge is too large");
        }
        let [_, edge_numbers] = self.sequences();
        let newest = now.max(id.map(EdgeId::get)).unwrap_or(0);
        edge_numbers.skip_to(newest + 1);
        let edge = Edge { source, edge_type, target, id };
        if writes.edges.get(&edge).is_some() {
            return misfit("an edge comes twice");
        }
        let version = stored.map(|document| VersionBox::new(EdgeHeader::INSIDE, &[document]));
        writes.edges.put(edge, EdgeWrite { existed, now, version });
        match (existed, now) {
            (None, Some(_)) => writes.count_edge_type(edge_type, 1),
            (Some(_), None) => writes.count_edge_type(edge_type, -1),
            _ => {}
        }
        Ok(())
    }

    /// Fewer than none of anything would be left of what cannot have been.
    unsafe fn check_counts(&self, writes: &GraphWrites) -> Result<(), Misfit> {
        let fits = |count: Option<&Record<u64>>, change: i64| {
            // SAFETY: the caller holds the commit lock.
            let newest = count.and_then(|count| unsafe { count.newest() });
            newest.map_or(0, |newest| *newest.header()).checked_add_signed(change).is_some()
        };
        // SAFETY: as above.
        let (labels, edge_types) = unsafe { (self.labels.current(), self.edge_types.current()) };
        let labels = writes.label_counts.iter().all(|(id, change)| {
            fits(labels.by_number(id.get()).map(|label| &label.count), *change)
        });
        let edge_types = writes.edge_type_counts.iter().all(|(id, change)| {
            fits(edge_types.by_number(id.get()).map(|kind| &kind.count), *change)
        });
        if labels && edge_types { Ok(()) } else { misfit("more ends than there was") }
    }
}
