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
//!   put 5 = 18:90:[1,2] -> ok
//!   delete 5 -> 1
//!   link 5 TO 6 = 19:0:[] -> ok
//!   unlink 5 TO 6 -> ok
//! ```
//!
//! `txn`: a number, anything; then in any order, all but the start with a default,
//! the `thread`; `snapshot` or `serializable`; the `start` timestamp; when it
//! was begun and ended, in nanoseconds, called and returned; and how it ended:
//! `committed=` and the commit timestamp, `read-only`, `rolled-back`, or `conflict=`
//! and `node:5@7`, `key:Label:key@7`, `edge:5:6@7` or `other@7`.
//!
//! Documents are `mark:number:[list]`, with `!` behind the mark if first and last
//! field did not belong together; nodes are numbers; a missing key is `-`, an own
//! version `@own`, what does not exist `none`, what was refused `refused`, and any
//! edge type `*`.

use std::fmt;

use super::txn::{
    Clash, Content, EdgeName, History, Interval, Isolation, Name, NodeId, Op, Outcome, SeenNode,
    Timestamp, Txn, Way,
};

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let torn = if self.is_torn { "!" } else { "" };
        write!(f, "{}{torn}:{}:[", self.mark, self.number)?;
        for (index, element) in self.list.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{element}")?;
        }
        f.write_str("]")
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
        write!(f, "{label} {} {content} ", Or(key.as_ref(), "-"))?;
        match version {
            Some(version) => write!(f, "@{}", version.get()),
            None => f.write_str("@own"),
        }
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
        }
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node:{}", node.get()),
            Self::Key(label, key) => write!(f, "key:{label}:{key}"),
            Self::Edge(source, target) => write!(f, "edge:{}:{}", source.get(), target.get()),
            Self::Other => f.write_str("other"),
        }
    }
}

impl fmt::Display for Txn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let isolation = match self.isolation {
            Isolation::Snapshot => "snapshot",
            Isolation::Serializable => "serializable",
        };
        let (number, thread, start) = (self.number, self.thread, self.start.get());
        write!(f, "txn {number} thread={thread} {isolation} start={start}")?;
        for (name, Interval { called, returned }) in [("begin", self.begin), ("end", self.end)] {
            write!(f, " {name}={called}..{returned}")?;
        }
        match &self.outcome {
            Outcome::Committed(commit) => writeln!(f, " committed={}", commit.get())?,
            Outcome::ReadOnly => writeln!(f, " read-only")?,
            Outcome::RolledBack => writeln!(f, " rolled-back")?,
            Outcome::Conflict(clash, by) => writeln!(f, " conflict={clash}@{}", by.get())?,
        }
        self.ops.iter().try_for_each(|op| writeln!(f, "  {op}"))
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}", self.title)?;
        self.txns.iter().try_for_each(|txn| txn.fmt(f))
    }
}

impl std::str::FromStr for History {
    type Err = String;

