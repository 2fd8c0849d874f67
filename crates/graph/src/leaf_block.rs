//! The leaf of a table as the bytes of a block in a checkpoint, and back.
//!
//! ```text
//! | number of entries u64 | entries, in the order of their slots | bytes |
//! ```
//!
//! Entries have a fixed size, so that one is found and checked without the others;
//! what varies in length lies behind them: keys and small documents of nodes, packed
//! edges of adjacency (at multiples of 8). Reading trusts no byte.

use bytemuck::{Pod, Zeroable};
use selvedge_base::Timestamp;
use selvedge_storage::{FileNumber, Place};

use crate::block::Shape;
use crate::codec::{Misfit, misfit};
use crate::graph::LEAF_IDS;

/// A document of up to this many bytes lies in the block itself, and stays in
/// memory: where it lies outside would take as much.
pub(crate) const INSIDE_BYTES_MAX: usize = 64;

/// An entry with a document: of a node, or of an edge that has a record.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct DocumentEntry {
    commit: u64,
    /// Where the document lies, unless inside.
    file: u64,
    offset: u64,
    document_len: u32,
    checksum: u32,
    label: u32,
    /// Bytes of the key, or [`NO_KEY`].
    key_len: u32,
    slot: u16,
    /// 1 if the document lies in the block.
    inside: u16,
    zero: u32,
}

const NO_KEY: u32 = u32::MAX;

/// The edges at a node in one direction.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct EdgesEntry {
    commit: u64,
    len: u32,
    runs: u32,
    slot: u16,
    /// 1: neighbours take eight bytes each; 2: there are ids.
    flags: u16,
    zero: u32,
}

/// The document of an entry: where it lies outside, or its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoredDocument<'b> {
    Inside(&'b [u8]),
    Outside(Place),
}

/// A node or an edge, read from a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredEntry<'b> {
    pub(crate) slot: u64,
    pub(crate) commit: Timestamp,
    pub(crate) label: u32,
    pub(crate) key: Option<&'b [u8]>,
    pub(crate) document: StoredDocument<'b>,
}

/// Edges, read from a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredEdges<'b> {
    pub(crate) slot: u64,
    pub(crate) commit: Timestamp,
    pub(crate) shape: Shape,
    pub(crate) bytes: &'b [u8],
}

/// A block under construction.
#[derive(Debug)]
pub(crate) struct LeafBuilder<E> {
    entries: Vec<E>,
    bytes: Vec<u8>,
}

impl<E> Default for LeafBuilder<E> {
    fn default() -> Self {
        Self { entries: Vec::new(), bytes: Vec::new() }
    }
}

impl<E: Pod> LeafBuilder<E> {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of the block; the builder is as new.
    pub(crate) fn build(&mut self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&(self.entries.len() as u64).to_le_bytes());
        out.extend_from_slice(bytemuck::cast_slice(&self.entries));
        out.extend_from_slice(&self.bytes);
        self.entries.clear();
        self.bytes.clear();
    }
}

impl LeafBuilder<DocumentEntry> {
    /// Adds an entry; slots ascend.
    pub(crate) fn add(&mut self, entry: &StoredEntry<'_>) {
        let (place, len, inside) = match entry.document {
            StoredDocument::Inside(document) => (None, document.len() as u32, Some(document)),
            StoredDocument::Outside(place) => (Some(place), place.len, None),
        };
        self.entries.push(DocumentEntry {
            commit: entry.commit.get(),
            file: place.map_or(0, |place| place.file.get()),
            offset: place.map_or(0, |place| place.offset),
            document_len: len,
            checksum: place.map_or(0, |place| place.checksum),
            label: entry.label,
            key_len: entry.key.map_or(NO_KEY, |key| key.len() as u32),
            slot: entry.slot as u16,
            inside: u16::from(inside.is_some()),
            zero: 0,
        });
        self.bytes.extend_from_slice(entry.key.unwrap_or_default());
        self.bytes.extend_from_slice(inside.unwrap_or_default());
    }
}

