//! Reading a checkpoint into an empty graph, and letting go of documents that a
//! checkpoint has written.
#![expect(unsafe_code, reason = "the commit lock vouches for what is installed")]

use selvedge_base::hash::Map;
use selvedge_base::limits::{EDGE_TYPES_MAX, LABELS_MAX, NODE_KEY_BYTES_MAX, NODES_MAX};
use selvedge_base::{LabelId, NodeId, Timestamp};
use selvedge_engine::Evict;
use selvedge_mvcc::{Arena, Record, Retired, VersionBox};
use selvedge_storage::{BlockKey, Contents, Place, StorageError};

use crate::adjacency::{Adjacency, loaded};
use crate::block::Block;
use crate::catalog::Named;
use crate::catalog_block::{EDGE_TYPES, LABELS, StoredName, read_names};
use crate::changes::GraphTable;
use crate::codec::{Misfit, misfit, text};
use crate::graph::{
    EdgeHeader, EdgeVersion, Graph, LEAF_IDS, NodeHeader, NodeRead as _, NodeVersion, Records,
    leaf_of,
};
use crate::install::install;
use crate::leaf_block::{StoredDocument, StoredEntry, read_edges, read_entries};
use crate::outside::{Outside, ReadDocument as _};
use crate::writer::GraphWriter;

/// What goes wrong with a block: what it says, or reading it.
enum Trouble {
    Misfit(Misfit),
    Storage(StorageError),
}

impl From<Misfit> for Trouble {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(misfit)
    }
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Blocks that are asked for ahead of the one that is read.
const BLOCKS_AHEAD: usize = 16;

/// Loading one block after the other.
#[derive(Debug, Default)]
struct GraphLoad {
    arena: Arena,
    /// Nodes found, by label.
    found: Map<LabelId, u64>,
}

impl Graph {
    /// Loads the graph's blocks of a checkpoint.
    ///
    /// # Errors
    /// Of the files; [`StorageError::Corrupt`] if a block says what cannot be.
    ///
    /// # Safety
    /// The caller holds the commit lock, the graph is empty, and the oracle has
    /// published the checkpoint's timestamp before anybody reads.
    pub unsafe fn load(
        &self,
        writer: &mut GraphWriter,
        contents: &Contents,
    ) -> Result<(), StorageError> {
        let mut load = GraphLoad::default();
        let keys: Vec<_> = contents.blocks().iter().map(|(key, _)| key).collect();
        for (at, key) in keys.iter().copied().enumerate() {
            // On its way from the disk while the ones before are read.
            keys.get(at + BLOCKS_AHEAD).into_iter().for_each(|key| contents.will_need(*key));
            let Some(block) = contents.block(key)? else { continue };
            // SAFETY: the caller's contract.
            let done = unsafe { self.load_block(key, block, writer, contents, &mut load) };
            done.map_err(|trouble| match trouble {
                Trouble::Misfit(misfit) => contents.block_problem(key, &misfit.to_string()),
                Trouble::Storage(error) => error,
            })?;
        }
        // SAFETY: the caller's contract.
        unsafe { self.check_found(&load) }.map_err(|misfit| {
            contents.block_problem(GraphTable::Catalog.key(LABELS), &misfit.to_string())
        })
    }

    /// # Safety
    /// As [`Graph::load`].
    unsafe fn load_block(
        &self,
        key: BlockKey,
        block: &[u8],
        writer: &mut GraphWriter,
        contents: &Contents,
        load: &mut GraphLoad,
    ) -> Result<(), Trouble> {
        if key.leaf > leaf_of(NODES_MAX) {
            return Ok(misfit(format!("there are no identifiers in leaf {}", key.leaf))?);
        }
        let newest = contents.manifest().timestamp;
        let leaf = Leaf { first: key.leaf * LEAF_IDS as u64, newest };
        let [node_ids, _] = self.sequences();
        // SAFETY: the caller's contract, here and below.
        unsafe {
            match GraphTable::numbered(key.table) {
                None => Ok(()),
                Some(GraphTable::Catalog) => {
                    Ok(self.load_names((key.leaf, newest), block, writer)?)
                }
                Some(GraphTable::Nodes) => {
                    let mut trouble = None;
                    read_entries(block, |entry| {
                        let id = NodeId::new(leaf.id(entry.slot, entry.commit)?);
                        // Whatever was leased, what is there is not given out again.
                        node_ids.skip_to(id.get() + 1);
                        match self.node_of(&entry, contents, &mut load.arena) {
                            Ok(version) => self.load_node(id, version, entry.commit, writer, load),
                            Err(error) => {
                                trouble = Some(error);
                                misfit("")
                            }
                        }
                    })
                    .map_err(|misfit| trouble.unwrap_or(Trouble::Misfit(misfit)))
                }
                Some(GraphTable::Edges) => {
                    let mut trouble = None;
                    read_entries(block, |entry| {
                        let number = leaf.id(entry.slot, entry.commit)?;
                        match edge_of(&entry, contents, &mut load.arena) {
                            Ok(version) => {
                                install(&self.edges, number, version, entry.commit);
                                Ok(())
                            }
                            Err(error) => {
                                trouble = Some(error.into());
                                misfit("")
                            }
                        }
                    })
                    .map_err(|misfit| trouble.unwrap_or(Trouble::Misfit(misfit)))
                }
                Some(table @ (GraphTable::Out | GraphTable::In)) => {
                    let records = if table == GraphTable::Out { &self.out } else { &self.into };
                    Ok(self.load_edges(leaf, block, records, &mut load.arena)?)
                }
            }
        }
    }

