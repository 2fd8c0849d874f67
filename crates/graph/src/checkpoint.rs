//! Writing the graph's part of a checkpoint, as a reader at its snapshot.

use selvedge_base::Timestamp;
use selvedge_base::limits::NODES_MAX;
use selvedge_engine::CheckpointSink;
use selvedge_mvcc::{Record, SnapshotRef, Version};
use selvedge_storage::{BlockKey, Place, StorageError};

use crate::adjacency::{AdjacencyRead as _, AdjacencyVersion};
use crate::block::Shape;
use crate::catalog_block::{EDGE_TYPES, LABELS, StoredName};
use crate::changes::{GraphChanges, GraphTable, LEAFY};
use crate::codec::put_number;
use crate::edge_type::EdgeTypeDef;
use crate::graph::{Graph, LEAF_IDS, NodeRead as _, NodeVersion, Records, leaf_of};
use crate::leaf_block::{
    DocumentEntry, EdgesEntry, INSIDE_BYTES_MAX, LeafBuilder, StoredDocument, StoredEdges,
    StoredEntry, read_entries,
};
use crate::outside::{Documented, ReadDocument as _};
use crate::writer::GraphWriter;

/// The identifiers in a leaf.
fn ids_of(leaf: u64) -> std::ops::Range<u64> {
    let first = leaf * LEAF_IDS as u64;
    first..first + LEAF_IDS as u64
}

impl GraphWriter {
    /// From now on what changes is noted for the next checkpoint.
    pub fn track_changes(&mut self) {
        self.changes.get_or_insert_default();
    }

    /// What changed since this was last asked.
    pub fn take_changes(&mut self) -> GraphChanges {
        self.changes.as_mut().map(|changes| std::mem::take(&mut **changes)).unwrap_or_default()
    }

    /// Gives back what a checkpoint that failed did not write.
    pub fn return_changes(&mut self, changes: GraphChanges) {
        if let Some(mine) = &mut self.changes {
            mine.merge(changes);
        }
    }
}

impl Graph {
    /// Every leaf there is.
    #[must_use]
    pub fn all_leaves(&self, at: SnapshotRef<'_>) -> GraphChanges {
        let mut all = GraphChanges::default();
        for table in LEAFY {
            let mut from = 0;
            while let Some(id) = self.next_present(table, from, at).filter(|id| *id <= NODES_MAX) {
                all.add(table, leaf_of(id));
                from = ids_of(leaf_of(id)).end;
            }
        }
        all
    }

    fn next_present(&self, table: GraphTable, from: u64, at: SnapshotRef<'_>) -> Option<u64> {
        match table {
            GraphTable::Catalog => None,
            GraphTable::Nodes => self.nodes.next_present(from, at),
            GraphTable::Edges => self.edges.next_present(from, at),
            GraphTable::Out => self.out.next_present(from, at),
            GraphTable::In => self.into.next_present(from, at),
        }
    }

    /// Writes names and counts, and the leaves in `changes`, as of `at`.
    ///
    /// # Errors
    /// Of the files; [`StorageError::Corrupt`] if a document that has to be moved
    /// is damaged.
    pub fn write_checkpoint(
        &self,
        at: SnapshotRef<'_>,
        changes: &GraphChanges,
        sink: &mut CheckpointSink<'_>,
    ) -> Result<(), StorageError> {
        let mut block = Vec::new();
        self.write_catalog(at, &mut block, sink)?;
        for leaf in changes.of(GraphTable::Nodes) {
            let mut builder = LeafBuilder::<DocumentEntry>::default();
            let before = places_before(GraphTable::Nodes.key(leaf), sink);
            each_in(&self.nodes, leaf, at, |slot, version: &NodeVersion| {
                let document = stored(slot, version, &before, sink)?;
                let (commit, label) = (version.commit(), version.header().label.get());
                let key = version.key_bytes();
                builder.add(&StoredEntry { slot, commit, label, key, document });
                Ok(())
            })?;
            finish(&mut builder, GraphTable::Nodes, leaf, &mut block, sink)?;
        }
        for leaf in changes.of(GraphTable::Edges) {
            let mut builder = LeafBuilder::<DocumentEntry>::default();
            let before = places_before(GraphTable::Edges.key(leaf), sink);
            each_in(&self.edges, leaf, at, |slot, version| {
                let document = stored(slot, version, &before, sink)?;
                let commit = version.commit();
                builder.add(&StoredEntry { slot, commit, label: 0, key: None, document });
                Ok(())
            })?;
            finish(&mut builder, GraphTable::Edges, leaf, &mut block, sink)?;
        }
        for (table, records) in [(GraphTable::Out, &self.out), (GraphTable::In, &self.into)] {
            for leaf in changes.of(table) {
                let mut builder = LeafBuilder::default();
                each_in(records, leaf, at, |slot, version| {
                    add_edges(&mut builder, slot, version);
                    Ok(())
                })?;
                finish(&mut builder, table, leaf, &mut block, sink)?;
            }
        }
        Ok(())
    }

