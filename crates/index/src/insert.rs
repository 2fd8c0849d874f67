//! The tree with one entry more: the leaf and the nodes above it anew, split
//! where they are full. Nodes of the same edit are changed in place.
#![expect(unsafe_code, reason = "an edit changes its own nodes, which nobody else knows")]

use crate::entry::Entry;
use crate::inner::Children;
use crate::node::{Draft, Node, NodePtr};
use crate::path::Path;
use crate::pieces::Pieces;
use crate::pool::Writer;

/// Makes the tree with `entry` at the end of `path`; gives its root, if it is another
/// one. The nodes of the path that are not in that tree are retired.
pub(crate) fn insert<V>(
    writer: &Writer<'_>,
    path: &Path<'_, V>,
    entry: Entry<'_, V>,
) -> Option<NodePtr> {
    let Path { leaf, slot, .. } = *path;
    let has_room = leaf.len() < writer.capacity();
    // SAFETY: made by this edit, so nobody else knows it, here and below; nothing of it is
    // borrowed.
    if has_room && writer.owns(leaf) && unsafe { leaf.insert_here(slot, entry) } {
        return None;
    }
    let mut pieces = grow_leaf(writer, leaf, slot, entry);
    writer.retire(leaf);
    let mut height = 1;
    for (node, child) in path.upwards() {
        pieces = match pieces {
            Pieces::One(below) if writer.owns(node) => {
                // SAFETY: as above; the path goes through this child.
                unsafe { node.set_child(child, below) };
                return None;
            }
            Pieces::One(below) => Pieces::One(Draft::with_child(writer, node, child, below)),
            Pieces::Two(left, separator, right) => {
                let mut children = Children::of(node);
                children.set(child, left);
                children.insert_right(child, &separator, right);
                let cut = cut(children.len(), child + 1, 2);
                Pieces::inners(writer, &children, height, cut)
            }
        };
        writer.retire(node);
        height += 1;
    }
    Some(match pieces {
        Pieces::One(root) => root,
        Pieces::Two(left, separator, right) => {
            Children::two(left, &separator, right).node(writer, height, 0..2)
        }
    })
}

fn grow_leaf<V>(
    writer: &Writer<'_>,
    leaf: Node<'_, V>,
    slot: usize,
    entry: Entry<'_, V>,
) -> Pieces {
    if leaf.len() < writer.capacity() {
        return Pieces::One(leaf.with_entry(writer, slot, entry));
    }
    let (before, after) = leaf.entries().split_at(slot);
    let entries = [before, &[entry], after].concat();
    Pieces::leaves(writer, &entries, cut(entries.len(), slot, 1))
}

/// Where to cut a list that the item `new` made too long: in the middle, or
/// `least` items from an end when the new one is at that end. Keys that come in
/// order thus leave full nodes behind.
fn cut(len: usize, new: usize, least: usize) -> usize {
    if new + 1 == len {
        len - least
    } else if new < least {
        least
    } else {
        len / 2
    }
}
