//! Histories read back from their text (`text`).

use std::collections::HashSet;

use super::txn::{
    Clash, Content, EdgeName, EntryValue, History, Interval, Isolation, KeyRange, Name, NodeId,
    NumberRange, Op, Operation, Outcome, SeenEntry, SeenNode, Timestamp, Txn, Way,
};

/// The document that an operation writes, or would have written.
fn written(op: &Op) -> Option<&Content> {
    match op {
        Op::Insert { content, .. }
        | Op::Put { content, .. }
        | Op::Link { content, .. }
        | Op::Set { value: EntryValue::Document(content), .. }
        | Op::Stamp { value: EntryValue::Document(content), .. } => Some(content),
        _ => None,
    }
}

impl std::str::FromStr for History {
    type Err = String;

    /// Reads a history back.
    fn from_str(text: &str) -> Result<Self, String> {
        let (mut history, mut marks, mut end) = (Self::default(), HashSet::new(), None);
        for (index, line) in text.lines().enumerate() {
            let told = |what: String| format!("line {}: {what}: {line}", index + 1);
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if let Some(comment) = line.strip_prefix('#') {
                if history.title.is_empty() {
                    history.title = comment.trim().to_owned();
                }
            } else if end.is_some() {
                return Err(told("there is more behind the end".to_owned()));
            } else if let Some(count) = line.strip_prefix("end ") {
                end = Some(number::<usize>(count).map_err(told)?);
            } else if line == "reopened" {
                history.reopened.push(history.txns.len());
            } else if let Some(label) = line.strip_prefix("indexed ") {
                history.indexed.push(label.to_owned().into());
            } else if line.starts_with("txn ") {
                let number = history.txns.len();
                history.txns.push(txn(number, line).map_err(told)?);
            } else {
                let txn = history.txns.last_mut();
                let txn = txn.ok_or_else(|| told("no transaction is open".to_owned()))?;
                let op = op(line).map_err(told)?;
                if let Some(content) = written(&op).filter(|content| !marks.insert(content.mark)) {
                    let mark = content.mark;
                    return Err(told(format!("mark {mark} was written before")));
                }
                txn.ops.push(op);
            }
        }
        let count = history.txns.len();
        match end {
            None => Err(format!("cut off: no `end {count}` behind {count} transactions")),
            Some(end) if end != count => {
                Err(format!("cut off: there are {count} transactions of {end}"))
            }
            Some(_) => history.txns.iter().try_for_each(traced).map(|()| history),
        }
    }
}

/// Whether others could tell by what they see that a transaction has happened.
fn traced(txn: &Txn) -> Result<(), String> {
    let is_trace = |op: &Op| {
        matches!(
            op,
            Op::Insert { done: Some(_), .. }
                | Op::Put { done: true, .. }
                | Op::Set { value: EntryValue::Document(_), .. }
        )
    };
    if txn.outcome != Outcome::Unknown || txn.standing_ops().any(is_trace) {
        return Ok(());
    }
    let number = txn.number;
    Err(format!("txn {number} writes no node or entry whose document tells that it has happened"))
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
        is_atomic: false,
        is_durable: false,
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
            ("atomic", _) => {
                (txn.isolation, txn.is_atomic) = (Isolation::Serializable, true);
                start = Some(Timestamp::ZERO);
            }
            ("start", at) => start = Some(timestamp(at)?),
            ("begin", at) => txn.begin = interval(at)?,
            ("end", at) => txn.end = interval(at)?,
            ("committed", at) => outcome = Outcome::Committed(timestamp(at)?),
            ("read-only", _) => outcome = Outcome::ReadOnly,
            ("unknown", _) => outcome = Outcome::Unknown,
            ("durable", _) => txn.is_durable = true,
            ("rolled-back", _) => outcome = Outcome::RolledBack,
            ("conflict", clash) => outcome = conflict(clash)?,
            ("checks-failed", failed) => {
                let failed = failed.split(',').map(number).collect::<Result<_, _>>()?;
                outcome = Outcome::ChecksFailed(failed);
            }
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
        ["entry", key] => Clash::Entry(entry_key(key)?),
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
    Ok(Content {
        mark: number(mark.trim_end_matches('!'))?,
        number: number(number_text)?,
        list: numbers(list)?,
        is_torn: mark.ends_with('!'),
    })
}