    /// # Safety
    /// As [`Graph::load`].
    unsafe fn load_edges(
        &self,
        leaf: Leaf,
        block: &[u8],
        records: &Records<Adjacency>,
        arena: &mut Arena,
    ) -> Result<(), Misfit> {
        // SAFETY: the caller's contract, here and below.
        let known = unsafe { self.edge_types.current() };
        let [_, numbers] = self.sequences();
        read_edges(block, |edges| {
            let node = leaf.id(edges.slot, edges.commit)?;
            let block = Block::new(edges.shape, edges.bytes);
            if block.edge_types().any(|kind| known.by_number(kind.get()).is_none()) {
                return misfit("an edge has a type without a name");
            }
            let number = block.number_max();
            if number > NODES_MAX {
                return misfit(format!("an edge has the number {number}"));
            }
            numbers.skip_to(number + 1);
            let version = loaded(edges.shape, edges.bytes, arena);
            // SAFETY: as above.
            unsafe { install(records, node, version, edges.commit) };
            Ok(())
        })
    }

    /// # Safety
    /// As [`Graph::load`].
    unsafe fn load_names(
        &self,
        (leaf, newest): (u64, Timestamp),
        block: &[u8],
        writer: &mut GraphWriter,
    ) -> Result<(), Misfit> {
        match leaf {
            LABELS => {
                let mut labels = Vec::new();
                read_names(block, LABELS_MAX, |stored| {
                    committed(stored.newest(), newest)?;
                    let label = self.labels.reserve_as(stored.number, stored.name);
                    let _ = label.created.set(stored.created);
                    // SAFETY: the caller's contract.
                    unsafe { load_count(&label.count, &stored) };
                    labels.push(label);
                    Ok(())
                })?;
                distinct(&labels)?;
                // SAFETY: the caller's contract; settling moves what is retired to
                // the limbo.
                writer.retired.push(unsafe { self.labels.publish(&labels) });
            }
            EDGE_TYPES => {
                let mut edge_types = Vec::new();
                read_names(block, EDGE_TYPES_MAX, |stored| {
                    committed(stored.newest(), newest)?;
                    let kind = self.edge_types.reserve_as(stored.number, stored.name);
                    let _ = kind.created.set((stored.created, stored.def.clone()));
                    // SAFETY: the caller's contract.
                    unsafe { load_count(&kind.count, &stored) };
                    edge_types.push(kind);
                    Ok(())
                })?;
                distinct(&edge_types)?;
                // SAFETY: as above.
                writer.retired.push(unsafe { self.edge_types.publish(&edge_types) });
            }
            leaf => return misfit(format!("the catalog has no leaf {leaf}")),
        }
        Ok(())
    }

    /// The version of a node that an entry says.
    ///
    /// # Safety
    /// As [`Graph::load`].
    unsafe fn node_of(
        &self,
        entry: &StoredEntry<'_>,
        contents: &Contents,
        arena: &mut Arena,
    ) -> Result<VersionBox<NodeHeader>, Trouble> {
        let label = LabelId::new(entry.label);
        // SAFETY: the caller's contract.
        if unsafe { self.labels.current() }.by_number(entry.label).is_none() {
            return Ok(misfit("a node has a label without a name")?);
        }
        if let Some(key) = entry.key {
            text(key)?;
            if key.len() > NODE_KEY_BYTES_MAX {
                return Ok(misfit(format!("a key has {} bytes", key.len()))?);
            }
        }
        let key = entry.key.unwrap_or_default();
        Ok(match entry.document {
            StoredDocument::Inside(document) => {
                VersionBox::new_in(arena, NodeHeader::new(label, entry.key), &[key, document])
            }
            StoredDocument::Outside(place) => {
                let outside = outside(place, contents)?;
                let header = NodeHeader::outside(label, entry.key);
                VersionBox::new_in(arena, header, &[key, outside.as_bytes()])
            }
        })
    }

