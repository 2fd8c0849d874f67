//! Who wrote which document.

use std::collections::HashMap;

use super::txn::{Content, EdgeName, History, NodeId, Op};

/// What has a document.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Item {
    Node(NodeId),
    Edge(EdgeName),
}

/// One document that was written.
#[derive(Debug)]
pub(super) struct Mark<'h> {
    pub(super) txn: usize,
    pub(super) item: Item,
    pub(super) content: &'h Content,
    /// Not written over, nor deleted, by the same transaction.
    pub(super) is_last: bool,
}

/// All documents that were written, by their marks.
#[derive(Debug)]
pub(super) struct Marks<'h> {
    marks: HashMap<u64, Mark<'h>>,
}

impl<'h> Marks<'h> {
    pub(super) fn of(history: &'h History) -> Self {
        let mut marks = HashMap::new();
        for txn in &history.txns {
            let mut last: HashMap<Item, u64> = HashMap::new();
            for op in &txn.ops {
                let Some((item, content)) = written(op) else { continue };
                let over = match content {
                    Some(content) => last.insert(item.clone(), content.mark),
                    None => last.remove(&item),
                };
                if let Some(over) = over.and_then(|over| marks.get_mut(&over)) {
                    let Mark { is_last, .. } = over;
                    *is_last = false;
                }
                if let Some(content) = content {
                    let mark = Mark { txn: txn.number, item, content, is_last: true };
                    marks.insert(content.mark, mark);
                }
            }
        }
        Self { marks }
    }

    pub(super) fn get(&self, mark: u64) -> Option<&Mark<'h>> {
        self.marks.get(&mark)
    }

    /// The transaction that wrote the document, if somebody did.
    pub(super) fn writer(&self, content: &Content) -> Option<usize> {
        self.get(content.mark).map(|mark| mark.txn)
    }
}

/// What an operation wrote, or deleted.
pub(super) fn written(op: &Op) -> Option<(Item, Option<&Content>)> {
    match op {
        Op::Insert { content, done: Some(node), .. } => Some((Item::Node(*node), Some(content))),
        Op::Put { node, content, done: true } => Some((Item::Node(*node), Some(content))),
        Op::Link { edge, content, done: true } => Some((Item::Edge(edge.clone()), Some(content))),
        Op::Delete { node, done: Some(_) } => Some((Item::Node(*node), None)),
        Op::Unlink { edge, done: true } => Some((Item::Edge(edge.clone()), None)),
        _ => None,
    }
}

/// The document that an operation read, or that there was none.
pub(super) fn read(op: &Op) -> Option<(Item, Option<&Content>)> {
    match op {
        Op::Node { node, seen } => {
            Some((Item::Node(*node), seen.as_ref().map(|seen| &seen.content)))
        }
        Op::Edge { edge, seen } => Some((Item::Edge(edge.clone()), seen.as_ref())),
        _ => None,
    }
}
