//! Who wrote which document, and which number.

use std::collections::HashMap;

use super::txn::{
    Content, EdgeName, EntryValue, History, Name, NodeId, Op, SeenEntry, SeenNode, Timestamp,
};

/// What has a document, or a number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Item {
    Node(NodeId),
    Edge(EdgeName),
    Entry(Name),
}

/// What was seen of an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sight<'h> {
    Document(&'h Content),
    /// A number and its version, which tells who wrote it.
    Number(u64, Option<Timestamp>),
}

impl<'h> From<&'h SeenEntry> for Sight<'h> {
    fn from(seen: &'h SeenEntry) -> Self {
        match &seen.value {
            EntryValue::Document(content) => Self::Document(content),
            EntryValue::Number(number) => Self::Number(*number, seen.version),
        }
    }
}

/// One document that was written.
#[derive(Debug)]
pub(super) struct Mark<'h> {
    pub(super) txn: usize,
    pub(super) item: Item,
    pub(super) content: &'h Content,
    /// Not written over, deleted or rolled back by the same transaction.
    pub(super) is_last: bool,
}

/// All documents that were written, by their marks.
#[derive(Debug)]
pub(super) struct Marks<'h> {
    marks: HashMap<u64, Mark<'h>>,
    commits: HashMap<Timestamp, usize>,
}

impl<'h> Marks<'h> {
    pub(super) fn of(history: &'h History) -> Self {
        let mut marks = HashMap::new();
        for txn in &history.txns {
            let mut last: HashMap<Item, u64> = HashMap::new();
            for (op, stands) in txn.ops.iter().zip(txn.standing()) {
                let Some((item, content)) = written(op) else { continue };
                if !stands {
                    if let Some(content) = content {
                        let mark = Mark { txn: txn.number, item, content, is_last: false };
                        marks.insert(content.mark, mark);
                    }
                    continue;
                }
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
        let commits = history.txns.iter().filter_map(|txn| Some((txn.commit()?, txn.number)));
        Self { marks, commits: commits.collect() }
    }

    pub(super) fn get(&self, mark: u64) -> Option<&Mark<'h>> {
        self.marks.get(&mark)
    }

    /// The transaction that wrote the document, if somebody did.
    pub(super) fn writer(&self, content: &Content) -> Option<usize> {
        self.get(content.mark).map(|mark| mark.txn)
    }

    /// The transaction that wrote what was seen, if somebody did.
    pub(super) fn writer_of(&self, sight: Sight<'_>) -> Option<usize> {
        match sight {
            Sight::Document(content) => self.writer(content),
            Sight::Number(_, version) => self.commits.get(&version?).copied(),
        }
    }
}

/// What an operation wrote: a document, or something else, or nothing any more.
pub(super) fn written(op: &Op) -> Option<(Item, Option<&Content>)> {
    match op {
        Op::Insert { content, done: Some(node), .. } => Some((Item::Node(*node), Some(content))),
        Op::Put { node, content, done: true } => Some((Item::Node(*node), Some(content))),
        Op::Link { edge, content, done: true } => Some((Item::Edge(edge.clone()), Some(content))),
        Op::Delete { node, done: Some(_) } => Some((Item::Node(*node), None)),
        Op::Unlink { edge, done: true } => Some((Item::Edge(edge.clone()), None)),
        Op::Set { key, value: EntryValue::Document(content) } => {
            Some((Item::Entry(key.clone()), Some(content)))
        }
        Op::Stamp { key: Some(key), value: EntryValue::Document(content), .. } => {
            Some((Item::Entry(key.clone()), Some(content)))
        }
        Op::Set { key, .. } | Op::Remove { key } | Op::Compute { key, .. } => {
            Some((Item::Entry(key.clone()), None))
        }
        _ => None,
    }
}

/// The items that an operation read, with what it saw, or that there was nothing.
pub(super) fn reads(op: &Op) -> Vec<(Item, Option<Sight<'_>>)> {
    fn node(seen: &SeenNode) -> Sight<'_> {
        Sight::Document(&seen.content)
    }
    match op {
        Op::Node { node: id, seen } => vec![(Item::Node(*id), seen.as_ref().map(node))],
        Op::Edge { edge, seen } => {
            vec![(Item::Edge(edge.clone()), seen.as_ref().map(Sight::Document))]
        }
        Op::Entry { key, seen } => {
            vec![(Item::Entry(key.clone()), seen.as_ref().map(Sight::from))]
        }
        Op::Range { seen, .. } => {
            let entries = seen.iter();
            entries.map(|(key, seen)| (Item::Entry(key.clone()), Some(seen.into()))).collect()
        }
        _ => Vec::new(),
    }
}
