//! Histories as text: one line a transaction, one line an operation.
//!
//! ```text
//! # comments
//! txn 2 thread=0 snapshot start=1 begin=500..510 end=900..950 committed=2
//!   insert Account a0 = 17:100:[] -> 5
//!   node 5 -> Account a0 17:100:[] @1
//!   get Account a0 -> 5
//!   scan Account -> 5 6
//!   count Account -> 2
//!   count-edges TO -> 1
//!   neighbours 5 out TO -> 6
//!   neighbours 5 both * -> 6 6
//!   edge 5 TO 6 -> 9:0:[]
//!   traverse 5 TO 3 -> 6 7
//!   ranked Account 50..100 backward 2 -> 6 5
//!   holder Account [7] -> 5
//!   put 5 = 18:90:[1,2] -> ok
//!   delete 5 -> 1
//!   link 5 TO 6 = 19:0:[] -> ok
//!   unlink 5 TO 6 -> ok
//!   entry a1 -> 20:0:[]@1
//!   range a..b forward * -> a1=20:0:[]@1 a2=7@own
//!   range a..b backward 1 -> a2=7@own
//!   set a1 = 21:0:[] -> ok
//!   set a2 = 8 -> ok
//!   remove a1 -> ok
//!   sum a2 5 -> ok
//!   min a2 5 -> ok
//!   max a2 5 -> ok
//!   savepoint 0 -> ok
//!   rollback-to 0 -> ok
//!   check a1 @1 -> ok
//! txn 3 thread=0 atomic begin=500..550 end=500..550 committed=3
//!   check a3 none -> ok
//!   sum a2 5 -> 18
//!   stamp b = 22:0:[] -> b%0200000000000000030000%00
//! reopened
//! txn 4 thread=0 snapshot start=3 begin=600..610 end=620..630 durable
//! end 3
//! ```
//!
//! `txn`: a number, anything; then in any order, all but the start with a default,
//! the `thread`; `snapshot`, `serializable` or `atomic`; the `start` timestamp, which an
//! atomic operation does not have; when it was begun and ended, in nanoseconds, called
//! and returned; and how it ended: `committed=` and the commit timestamp, `read-only`,
//! `rolled-back`, `conflict=` and `node:5@7`, `key:Label:key@7`, `edge:5:6@7`,
//! `entry:a1@7` or `other@7`, `checks-failed=` and which, `0,2`, or `unknown`: nobody was
//! told, for the disk failed. A snapshot that waits until what it sees is durable is
//! `durable`.
//!
//! `reopened` stands between what was before and what was after the database was opened
//! again. `end` and the number of transactions is the last line: without it something is
//! missing.
//!
//! `indexed Account` says that nodes of the label are indexed by number, and that no two
//! have the same list.
//!
//! Documents are `mark:number:[list]`, each with a mark that no other one has, with `!` behind the mark if first and last
//! field did not belong together; of keys of entries what is neither a letter nor a digit
//! may be written `%00`, in hexadecimal digits; nodes are numbers; a missing key is `-`, an own
//! version `@own`, what does not exist `none`, what was refused `refused`, and any
//! edge type `*`.

use std::fmt;

use super::txn::{
    Clash, Content, EdgeName, EntryValue, History, Interval, Isolation, KeyRange, NodeId,
    NumberRange, Op, Operation, Outcome, SeenEntry, SeenNode, Timestamp, Txn, Way,
};

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let torn = if self.is_torn { "!" } else { "" };
        write!(f, "{}{torn}:{}:{}", self.mark, self.number, List(&self.list))
    }
}

/// Numbers in brackets.
struct List<'s>(&'s [i64]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, element) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{element}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for NumberRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, least, most, is_backward, limit } = self;
        let way = if *is_backward { "backward" } else { "forward" };
        write!(f, "{label} {least}..{most} {way} {}", Or(limit.as_ref(), "*"))
    }
}

/// A part of a line: as text, or what stands for its absence.
struct Or<'s, T>(Option<&'s T>, &'static str);

impl<T: fmt::Display> fmt::Display for Or<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(part) => part.fmt(f),
            None => f.write_str(self.1),
        }
    }
}

fn done(done: bool) -> &'static str {
    if done { "ok" } else { "refused" }
}

struct Nodes<'n>(&'n [NodeId]);

impl fmt::Display for Nodes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|node| write!(f, " {}", node.get()))
    }
}

impl fmt::Display for SeenNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, key, content, version } = self;
        write!(f, "{label} {} {content} {}", Or(key.as_ref(), "-"), Version(*version, "@own"))
    }
}

/// A version, or what stands for its absence.
struct Version(Option<Timestamp>, &'static str);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(version) => write!(f, "@{}", version.get()),
            None => f.write_str(self.1),
        }
    }
}

impl fmt::Display for EntryValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document(content) => content.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for SeenEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.value, Version(self.version, "@own"))
    }
}

/// The key of an entry, without what would be mistaken for something else.
struct Key<'k>(&'k str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'%' | b'=' | b'@' => write!(f, "%{byte:02x}"),
            byte if byte.is_ascii_graphic() => write!(f, "{}", char::from(byte)),
            byte => write!(f, "%{byte:02x}"),
        })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
        })
    }
}

impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, is_backward, limit } = self;
        let way = if *is_backward { "backward" } else { "forward" };
        write!(f, "{}..{} {way} {}", Key(from), Key(to), Or(limit.as_ref(), "*"))
    }
}