    /// # Safety
    /// As [`Graph::load`].
    unsafe fn load_node(
        &self,
        id: NodeId,
        version: VersionBox<NodeHeader>,
        commit: Timestamp,
        writer: &mut GraphWriter,
        load: &mut GraphLoad,
    ) -> Result<(), Misfit> {
        *load.found.entry(version.header().label).or_default() += 1;
        // SAFETY: the caller's contract; the label has a name.
        unsafe {
            self.enter_node(writer, id, &version);
            install(&self.nodes, id.get(), version, commit);
        }
        Ok(())
    }

    /// Counts must be those of what was found.
    ///
    /// # Safety
    /// As [`Graph::load`].
    unsafe fn check_found(&self, load: &GraphLoad) -> Result<(), Misfit> {
        // SAFETY: the caller's contract.
        for label in unsafe { self.labels.current() }.iter() {
            // SAFETY: as above.
            let said = unsafe { label.count.newest() }.map_or(0, |count| *count.header());
            let found = load.found.get(&label.id).copied().unwrap_or(0);
            if said != found {
                let name = &label.name;
                return misfit(format!("label {name:?} should have {said} nodes, and has {found}"));
            }
        }
        Ok(())
    }

    /// Reads documents from where the newest checkpoint has put them, for one block
    /// that it wrote: those that lay in other files, and, if asked, those in memory.
    /// Gives their number.
    ///
    /// # Errors
    /// Of the files.
    ///
    /// # Safety
    /// The caller holds the commit lock, between two commits.
    pub unsafe fn evict(
        &self,
        writer: &mut GraphWriter,
        contents: &Contents,
        key: BlockKey,
        which: Evict,
        arena: &mut Arena,
    ) -> Result<usize, StorageError> {
        let first = key.leaf.saturating_mul(LEAF_IDS as u64);
        let (mut nodes, mut edges, mut read) = (Vec::new(), Vec::new(), Ok(()));
        let mut visit = |entry: StoredEntry<'_>| {
            let StoredDocument::Outside(place) = entry.document else { return Ok(()) };
            let Ok(outside) = outside(place, contents) else { return misfit("beyond its file") };
            let id = first + entry.slot;
            // SAFETY: the caller's contract.
            unsafe {
                match GraphTable::numbered(key.table) {
                    Some(GraphTable::Nodes) => {
                        let copy = |old: &NodeVersion| {
                            let header = NodeHeader::outside(old.header().label, old.key_bytes());
                            let key = old.key_bytes().unwrap_or_default();
                            VersionBox::new_in(arena, header, &[key, outside.as_bytes()])
                        };
                        nodes.extend(moved(&self.nodes, id, &entry, (&outside, which), copy));
                    }
                    Some(GraphTable::Edges) => {
                        let copy = |_: &EdgeVersion| {
                            let header = EdgeHeader { outside: true };
                            VersionBox::new_in(arena, header, &[outside.as_bytes()])
                        };
                        edges.extend(moved(&self.edges, id, &entry, (&outside, which), copy));
                    }
                    _ => {}
                }
            }
            Ok(())
        };
        if matches!(GraphTable::numbered(key.table), Some(GraphTable::Nodes | GraphTable::Edges))
            && let Some(block) = contents.block(key)?
        {
            read = read_entries(block, &mut visit);
        }
        // One garbage for all: they go together, also if the rest could not be read.
        let evicted = nodes.len() + edges.len();
        if evicted > 0 {
            writer.retired.push(Retired::new((nodes, edges)));
        }
        read.map_err(|misfit| contents.block_problem(key, &misfit.to_string()))?;
        Ok(evicted)
    }
}

