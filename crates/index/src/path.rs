//! A path from the root of one tree to a slot of a leaf: what the writer copies
//! and what a range moves along.

use std::cmp::Ordering;

use crate::entry::Entry;
use crate::node::{HEIGHT_MAX, Node};

/// Steps through inner nodes, a leaf, and a slot of it.
pub(crate) struct Path<'t, V> {
    root_height: usize,
    /// By height: the inner node of height `h` is at `h - 1`. What is above the
    /// root is filled with anything.
    steps: [Step<'t, V>; HEIGHT_MAX],
    pub(crate) leaf: Node<'t, V>,
    pub(crate) slot: usize,
}

/// An inner node and the child that the path goes through.
struct Step<'t, V> {
    node: Node<'t, V>,
    child: usize,
}

impl<V> Clone for Step<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Step<'_, V> {}

/// Which way a path turns in each node.
#[derive(Clone, Copy)]
enum Way<'k> {
    First,
    Last,
    To(&'k [u8]),
}

impl<'t, V> Path<'t, V> {
    /// To the place of a key, and whether it is there. The slot may be behind the
    /// last one of its leaf.
    pub(crate) fn to(root: Node<'t, V>, key: &[u8]) -> (Self, bool) {
        let mut path = Self::new(root, Way::To(key));
        let found = path.leaf.find(key);
        path.slot = found.unwrap_or_else(|slot| slot);
        (path, found.is_ok())
    }

    /// To the first slot of the tree.
    pub(crate) fn first(root: Node<'t, V>) -> Self {
        Self::new(root, Way::First)
    }

    /// Behind the last slot of the tree.
    pub(crate) fn end(root: Node<'t, V>) -> Self {
        let mut path = Self::new(root, Way::Last);
        path.slot = path.leaf.len();
        path
    }

    fn new(root: Node<'t, V>, way: Way<'_>) -> Self {
        let steps = [Step { node: root, child: 0 }; HEIGHT_MAX];
        let mut path = Self { root_height: root.height(), steps, leaf: root, slot: 0 };
        path.descend(root, way);
        path
    }

    /// Goes down from a node to a leaf, noting the steps.
    fn descend(&mut self, mut node: Node<'t, V>, way: Way<'_>) {
        while node.height() > 0 {
            let child = match way {
                Way::First => 0,
                Way::Last => node.len() - 1,
                Way::To(key) => node.child_for(key),
            };
            self.steps[node.height() - 1] = Step { node, child };
            node = node.child(child);
        }
        self.leaf = node;
    }

    /// The inner nodes from the leaf upwards, with the child that leads down.
    pub(crate) fn upwards(&self) -> impl Iterator<Item = (Node<'t, V>, usize)> {
        self.steps[..self.root_height].iter().map(|step| (step.node, step.child))
    }

    pub(crate) fn entry(&self) -> Entry<'t, V> {
        self.leaf.entries()[self.slot]
    }

    /// Goes to the first slot of the next leaf; false, without moving, when there
    /// is none.
    pub(crate) fn next_leaf(&mut self) -> bool {
        for height in 0..self.root_height {
            let Step { node, child } = &mut self.steps[height];
            if *child + 1 < node.len() {
                *child += 1;
                let below = node.child(*child);
                self.descend(below, Way::First);
                self.slot = 0;
                return true;
            }
        }
        false
    }

    /// Goes to the last slot of the previous leaf; false, without moving, when
    /// there is none.
    pub(crate) fn previous_leaf(&mut self) -> bool {
        for height in 0..self.root_height {
            let Step { node, child } = &mut self.steps[height];
            if *child > 0 {
                *child -= 1;
                let below = node.child(*child);
                self.descend(below, Way::Last);
                self.slot = self.leaf.len() - 1;
                return true;
            }
        }
        false
    }

    /// Compares two paths from the same root by where they lead.
    pub(crate) fn position(&self, other: &Self) -> Ordering {
        let turns = |path: &Self| -> [usize; HEIGHT_MAX] {
            std::array::from_fn(|level| {
                let height = HEIGHT_MAX - level;
                if height <= path.root_height { path.steps[height - 1].child } else { 0 }
            })
        };
        turns(self).cmp(&turns(other)).then(self.slot.cmp(&other.slot))
    }
}