    fn write_catalog(
        &self,
        at: SnapshotRef<'_>,
        block: &mut Vec<u8>,
        sink: &mut CheckpointSink<'_>,
    ) -> Result<(), StorageError> {
        let count = |count: &Record<u64>| {
            count.read(at).map(|version| (*version.header(), version.commit()))
        };
        let labels = self.labels.table(at).iter().filter_map(|label| {
            let created = label.created.get().copied().filter(|created| *created <= at.start())?;
            let (number, count) = (label.id.get(), count(&label.count));
            Some(StoredName {
                number,
                name: &label.name,
                created,
                count,
                def: EdgeTypeDef::unique(),
            })
        });
        write_names(labels.collect(), LABELS, block, sink)?;
        let edge_types = self.edge_types.table(at).iter().filter_map(|kind| {
            let (created, def) =
                kind.created.get().filter(|(created, _)| *created <= at.start())?.clone();
            let (number, count) = (kind.id.get(), count(&kind.count));
            Some(StoredName { number, name: &kind.name, created, count, def })
        });
        write_names(edge_types.collect(), EDGE_TYPES, block, sink)
    }
}

fn write_names(
    names: Vec<StoredName<'_>>,
    leaf: u64,
    block: &mut Vec<u8>,
    sink: &mut CheckpointSink<'_>,
) -> Result<(), StorageError> {
    block.clear();
    put_number(block, names.len() as u64);
    names.iter().for_each(|name| name.write(block));
    sink.block(GraphTable::Catalog.key(leaf), block)
}

/// Visits what the snapshot sees of a leaf.
fn each_in<'s, H>(
    records: &'s Records<H>,
    leaf: u64,
    at: SnapshotRef<'s>,
    mut visit: impl FnMut(u64, &Version<H>) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    for (slot, id) in (0..).zip(ids_of(leaf)) {
        let Some(record) = records.get(id, at) else { break };
        if let Some(version) = record.read(at) {
            visit(slot, version)?;
        }
    }
    Ok(())
}

/// Where the checkpoint before has put the documents of a leaf: by slot, with the
/// timestamps of the versions they belong to.
fn places_before(key: BlockKey, sink: &CheckpointSink<'_>) -> Vec<(u64, Timestamp, Place)> {
    let mut places = Vec::new();
    if let Some(block) = sink.block_before(key) {
        // From a block that makes no sense nothing is taken over.
        let read = read_entries(block, |entry| {
            if let StoredDocument::Outside(place) = entry.document {
                places.push((entry.slot, entry.commit, place));
            }
            Ok(())
        });
        if read.is_err() {
            places.clear();
        }
    }
    places
}

/// Stores the document of a version, if it is not small and not stored yet, and
/// says where.
fn stored<'v, H>(
    slot: u64,
    version: &'v Version<H>,
    before: &[(u64, Timestamp, Place)],
    sink: &mut CheckpointSink<'_>,
) -> Result<StoredDocument<'v>, StorageError>
where
    Version<H>: Documented,
{
    let (document, outside) = (version.document(), version.outside());
    match outside {
        None if document.len() <= INSIDE_BYTES_MAX => Ok(StoredDocument::Inside(document)),
        None => {
            let found = before.binary_search_by_key(&slot, |(slot, ..)| *slot);
            // A version is known by its timestamp: this is the one that was stored.
            let same = found
                .ok()
                .map(|at| before[at])
                .filter(|(_, commit, _)| *commit == version.commit());
            match same {
                Some((_, _, place)) if sink.stays_at(place) => Ok(StoredDocument::Outside(place)),
                _ => sink.document(document).map(StoredDocument::Outside),
            }
        }
        Some(outside) => {
            sink.mapped_document(document, outside.checksum()).map(StoredDocument::Outside)
        }
    }
}

fn add_edges(builder: &mut LeafBuilder<EdgesEntry>, slot: u64, version: &AdjacencyVersion) {
    let commit = version.commit();
    match version.single() {
        Some(block) => {
            let (shape, bytes) = block.parts();
            builder.add(&StoredEdges { slot, commit, shape, bytes });
        }
        None => {
            let edges = version.half_edges();
            let shape = Shape::of(edges.as_slice());
            let mut words = vec![0_u64; shape.bytes().div_ceil(8)];
            let bytes = &mut bytemuck::cast_slice_mut(&mut words)[..shape.bytes()];
            shape.write(edges.as_slice(), bytes);
            builder.add(&StoredEdges { slot, commit, shape, bytes });
        }
    }
}

fn finish<E: bytemuck::Pod>(
    builder: &mut LeafBuilder<E>,
    table: GraphTable,
    leaf: u64,
    block: &mut Vec<u8>,
    sink: &mut CheckpointSink<'_>,
) -> Result<(), StorageError> {
    if builder.is_empty() {
        sink.remove(table.key(leaf));
        return Ok(());
    }
    builder.build(block);
    sink.block(table.key(leaf), block)
}
