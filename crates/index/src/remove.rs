//! The tree with one entry less: the leaf and the nodes above it anew, joined
//! with a neighbour where too little is left.
#![expect(unsafe_code, reason = "new nodes are read and discarded before they are in a tree")]

use crate::inner::Children;
use crate::node::{Draft, Node, NodePtr};
use crate::path::Path;
use crate::pieces::Pieces;
use crate::pool::Writer;

/// Makes the nodes of the tree without the entry at the end of `path`; gives its root,
/// none when the last entry went. The nodes that are not in that tree are retired.
pub(crate) fn remove<V>(writer: &Writer<'_>, path: &Path<'_, V>) -> Option<NodePtr> {
    let mut below = path.leaf.without_entry(writer, path.slot);
    writer.retire(path.leaf);
    for (node, child) in path.upwards() {
        // SAFETY: just made of links of this tree, whose nodes are freed only after
        // the writer is done.
        let made = unsafe { Node::<V>::from_raw(below) };
        below = if made.len() < len_min(made.height(), writer.capacity()) {
            let (joined, sibling) = join(writer, node, child, made);
            // SAFETY: made by this writer, copied by `join`, and in no tree.
            unsafe { writer.discard(below) };
            writer.retire(sibling);
            joined
        } else {
            Draft::with_child(writer, node, child, below)
        };
        writer.retire(node);
    }
    // SAFETY: as above.
    let root = unsafe { Node::<V>::from_raw(below) };
    let lonely = root.height() > 0 && root.len() == 1;
    if !lonely && root.len() > 0 {
        return Some(below);
    }
    let only = lonely.then(|| root.children()[0]);
    // SAFETY: made by this writer, in no tree, and its child was taken out.
    unsafe { writer.discard(below) };
    only
}

/// What is left of a node at least, or else it is joined with a neighbour.
fn len_min(height: usize, capacity: usize) -> usize {
    let least = if height == 0 { 1 } else { 2 };
    (capacity / 4).max(least)
}

/// Joins `below`, which replaces a child of `node`, with a neighbour of it to one
/// node or two of about the same length; gives the copy of `node` and the
/// neighbour, which is not below the copy.
fn join<'t, V>(
    writer: &Writer<'_>,
    node: Node<'t, V>,
    child: usize,
    below: Node<'t, V>,
) -> (NodePtr, Node<'t, V>) {
    let left_child = child.saturating_sub(1);
    let sibling = node.child(if child == 0 { 1 } else { left_child });
    let (left, right) = if child == 0 { (below, sibling) } else { (sibling, below) };
    let mut children = Children::of(node);
    let pieces = if below.height() == 0 {
        let entries = [left.entries(), right.entries()].concat();
        Pieces::leaves(writer, &entries, entries.len() / 2)
    } else {
        let mut joined = Children::of(left);
        joined.append(children.separator(left_child), &Children::of(right));
        Pieces::inners(writer, &joined, below.height(), joined.len() / 2)
    };
    children.remove_right(left_child);
    match pieces {
        Pieces::One(joined) => children.set(left_child, joined),
        Pieces::Two(left, separator, right) => {
            children.set(left_child, left);
            children.insert_right(left_child, &separator, right);
        }
    }
    (children.node(writer, node.height(), 0..children.len()), sibling)
}
