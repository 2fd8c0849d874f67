//! What holds at every moment, whoever looks.

use std::hash::{DefaultHasher, Hash, Hasher};

use selvedge::Kv;
use selvedge::prelude::*;

use super::ground::{ACCOUNTS, BALANCE, Ground, PAYMENTS_MAX, STAYS_MAX};
use super::{Told, entries};

fn read<T>(read: selvedge::Result<T>) -> Told<T> {
    read.map_err(|error| format!("a read fails: {error}"))
}

fn node<'r>(reader: &'r impl Read, id: NodeId) -> Told<selvedge::Node<'r>> {
    read(reader.node(id))?.ok_or_else(|| format!("node {id} is gone"))
}

fn number(node: &selvedge::Node<'_>, field: &str) -> Told<i64> {
    let found = node.get(field).and_then(|value| value.as_i64());
    found.ok_or_else(|| format!("node {} has no {field}: {node:?}", node.id()))
}

/// Reads everything, checks that the laws hold, and gives a digest of what was read.
/// `opened`: the keyspace, and when the reader was opened.
pub(super) fn uphold(reader: &impl Read, ground: &Ground, opened: (&Kv, u64)) -> Told<u64> {
    let mut digest = DefaultHasher::new();
    entries::uphold(reader, opened, &mut digest)?;
    let mut balance = 0;
    for id in &ground.accounts {
        let account = node(reader, *id)?;
        balance += number(&account, "balance")?;
        (id, account.version(), format!("{:?}", account.document())).hash(&mut digest);
    }
    if balance != ACCOUNTS as i64 * BALANCE {
        return Err(format!("all accounts together have {balance}"));
    }
    for (left, right) in &ground.pairs {
        let halves = [node(reader, *left)?, node(reader, *right)?];
        let [left, right] = halves.map(|half| half.document().to_document());
        if left != right {
            return Err(format!("the halves of a pair are torn: {left:?} {right:?}"));
        }
        format!("{left:?}").hash(&mut digest);
    }
    let payments = edges(reader, "Saver", "PAID", "Saver", &mut digest)?;
    if payments.iter().any(|payments| *payments > PAYMENTS_MAX) {
        return Err("an account remembers more payments than it may".to_owned());
    }
    edges(reader, "Place", "NEAR", "Place", &mut digest)?;
    let stays = edges(reader, "Guest", "STAYS", "Place", &mut digest)?;
    if stays.iter().any(|stays| !(1..=STAYS_MAX).contains(stays)) {
        return Err("a guest stays nowhere, or everywhere".to_owned());
    }
    Ok(digest.finish())
}

/// Edges out of all nodes with a label, which all have another end that exists and
/// leads back; gives how many each node has.
fn edges(
    reader: &impl Read,
    label: &str,
    edge_type: &str,
    target: &str,
    digest: &mut DefaultHasher,
) -> Told<Vec<usize>> {
    let ids: Vec<_> = read(reader.scan(label))?.collect();
    if ids.len() as u64 != read(reader.count(label))? {
        return Err(format!("{label} counts other than {} nodes", ids.len()));
    }
    let mut counts = Vec::new();
    for id in &ids {
        let mut count = 0;
        for edge in read(reader.edges(*id, Direction::Out, edge_type))? {
            let end = read(reader.node(edge.target()))?;
            if end.is_none_or(|end| end.label() != target) {
                return Err(format!("an edge {edge_type} of {id} dangles"));
            }
            let back = read(reader.neighbours(edge.target(), Direction::In, edge_type))?;
            if !back.into_iter().any(|source| source == *id) {
                return Err(format!("an edge {edge_type} of {id} has no way back"));
            }
            (id, edge.target(), edge.edge().id).hash(digest);
            format!("{:?}", edge.document()).hash(digest);
            count += 1;
        }
        counts.push(count);
    }
    let said = read(reader.count_edges(edge_type))?;
    let found: usize = counts.iter().sum();
    if said != found as u64 {
        return Err(format!("{edge_type} counts {said} edges, and has {found}"));
    }
    Ok(counts)
}