impl fmt::Display for EdgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.source.get(), self.edge_type, self.target.get())
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Out => "out",
            Self::In => "in",
            Self::Both => "both",
        })
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { node, seen } => {
                write!(f, "node {} -> {}", node.get(), Or(seen.as_ref(), "none"))
            }
            Self::Get { label, key, seen } => {
                let seen = seen.map(NodeId::get);
                write!(f, "get {label} {key} -> {}", Or(seen.as_ref(), "none"))
            }
            Self::Scan { label, seen } => write!(f, "scan {label} ->{}", Nodes(seen)),
            Self::Count { label, seen } => write!(f, "count {label} -> {seen}"),
            Self::CountEdges { edge_type, seen } => write!(f, "count-edges {edge_type} -> {seen}"),
            Self::Neighbours { node, way, edge_type, seen } => {
                let edge_type = Or(edge_type.as_ref(), "*");
                write!(f, "neighbours {} {way} {edge_type} ->{}", node.get(), Nodes(seen))
            }
            Self::Edge { edge, seen } => {
                write!(f, "edge {edge} -> {}", Or(seen.as_ref(), "none"))
            }
            Self::Traverse { start, edge_type, depth, seen } => {
                write!(f, "traverse {} {edge_type} {depth} ->{}", start.get(), Nodes(seen))
            }
            Self::Ranked { range, seen } => write!(f, "ranked {range} ->{}", Nodes(seen)),
            Self::Holder { label, list, seen } => {
                let seen = seen.map(NodeId::get);
                write!(f, "holder {label} {} -> {}", List(list), Or(seen.as_ref(), "none"))
            }
            Self::Insert { label, key, content, done } => {
                let (key, done) = (Or(key.as_ref(), "-"), done.map(NodeId::get));
                write!(f, "insert {label} {key} = {content} -> {}", Or(done.as_ref(), "refused"))
            }
            Self::Put { node, content, done: ok } => {
                write!(f, "put {} = {content} -> {}", node.get(), done(*ok))
            }
            Self::Delete { node, done } => {
                write!(f, "delete {} -> {}", node.get(), Or(done.as_ref(), "refused"))
            }
            Self::Link { edge, content, done: ok } => {
                write!(f, "link {edge} = {content} -> {}", done(*ok))
            }
            Self::Unlink { edge, done: ok } => write!(f, "unlink {edge} -> {}", done(*ok)),
            Self::Entry { key, seen } => {
                write!(f, "entry {} -> {}", Key(key), Or(seen.as_ref(), "none"))
            }
            Self::Range { range, seen } => {
                write!(f, "range {range} ->")?;
                seen.iter().try_for_each(|(key, seen)| write!(f, " {}={seen}", Key(key)))
            }
            Self::Set { key, value } => write!(f, "set {} = {value} -> ok", Key(key)),
            Self::Remove { key } => write!(f, "remove {} -> ok", Key(key)),
            Self::Stamp { prefix, value, key } => {
                let (prefix, key) = (Key(prefix), key.as_deref().map(Key));
                write!(f, "stamp {prefix} = {value} -> {}", Or(key.as_ref(), "ok"))
            }
            Self::Compute { key, operation, operand, result } => {
                write!(f, "{operation} {} {operand} -> {}", Key(key), Or(result.as_ref(), "ok"))
            }
            Self::Check { key, expected } => {
                write!(f, "check {} {} -> ok", Key(key), Version(*expected, "none"))
            }
            Self::Savepoint { number } => write!(f, "savepoint {number} -> ok"),
            Self::RollbackTo { number } => write!(f, "rollback-to {number} -> ok"),
        }
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node:{}", node.get()),
            Self::Key(label, key) => write!(f, "key:{label}:{key}"),
            Self::Edge(source, target) => write!(f, "edge:{}:{}", source.get(), target.get()),
            Self::Entry(key) => write!(f, "entry:{}", Key(key)),
            Self::Other => f.write_str("other"),
        }
    }
}

impl fmt::Display for Txn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, thread, start) = (self.number, self.thread, self.start.get());
        write!(f, "txn {number} thread={thread} ")?;
        match self.isolation {
            _ if self.is_atomic => write!(f, "atomic")?,
            Isolation::Snapshot => write!(f, "snapshot start={start}")?,
            Isolation::Serializable => write!(f, "serializable start={start}")?,
        }
        for (name, Interval { called, returned }) in [("begin", self.begin), ("end", self.end)] {
            write!(f, " {name}={called}..{returned}")?;
        }
        if self.is_durable {
            write!(f, " durable")?;
        }
        match &self.outcome {
            Outcome::Unknown => writeln!(f, " unknown")?,
            Outcome::Committed(commit) => writeln!(f, " committed={}", commit.get())?,
            Outcome::ReadOnly => writeln!(f, " read-only")?,
            Outcome::RolledBack => writeln!(f, " rolled-back")?,
            Outcome::Conflict(clash, by) => writeln!(f, " conflict={clash}@{}", by.get())?,
            Outcome::ChecksFailed(failed) => {
                let failed: Vec<_> = failed.iter().map(usize::to_string).collect();
                writeln!(f, " checks-failed={}", failed.join(","))?;
            }
        }
        self.ops.iter().try_for_each(|op| writeln!(f, "  {op}"))
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}", self.title)?;
        self.indexed.iter().try_for_each(|label| writeln!(f, "indexed {label}"))?;
        let mut reopened = self.reopened.iter().peekable();
        for number in 0..=self.txns.len() {
            while reopened.next_if_eq(&&number).is_some() {
                writeln!(f, "reopened")?;
            }
            self.txns.get(number).map_or(Ok(()), |txn| txn.fmt(f))?;
        }
        writeln!(f, "end {}", self.txns.len())
    }
}
