//! What must hold at the end, looked at one by one.

use std::fmt::Display;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use selvedge::prelude::*;

use crate::Failure;

/// Checks under way: each is printed, all must hold.
#[derive(Default)]
pub(crate) struct Checks {
    failed: Vec<String>,
}

impl Checks {
    pub(crate) fn equal<T: PartialEq + Display>(&mut self, what: &str, found: T, expected: T) {
        self.holds(what, found == expected, &format!("{found} == {expected}"));
    }

    pub(crate) fn holds(&mut self, what: &str, holds: bool, detail: &str) {
        println!("  {} {what:<54} {detail}", if holds { "ok    " } else { "BROKEN" });
        if !holds {
            self.failed.push(format!("{what}: {detail}"));
        }
    }

    pub(crate) fn finish(self) -> Result<(), Failure> {
        if self.failed.is_empty() {
            return Ok(());
        }
        Err(format!("what must hold does not:\n{}", self.failed.join("\n")).into())
    }
}

/// The sum over all packages of how often they were audited.
pub(crate) fn sum_of_audits(reader: &impl Read) -> Result<u64, Failure> {
    let mut sum = 0;
    for id in reader.scan("Package")? {
        let node = reader.node(id)?.ok_or("a scan found a node that is not there")?;
        sum += node.typed::<u64>("audits")?.unwrap_or(0);
    }
    Ok(sum)
}

/// A number that stands for everything a reader sees.
pub(crate) fn digest(reader: &impl Read) -> Result<u64, Failure> {
    let mut hasher = DefaultHasher::new();
    for label in reader.labels()? {
        for id in reader.scan(&label)? {
            let node = reader.node(id)?.ok_or("a scan found a node that is not there")?;
            (id, &label, node.key(), node.version()).hash(&mut hasher);
            format!("{:?}", node.document().to_document()).hash(&mut hasher);
            for edge in reader.edges(id, Direction::Out, None)? {
                (edge.source(), edge.edge_type(), edge.target()).hash(&mut hasher);
                format!("{:?}", edge.document().to_document()).hash(&mut hasher);
            }
        }
    }
    Ok(hasher.finish())
}

/// The edges as they are found from their sources and from their targets; an
/// edge with an end that does not exist is an error.
pub(crate) fn walk_edges(reader: &impl Read) -> Result<[u64; 2], Failure> {
    let mut found = [0, 0];
    for label in reader.labels()? {
        for id in reader.scan(&label)? {
            for (found, direction) in found.iter_mut().zip([Direction::Out, Direction::In]) {
                for edge in reader.edges(id, direction, None)? {
                    let (source, target) = (edge.source(), edge.target());
                    let kind = edge.edge_type();
                    if !reader.contains(source)? || !reader.contains(target)? {
                        return Err(format!("{source} -{kind}-> {target} dangles").into());
                    }
                    *found += 1;
                }
            }
        }
    }
    Ok(found)
}