impl LeafBuilder<EdgesEntry> {
    /// Adds the edges of a node; slots ascend.
    pub(crate) fn add(&mut self, edges: &StoredEdges<'_>) {
        let (len, runs, wide, ids) = edges.shape.parts();
        self.entries.push(EdgesEntry {
            commit: edges.commit.get(),
            len,
            runs,
            slot: edges.slot as u16,
            flags: u16::from(wide) | u16::from(ids) << 1,
            zero: 0,
        });
        self.bytes.extend_from_slice(edges.bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
    }
}

/// A block's entries and the bytes behind them.
fn parts<E: Pod>(block: &[u8]) -> Result<(&[E], &[u8]), Misfit> {
    let Some((count, rest)) = block.split_first_chunk::<8>() else {
        return misfit("it is too short");
    };
    let count = usize::try_from(u64::from_le_bytes(*count)).unwrap_or(usize::MAX);
    if count > LEAF_IDS {
        return misfit(format!("it has {count} entries, and room for {LEAF_IDS}"));
    }
    let Some((entries, bytes)) = rest.split_at_checked(count * size_of::<E>()) else {
        return misfit("it is too short for its entries");
    };
    match bytemuck::try_cast_slice(entries) {
        Ok(entries) => Ok((entries, bytes)),
        Err(_) => misfit("it is not aligned"),
    }
}

/// Takes `len` bytes from the front.
fn take<'b>(bytes: &mut &'b [u8], len: usize) -> Result<&'b [u8], Misfit> {
    let Some((taken, rest)) = bytes.split_at_checked(len) else {
        return misfit("it is too short for what its entries say");
    };
    *bytes = rest;
    Ok(taken)
}

/// Checks that slots ascend, and timestamps are possible.
fn slot_and_commit(
    slot: u16,
    commit: u64,
    last: &mut Option<u16>,
) -> Result<(u64, Timestamp), Misfit> {
    if usize::from(slot) >= LEAF_IDS || last.is_some_and(|last| slot <= last) {
        return misfit("its entries are not in order");
    }
    *last = Some(slot);
    if commit == 0 || commit > Timestamp::MAX.get() {
        return misfit(format!("{commit} is no commit timestamp"));
    }
    Ok((u64::from(slot), Timestamp::new(commit)))
}

/// Reads the entries of a block of nodes or edges.
pub(crate) fn read_entries<'b>(
    block: &'b [u8],
    mut visit: impl FnMut(StoredEntry<'b>) -> Result<(), Misfit>,
) -> Result<(), Misfit> {
    let (entries, mut bytes) = parts::<DocumentEntry>(block)?;
    let mut last = None;
    for entry in entries {
        let (slot, commit) = slot_and_commit(entry.slot, entry.commit, &mut last)?;
        let key = match entry.key_len {
            NO_KEY => None,
            len => Some(take(&mut bytes, len as usize)?),
        };
        let document = if entry.inside == 1 {
            let inside = take(&mut bytes, entry.document_len as usize)?;
            StoredDocument::Inside(crate::codec::document(inside)?)
        } else {
            StoredDocument::Outside(Place {
                file: FileNumber::new(entry.file),
                offset: entry.offset,
                len: entry.document_len,
                checksum: entry.checksum,
            })
        };
        visit(StoredEntry { slot, commit, label: entry.label, key, document })?;
    }
    Ok(())
}

