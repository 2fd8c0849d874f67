//! Inner nodes: finding the child for a key, and the list form that a node takes
//! while its children are spliced.
#![expect(unsafe_code, reason = "an inner node's links are nodes, which the types do not tell")]

use std::ops::Range;

use crate::node::{Draft, Node, NodePtr, Rest, words_of};
use crate::pool::Writer;
use crate::prefix::{below, equal, word};

impl<'t, V> Node<'t, V> {
    pub(crate) fn children(self) -> &'t [NodePtr] {
        assert!(self.height() > 0, "only inner nodes link to nodes");
        // SAFETY: the links of an inner node are nodes, by `Node::from_raw`.
        unsafe { self.links() }
    }

    pub(crate) fn child(self, child: usize) -> Self {
        // SAFETY: in the same tree, of the same lifetime, by `Node::from_raw`.
        unsafe { Self::from_raw(self.children()[child]) }
    }

    /// The child that may hold a key: as many separators as are not above it.
    pub(crate) fn child_for(self, key: &[u8]) -> usize {
        let rest = match self.rest_of(key) {
            Rest::Of(rest) => rest,
            Rest::Below => return 0,
            Rest::Above => return self.len() - 1,
        };
        let (words, wanted) = (self.words(), word(rest));
        let mut low = below(words, wanted);
        // The same word: the rests decide, usually a single one.
        let mut high = low + equal(words, wanted, low);
        while low < high {
            let middle = low.midpoint(high);
            if self.rest(middle) <= rest {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// The children of an inner node and the separators between them, to be spliced.
pub(crate) struct Children {
    nodes: Vec<NodePtr>,
    /// The separators, one behind the other.
    bytes: Vec<u8>,
    /// Where each separator ends.
    ends: Vec<usize>,
}

impl Children {
    pub(crate) fn two(left: NodePtr, separator: &[u8], right: NodePtr) -> Self {
        Self { nodes: vec![left, right], bytes: separator.to_vec(), ends: vec![separator.len()] }
    }

    pub(crate) fn of<V>(node: Node<'_, V>) -> Self {
        let mut children = Self {
            nodes: node.children().to_vec(),
            bytes: Vec::new(),
            ends: Vec::with_capacity(node.len()),
        };
        for separator in 0..node.len() - 1 {
            children.bytes.extend_from_slice(node.shared());
            children.bytes.extend_from_slice(node.rest(separator));
            children.ends.push(children.bytes.len());
        }
        children
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The separator between child `at` and the next.
    pub(crate) fn separator(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    pub(crate) fn set(&mut self, at: usize, node: NodePtr) {
        self.nodes[at] = node;
    }

    /// Puts a node to the right of child `at`.
    pub(crate) fn insert_right(&mut self, at: usize, separator: &[u8], node: NodePtr) {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        self.bytes.splice(start..start, separator.iter().copied());
        self.ends.insert(at, start);
        for end in &mut self.ends[at..] {
            *end += separator.len();
        }
        self.nodes.insert(at + 1, node);
    }

    /// Takes out the right neighbour of child `at` and the separator between.
    pub(crate) fn remove_right(&mut self, at: usize) {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        let gone = self.ends[at] - start;
        self.bytes.drain(start..start + gone);
        self.ends.remove(at);
        for end in &mut self.ends[at..] {
            *end -= gone;
        }
        self.nodes.remove(at + 1);
    }

    /// Puts another list behind this one.
    pub(crate) fn append(&mut self, separator: &[u8], right: &Self) {
        self.bytes.extend_from_slice(separator);
        self.ends.push(self.bytes.len());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&right.bytes);
        self.ends.extend(right.ends.iter().map(|end| start + end));
        self.nodes.extend_from_slice(&right.nodes);
    }

    /// An inner node of some of the children.
    pub(crate) fn node(&self, writer: &Writer<'_>, height: usize, range: Range<usize>) -> NodePtr {
        let separators = range.start..range.end - 1;
        let (shared, words) = words_of(separators.clone().map(|at| self.separator(at)));
        let rests = separators.clone().map(|at| &self.separator(at)[shared.len()..]);
        let rests_bytes = rests.clone().map(<[u8]>::len).sum();
        let mut draft = Draft::inner(writer, height, range.len(), shared, rests_bytes);
        draft.words(&words).links(&self.nodes[range]);
        for rest in rests {
            draft.rest(rest);
        }
        draft.finish()
    }
}