fn numbers(list: &str) -> Result<Vec<i64>, String> {
    let inside = list.strip_prefix('[').and_then(|list| list.strip_suffix(']'));
    let inside = inside.ok_or_else(|| format!("{list:?} is no list"))?;
    inside.split(',').filter(|element| !element.is_empty()).map(number).collect()
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

fn entry_value(text: &str) -> Result<EntryValue, String> {
    if text.contains(':') {
        content(text).map(EntryValue::Document)
    } else {
        number(text).map(EntryValue::Number)
    }
}

fn seen_entry(text: &str) -> Result<SeenEntry, String> {
    let (value, version) = text.rsplit_once('@').ok_or("an entry has a version")?;
    Ok(SeenEntry { value: entry_value(value)?, version: unless("own", version, timestamp)? })
}

fn is_backward(way: &str) -> Result<bool, String> {
    match way {
        "forward" => Ok(false),
        "backward" => Ok(true),
        _ => Err(format!("{way:?} is no way through a range")),
    }
}

fn number_range(words: [&str; 4]) -> Result<NumberRange, String> {
    let [label, numbers, way, limit] = words;
    let (least, most) = numbers.split_once("..").ok_or("a range is `1..2`")?;
    Ok(NumberRange {
        label: label.to_owned().into(),
        least: number(least)?,
        most: number(most)?,
        is_backward: is_backward(way)?,
        limit: unless("*", limit, number)?,
    })
}

/// The key of an entry, as it is without its escapes.
fn entry_key(text: &str) -> Result<Name, String> {
    let mut parts = text.split('%');
    let mut key = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let escaped = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        key.push(escaped.ok_or_else(|| format!("{text:?} is no key: an escape is `%00`"))?);
        key.extend_from_slice(&part.as_bytes()[2..]);
    }
    let key = String::from_utf8(key).map_err(|_| format!("{text:?} is no text"))?;
    Ok(key.into())
}

fn range(keys: &str, way: &str, limit: &str) -> Result<KeyRange, String> {
    let (from, to) = keys.split_once("..").ok_or("a range is `a..b`")?;
    let is_backward = is_backward(way)?;
    let (from, to) = (entry_key(from)?, entry_key(to)?);
    Ok(KeyRange { from, to, is_backward, limit: unless("*", limit, number)? })
}

/// An operation on a keyspace, or a savepoint, if it is one.
fn entry_op(words: &[&str], came: &str) -> Result<Option<Op>, String> {
    let operation = |word| match word {
        "sum" => Some(Operation::Sum),
        "min" => Some(Operation::Min),
        "max" => Some(Operation::Max),
        _ => None,
    };
    Ok(Some(match *words {
        ["entry", key] => {
            Op::Entry { key: entry_key(key)?, seen: unless("none", came, seen_entry)? }
        }
        ["range", keys, way, limit] => {
            let entry = |entry: &str| {
                let (key, seen) = entry.split_once('=').ok_or("an entry is `key=value@7`")?;
                Ok::<_, String>((entry_key(key)?, seen_entry(seen)?))
            };
            let seen = came.split_whitespace().map(entry).collect::<Result<_, _>>()?;
            Op::Range { range: range(keys, way, limit)?, seen }
        }
        ["set", key, "=", value] => Op::Set { key: entry_key(key)?, value: entry_value(value)? },
        ["remove", key] => Op::Remove { key: entry_key(key)? },
        ["stamp", prefix, "=", value] => {
            let (prefix, value) = (entry_key(prefix)?, entry_value(value)?);
            Op::Stamp { prefix, value, key: unless("ok", came, entry_key)? }
        }
        ["check", key, expected] => {
            let version = |text: &str| {
                timestamp(text.strip_prefix('@').ok_or("a version is `@7` or `none`")?)
            };
            Op::Check { key: entry_key(key)?, expected: unless("none", expected, version)? }
        }
        ["savepoint", of] => Op::Savepoint { number: number(of)? },
        ["rollback-to", to] => Op::RollbackTo { number: number(to)? },
        [word, key, operand] => {
            let Some(operation) = operation(word) else { return Ok(None) };
            let (operand, result) = (number(operand)?, unless("ok", came, number)?);
            Op::Compute { key: entry_key(key)?, operation, operand, result }
        }
        _ => return Ok(None),
    }))
}

fn op(line: &str) -> Result<Op, String> {
    let (asked, came) = line.split_once("->").ok_or("an operation has a result")?;
    let came = came.trim();
    let name = |name: &str| Name::from(name.to_owned());
    let nodes = || came.split_whitespace().map(node).collect::<Result<Vec<_>, _>>();
    let key = |key: &str| (key != "-").then(|| key.to_owned());
    let words: Vec<_> = asked.split_whitespace().collect();
    if let Some(op) = entry_op(&words, came)? {
        return Ok(op);
    }
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
        ["ranked", label, numbers, way, limit] => {
            Op::Ranked { range: number_range([label, numbers, way, limit])?, seen: nodes()? }
        }
        ["holder", label, list] => {
            let (list, seen) = (numbers(list)?, unless("none", came, node)?);
            Op::Holder { label: name(label), list, seen }
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