/// Reads the entries of a block of adjacency.
pub(crate) fn read_edges<'b>(
    block: &'b [u8],
    mut visit: impl FnMut(StoredEdges<'b>) -> Result<(), Misfit>,
) -> Result<(), Misfit> {
    let (entries, mut bytes) = parts::<EdgesEntry>(block)?;
    let mut last = None;
    for entry in entries {
        let (slot, commit) = slot_and_commit(entry.slot, entry.commit, &mut last)?;
        let (wide, ids) = (entry.flags & 1 != 0, entry.flags & 2 != 0);
        let Some(shape) = Shape::from_parts(entry.len, entry.runs, wide, ids) else {
            return misfit("edges without a type");
        };
        let edges = take(&mut bytes, shape.bytes().next_multiple_of(8))?;
        let edges = &edges[..shape.bytes()];
        if !shape.fits(edges) {
            return misfit("edges are not in runs by type");
        }
        visit(StoredEdges { slot, commit, shape, bytes: edges })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::HalfEdge;
    use selvedge_base::{EdgeTypeId, NodeId};

    /// As a mapped block lies: at a multiple of 8.
    fn aligned(bytes: &[u8]) -> Vec<u64> {
        let mut words = vec![0_u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        words
    }

    fn document_block() -> Vec<u8> {
        let place = Place { file: FileNumber::new(3), offset: 64, len: 99, checksum: 7 };
        let entry = |slot, key, document| StoredEntry {
            slot,
            commit: Timestamp::new(slot + 5),
            label: 2,
            key,
            document,
        };
        let mut builder = LeafBuilder::<DocumentEntry>::default();
        builder.add(&entry(0, None, StoredDocument::Inside(&[])));
        builder.add(&entry(7, Some(b"alice"), StoredDocument::Outside(place)));
        builder.add(&entry(1023, Some(b""), StoredDocument::Inside(&[])));
        let mut bytes = Vec::new();
        builder.build(&mut bytes);
        assert!(builder.is_empty());
        bytes
    }

    #[test]
    fn entries_come_back() {
        let bytes = document_block();
        let mut seen = Vec::new();
        let words = aligned(&bytes);
        let bytes = &bytemuck::cast_slice(&words)[..bytes.len()];
        read_entries(bytes, |entry| {
            seen.push((entry.slot, entry.commit.get(), entry.key.map(<[u8]>::to_vec)));
            Ok(())
        })
        .unwrap();
        let expected =
            [(0, 5, None), (7, 12, Some(b"alice".to_vec())), (1023, 1028, Some(Vec::new()))];
        assert_eq!(seen, expected);
    }

    #[test]
    fn no_damage_to_a_block_is_a_panic() {
        let edge = |to| HalfEdge {
            edge_type: EdgeTypeId::new(to as u32 % 2),
            neighbour: NodeId::new(to),
            id: to % 3,
        };
        let mut edges: Vec<_> = (1..40).map(edge).collect();
        edges.sort_unstable();
        let shape = Shape::of(&edges);
        let mut words = vec![0_u64; shape.bytes().div_ceil(8)];
        shape.write(&edges, &mut bytemuck::cast_slice_mut(&mut words)[..shape.bytes()]);
        let bytes = &bytemuck::cast_slice(&words)[..shape.bytes()];
        let mut builder = LeafBuilder::<EdgesEntry>::default();
        builder.add(&StoredEdges { slot: 9, commit: Timestamp::new(4), shape, bytes });
        let mut adjacency = Vec::new();
        builder.build(&mut adjacency);
        for (block, is_adjacency) in [(adjacency, true), (document_block(), false)] {
            for at in 0..block.len() {
                for bit in 0..8 {
                    let mut damaged = block.clone();
                    damaged[at] ^= 1 << bit;
                    let words = aligned(&damaged[..block.len() - usize::from(bit == 7)]);
                    let damaged = bytemuck::cast_slice(&words);
                    let _ = if is_adjacency {
                        read_edges(damaged, |edges| {
                            let block = crate::block::Block::new(edges.shape, edges.bytes);
                            block.edges(0, block.len()).for_each(drop);
                            Ok(())
                        })
                    } else {
                        read_entries(damaged, |_| Ok(()))
                    };
                }
            }
        }
    }
}