/// Moves the newest version of a record outside, if it is the one that the entry
/// speaks of and lies elsewhere.
///
/// # Safety
/// As [`Graph::evict`].
unsafe fn moved<H: Send + Sync + 'static>(
    records: &Records<H>,
    id: u64,
    entry: &StoredEntry<'_>,
    (outside, which): (&Outside, Evict),
    copy: impl FnOnce(&selvedge_mvcc::Version<H>) -> VersionBox<H>,
) -> Option<VersionBox<H>>
where
    selvedge_mvcc::Version<H>: crate::outside::Documented,
{
    // SAFETY: the caller's contract.
    let record = unsafe { records.slot(id) }?;
    // SAFETY: as above.
    let newest = unsafe { record.newest() }?;
    let stays = match newest.outside() {
        Some(old) => old.is(outside),
        None => which == Evict::Outside,
    };
    if newest.commit() != entry.commit || stays {
        return None;
    }
    // SAFETY: as above; the copy refers to the same document.
    unsafe { record.move_newest(copy) }
}

/// The leaf of a table, and the timestamp of its checkpoint.
#[derive(Clone, Copy)]
struct Leaf {
    first: u64,
    newest: Timestamp,
}

impl Leaf {
    /// The identifier of a slot, if there can be one that was committed then.
    fn id(self, slot: u64, commit: Timestamp) -> Result<u64, Misfit> {
        committed(commit, self.newest)?;
        match self.first + slot {
            id @ 1..=NODES_MAX => Ok(id),
            id => misfit(format!("nothing has the number {id}")),
        }
    }
}

/// A checkpoint holds what was committed up to its timestamp.
fn committed(commit: Timestamp, newest: Timestamp) -> Result<(), Misfit> {
    if commit <= newest {
        return Ok(());
    }
    misfit(format!("something of {commit} is in the checkpoint of {newest}"))
}

/// Where a document lies in the mapping of its file.
fn outside(place: Place, contents: &Contents) -> Result<Outside, StorageError> {
    Ok(Outside::of(contents.document(place)?, place.checksum))
}

fn edge_of(
    entry: &StoredEntry<'_>,
    contents: &Contents,
    arena: &mut Arena,
) -> Result<VersionBox<EdgeHeader>, StorageError> {
    Ok(match entry.document {
        StoredDocument::Inside(document) => {
            VersionBox::new_in(arena, EdgeHeader::INSIDE, &[document])
        }
        StoredDocument::Outside(place) => {
            let outside = outside(place, contents)?;
            VersionBox::new_in(arena, EdgeHeader { outside: true }, &[outside.as_bytes()])
        }
    })
}

/// # Safety
/// As [`Graph::load`].
unsafe fn load_count(count: &Record<u64>, stored: &StoredName<'_>) {
    if let Some((number, since)) = stored.count {
        // SAFETY: the caller's contract.
        unsafe { count.install(VersionBox::new(number, &[]), since) };
    }
}