    /// Reads a history back.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut history = Self::default();
        for (index, line) in text.lines().enumerate() {
            let told = |what: String| format!("line {}: {what}: {line}", index + 1);
            let line = line.trim();
            if let Some(comment) = line.strip_prefix('#') {
                if history.title.is_empty() {
                    history.title = comment.trim().to_owned();
                }
            } else if line.starts_with("txn ") {
                let number = history.txns.len();
                history.txns.push(txn(number, line).map_err(told)?);
            } else if !line.is_empty() {
                let txn = history.txns.last_mut();
                let txn = txn.ok_or_else(|| told("no transaction is open".to_owned()))?;
                txn.ops.push(op(line).map_err(told)?);
            }
        }
        Ok(history)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn node(text: &str) -> Result<NodeId, String> {
    Ok(NodeId::new(number(text)?))
}

fn timestamp(text: &str) -> Result<Timestamp, String> {
    let number: u64 = number(text)?;
    if number > Timestamp::MAX.get() {
        return Err(format!("{text} is no timestamp"));
    }
    Ok(Timestamp::new(number))
}

fn interval(text: &str) -> Result<Interval, String> {
    let (called, returned) = text.split_once("..").ok_or("an interval is `1..2`")?;
    Ok(Interval { called: number(called)?, returned: number(returned)? })
}

fn txn(number_in_history: usize, line: &str) -> Result<Txn, String> {
    let (mut start, mut outcome) = (None, Outcome::ReadOnly);
    let mut txn = Txn {
        number: number_in_history,
        thread: 0,
        isolation: Isolation::Snapshot,
        start: Timestamp::ZERO,
        begin: Interval::UNKNOWN,
        end: Interval::UNKNOWN,
        outcome: Outcome::ReadOnly,
        ops: Vec::new(),
    };
    for word in line.split_whitespace().skip(2) {
        match word.split_once('=').unwrap_or((word, "")) {
            ("thread", thread) => txn.thread = number(thread)?,
            ("snapshot", _) => txn.isolation = Isolation::Snapshot,
            ("serializable", _) => txn.isolation = Isolation::Serializable,
            ("start", at) => start = Some(timestamp(at)?),
            ("begin", at) => txn.begin = interval(at)?,
            ("end", at) => txn.end = interval(at)?,
            ("committed", at) => outcome = Outcome::Committed(timestamp(at)?),
            ("read-only", _) => outcome = Outcome::ReadOnly,
            ("rolled-back", _) => outcome = Outcome::RolledBack,
            ("conflict", clash) => outcome = conflict(clash)?,
            _ => return Err(format!("there is no {word:?}")),
        }
    }
    txn.start = start.ok_or("a transaction has a start")?;
    txn.outcome = outcome;
    Ok(txn)
}

fn conflict(text: &str) -> Result<Outcome, String> {
    let (clash, by) = text.rsplit_once('@').ok_or("a conflict has a timestamp")?;
    let clash = match clash.splitn(3, ':').collect::<Vec<_>>()[..] {
        ["node", id] => Clash::Node(node(id)?),
        ["key", label, key] => Clash::Key(label.to_owned().into(), key.to_owned()),
        ["edge", source, target] => Clash::Edge(node(source)?, node(target)?),
        ["other"] => Clash::Other,
        _ => return Err(format!("there is no conflict over {clash:?}")),
    };
    Ok(Outcome::Conflict(clash, timestamp(by)?))
}

fn content(text: &str) -> Result<Content, String> {
    let parts: Vec<_> = text.splitn(3, ':').collect();
    let &[mark, number_text, list] = &parts[..] else {
        return Err(format!("{text:?} is no document: `mark:number:[list]`"));
    };
    let list = list.strip_prefix('[').and_then(|list| list.strip_suffix(']'));
    let list = list.ok_or_else(|| format!("{text:?} has no list"))?;
    let elements = list.split(',').filter(|element| !element.is_empty());
    Ok(Content {
        mark: number(mark.trim_end_matches('!'))?,
        number: number(number_text)?,
        list: elements.map(number).collect::<Result<_, _>>()?,
        is_torn: mark.ends_with('!'),
    })
}

fn edge(source: &str, edge_type: &str, target: &str) -> Result<EdgeName, String> {
    let edge_type = Name::from(edge_type.to_owned());
    Ok(EdgeName { source: node(source)?, edge_type, target: node(target)? })
}

fn unless<T>(
    word: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if text == word { Ok(None) } else { parse(text).map(Some) }
}

fn ok(text: &str) -> Result<bool, String> {
    match text {
        "ok" => Ok(true),
        "refused" => Ok(false),
        _ => Err(format!("{text:?} is neither `ok` nor `refused`")),
    }
}

fn seen_node(text: &str) -> Result<SeenNode, String> {
    let parts: Vec<_> = text.split_whitespace().collect();
    let &[label, key, document, version] = &parts[..] else {
        return Err(format!("{text:?} is no node: `Label key document @version`"));
    };
    let version = version.strip_prefix('@').ok_or("a version is `@7` or `@own`")?;
    Ok(SeenNode {
        label: label.to_owned().into(),
        key: (key != "-").then(|| key.to_owned()),
        content: content(document)?,
        version: unless("own", version, timestamp)?,
    })
}

fn op(line: &str) -> Result<Op, String> {
    let (asked, came) = line.split_once("->").ok_or("an operation has a result")?;
    let came = came.trim();
    let name = |name: &str| Name::from(name.to_owned());
    let nodes = || came.split_whitespace().map(node).collect::<Result<Vec<_>, _>>();
    let key = |key: &str| (key != "-").then(|| key.to_owned());
    let words: Vec<_> = asked.split_whitespace().collect();
    Ok(match words[..] {
        ["node", id] => Op::Node { node: node(id)?, seen: unless("none", came, seen_node)? },
        ["get", label, key] => {
            let seen = unless("none", came, node)?;
            Op::Get { label: name(label), key: key.to_owned(), seen }
        }
        ["scan", label] => Op::Scan { label: name(label), seen: nodes()? },
        ["count", label] => Op::Count { label: name(label), seen: number(came)? },
        ["count-edges", kind] => Op::CountEdges { edge_type: name(kind), seen: number(came)? },
        ["neighbours", id, way, kind] => {
            let way = match way {
                "out" => Way::Out,
                "in" => Way::In,
                "both" => Way::Both,
                _ => return Err(format!("{way:?} is no direction")),
            };
            let edge_type = (kind != "*").then(|| name(kind));
            Op::Neighbours { node: node(id)?, way, edge_type, seen: nodes()? }
        }
        ["edge", source, kind, target] => {
            let seen = unless("none", came, content)?;
            Op::Edge { edge: edge(source, kind, target)?, seen }
        }
        ["traverse", start, kind, depth] => {
            let (start, depth, seen) = (node(start)?, number(depth)?, nodes()?);
            Op::Traverse { start, edge_type: name(kind), depth, seen }
        }
        ["insert", label, of, "=", document] => Op::Insert {
            label: name(label),
            key: key(of),
            content: content(document)?,
            done: unless("refused", came, node)?,
        },
        ["put", id, "=", document] => {
            Op::Put { node: node(id)?, content: content(document)?, done: ok(came)? }
        }
        ["delete", id] => Op::Delete { node: node(id)?, done: unless("refused", came, number)? },
        ["link", source, kind, target, "=", document] => {
            let edge = edge(source, kind, target)?;
            Op::Link { edge, content: content(document)?, done: ok(came)? }
        }
        ["unlink", source, kind, target] => {
            Op::Unlink { edge: edge(source, kind, target)?, done: ok(came)? }
        }
        _ => return Err("there is no such operation".to_owned()),
    })
}