/// Checks that neither a name nor a number comes twice.
fn distinct<E: Named>(entries: &[std::sync::Arc<E>]) -> Result<(), Misfit> {
    let mut names: Vec<_> = entries.iter().map(|entry| entry.name()).collect();
    let mut numbers: Vec<_> = entries.iter().map(|entry| entry.number()).collect();
    names.sort_unstable();
    names.dedup();
    numbers.sort_unstable();
    numbers.dedup();
    if names.len() == entries.len() && numbers.len() == entries.len() {
        return Ok(());
    }
    misfit("a name or its number comes twice")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::block::{HalfEdge, Shape};
    use crate::codec::put_number;
    use crate::edge_type::EdgeTypeDef;
    use crate::graph::GraphOptions;
    use crate::leaf_block::{DocumentEntry, EdgesEntry, LeafBuilder, StoredEdges};
    use selvedge_base::EdgeTypeId;
    use selvedge_env::SimulatedFiles;
    use selvedge_storage::{CheckpointFacts, Identity, LogPosition, LogStart, Store};

    const COMMIT: Timestamp = Timestamp::new(5);

    /// The contents of a checkpoint with these blocks, as they are.
    fn contents(blocks: &[(BlockKey, Vec<u8>)]) -> Arc<Contents> {
        let files = Arc::new(SimulatedFiles::new(1));
        let identity = Identity { database: 1, salt: 7, segment_bytes: 1 << 20 };
        let store = Store::create(files, Path::new("/db"), identity).unwrap();
        let mut checkpoint = store.begin().unwrap();
        for (key, bytes) in blocks {
            checkpoint.block(*key, bytes, []).unwrap();
        }
        let facts = CheckpointFacts {
            timestamp: COMMIT.next(),
            log: LogStart { position: LogPosition::new(64), chain: 1 },
            incarnation: 1,
            engine: Vec::new(),
        };
        store.publish(checkpoint.finish().unwrap(), facts).unwrap().contents
    }

    fn load(blocks: &[(BlockKey, Vec<u8>)]) -> Result<Graph, StorageError> {
        let graph = Graph::new(GraphOptions::default());
        let mut writer = GraphWriter::default();
        // SAFETY: nobody else has the graph, which is empty, and nobody reads.
        unsafe { graph.load(&mut writer, &contents(blocks)) }.map(|()| graph)
    }

    fn assert_refused(blocks: &[(BlockKey, Vec<u8>)], what: &str) {
        let error = load(blocks).expect_err(what);
        assert!(matches!(error, StorageError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }

    /// One name, the number 0, of so many nodes or edges.
    fn names(leaf: u64, count: u64) -> (BlockKey, Vec<u8>) {
        let count = (count > 0).then_some((count, COMMIT));
        let def = EdgeTypeDef::multi();
        let mut block = Vec::new();
        put_number(&mut block, 1);
        StoredName { number: 0, name: "A", created: COMMIT, count, def }.write(&mut block);
        (GraphTable::Catalog.key(leaf), block)
    }

    /// The block of a leaf with one node.
    fn node(leaf: u64, slot: u64, key: &[u8]) -> (BlockKey, Vec<u8>) {
        let document = StoredDocument::Inside(&[]);
        let mut builder = LeafBuilder::<DocumentEntry>::default();
        builder.add(&StoredEntry { slot, commit: COMMIT, label: 0, key: Some(key), document });
        let mut block = Vec::new();
        builder.build(&mut block);
        (GraphTable::Nodes.key(leaf), block)
    }

    /// The block of a leaf with one edge, out of the node 1.
    fn edge(edge_type: u32, number: u64) -> (BlockKey, Vec<u8>) {
        let (edge_type, neighbour) = (EdgeTypeId::new(edge_type), NodeId::new(2));
        let edges = [HalfEdge { edge_type, neighbour, id: number }];
        let shape = Shape::of(&edges);
        let mut words = vec![0_u64; shape.bytes().div_ceil(8)];
        let bytes = &mut bytemuck::cast_slice_mut(&mut words)[..shape.bytes()];
        shape.write(&edges, bytes);
        let mut builder = LeafBuilder::<EdgesEntry>::default();
        builder.add(&StoredEdges { slot: 1, commit: COMMIT, shape, bytes });
        let mut block = Vec::new();
        builder.build(&mut block);
        (GraphTable::Out.key(0), block)
    }

    /// What is refused below is refused for what it is, not for how it is made. Numbers
    /// that are there are not given out again, whatever was leased: they were not
    /// always, when a checkpoint was made up.
    #[test]
    fn numbers_that_are_there_count_as_given_out() {
        let graph =
            load(&[names(LABELS, 1), names(EDGE_TYPES, 1), node(3, 9, b"key"), edge(0, 77)])
                .unwrap();
        let next = graph.sequences().map(|sequence| sequence.next());
        assert_eq!(next, [3 * LEAF_IDS as u64 + 10, 78]);
    }

    #[test]
    fn there_is_no_node_0() {
        assert_refused(&[names(LABELS, 1), node(0, 0, b"key")], "nothing has the number 0");
    }

    #[test]
    fn there_are_no_numbers_beyond_the_limit() {
        let last = leaf_of(NODES_MAX);
        let beyond = format!("nothing has the number {}", NODES_MAX + 1);
        assert_refused(&[names(LABELS, 1), node(last, 1, b"key")], &beyond);
        let no_leaf = format!("there are no identifiers in leaf {}", last + 1);
        assert_refused(&[names(LABELS, 1), node(last + 1, 0, b"key")], &no_leaf);
        let number = format!("an edge has the number {}", NODES_MAX + 1);
        assert_refused(&[names(EDGE_TYPES, 1), edge(0, NODES_MAX + 1)], &number);
        assert!(load(&[names(EDGE_TYPES, 1), edge(0, NODES_MAX)]).is_ok());
    }

    #[test]
    fn keys_are_no_longer_than_they_may_be() {
        let key = vec![b'k'; NODE_KEY_BYTES_MAX + 1];
        assert!(load(&[names(LABELS, 1), node(0, 1, &key[1..])]).is_ok());
        assert_refused(&[names(LABELS, 1), node(0, 1, &key)], "a key has 4097 bytes");
    }

    #[test]
    fn types_of_edges_have_names() {
        let nameless = [names(EDGE_TYPES, 1), edge(1, 0)];
        assert_refused(&nameless, "an edge has a type without a name");
        assert!(load(&[names(EDGE_TYPES, 1), edge(0, 0)]).is_ok());
    }
}
