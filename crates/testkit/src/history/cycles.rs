//! Who depends on whom, and in which circles they must not.
//!
//! Three kinds of dependency between committed transactions (Adya): *ww*, the next
//! version of what the other wrote; *wr*, read what the other wrote; *rw*, read what
//! the other wrote over. They follow from what was seen, whatever the timestamps of
//! starts say.
//!
//! - Under snapshot isolation every cycle has two rw one behind the other; one
//!   without is an anomaly. To find it, walk a graph of two layers in which an rw
//!   leads to the second, and nothing but ww and wr leads out of it.
//!   Blind writes and checks speak of the state right before the commit, not of the
//!   start, so those of a transaction under snapshot isolation are not in that graph.
//! - Serializable transactions, and those that only read, have no cycle at all.
//!
//! The members of a set change independently, so who reads a set depends on each
//! change of it: on those before through a chain of vertices *q*, on those after
//! through a chain *p*, lest the graph be quadratic.
//!
//! ```text
//! changes   c1      c2      c3      c4        a reader that saw c1 and c2:
//!            |       |       ^       ^
//!            v       v       |       |          q2 -wr-> reader -rw-> p3
//!           q1 ---> q2      p3 ---> p4
//! ```

use std::collections::{HashMap, HashSet};

use super::anomaly::{Anomaly, Findings};
use super::changes::{Changed, Changes, How, Seen};
use super::components::{Digraph, Edge};
use super::txn::{History, Isolation, Txn};

/// How one transaction depends on another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    /// Wrote the version after the other's.
    Ww,
    /// Read what the other wrote.
    Wr,
    /// Read what the other wrote over.
    Rw,
    /// To or along a chain: half of a dependency.
    Chain,
}

/// A dependency: over which entity.
#[derive(Clone, Copy, Debug)]
struct Dependency {
    from: usize,
    to: usize,
    kind: Kind,
    entity: usize,
    /// Speaks of the commit of `to`, not of its start.
    is_late: bool,
    /// Read as a member of something.
    is_by_set: bool,
}

/// Judges both rules; gives the number of write skews under snapshot isolation.
pub(super) fn judge(history: &History, changes: &Changes, findings: &mut Findings) -> usize {
    let all = Dependencies::among(history, changes, Txn::is_committed, false);
    all.judge_layered(findings);
    let is_serializable = |txn: &Txn| {
        let is_strict = txn.isolation == Isolation::Serializable || txn.commit().is_none();
        txn.is_committed() && is_strict
    };
    let strict = Dependencies::among(history, changes, is_serializable, true);
    strict.judge_plain(findings);
    all.skews()
}

fn dependency(from: usize, to: usize, kind: Kind, entity: usize) -> Dependency {
    Dependency { from, to, kind, entity, is_late: false, is_by_set: false }
}

struct Dependencies<'h> {
    history: &'h History,
    changes: &'h Changes,
    vertices: usize,
    edges: Vec<Dependency>,
}

impl<'h> Dependencies<'h> {
    fn among(
        history: &'h History,
        changes: &'h Changes,
        is_in: impl Fn(&Txn) -> bool,
        with_sets: bool,
    ) -> Self {
        let vertices = history.txns.len();
        let mut all = Self { history, changes, vertices, edges: Vec::new() };
        let members: Vec<_> = history.txns.iter().map(is_in).collect();
        for (number, (entity, changed)) in changes.entities.iter().enumerate() {
            if !entity.is_set() {
                for pair in changed.windows(2) {
                    let is_late = pair[1].is_blind && history.txns[pair[1].by].is_loose();
                    let (from, to) = (pair[0].by, pair[1].by);
                    let new = Dependency { is_late, ..dependency(from, to, Kind::Ww, number) };
                    all.push(&members, new);
                }
            }
        }
        let mut chains = HashMap::new();
        for read in &changes.reads {
            if !members[read.reader] {
                continue;
            }
            let (entity, changed) = &changes.entities[read.entity];
            let commit = match read.seen {
                Seen::LeftBy(writer) => history.txns[writer].commit(),
                Seen::After(_) => None,
            };
            let Some(seen) = changes.seen(read, commit) else { continue };
            if !entity.is_set() {
                let is_late = read.how == How::AtCommit && history.txns[read.reader].is_loose();
                let is_by_set = read.how == How::AmongOthers;
                if let Some(before) = seen.checked_sub(1) {
                    let new = dependency(changed[before].by, read.reader, Kind::Wr, read.entity);
                    all.push(&members, Dependency { is_late, is_by_set, ..new });
                }
                if let Some(next) = changed.get(seen) {
                    let new = dependency(read.reader, next.by, Kind::Rw, read.entity);
                    all.push(&members, Dependency { is_by_set, ..new });
                }
            } else if with_sets {
                let chain = *chains
                    .entry(read.entity)
                    .or_insert_with(|| all.chain(&members, read.entity, changed));
                all.read_chain(&members, read.reader, read.entity, chain, seen);
            }
        }
        all
    }

    fn add(&mut self, members: &[bool], from: usize, to: usize, kind: Kind, entity: usize) {
        let is_by_set = self.changes.entities[entity].0.is_set();
        self.push(members, Dependency { is_by_set, ..dependency(from, to, kind, entity) });
    }

    fn push(&mut self, members: &[bool], new: Dependency) {
        let is_in = |vertex: usize| members.get(vertex).copied().unwrap_or(true);
        if new.from != new.to && is_in(new.from) && is_in(new.to) {
            self.edges.push(new);
        }
    }

    /// The chains of a set: of each change, `q` at twice its place and `p` behind it.
    fn chain(&mut self, members: &[bool], entity: usize, changed: &[Changed]) -> usize {
        let chain = self.vertices;
        self.vertices += 2 * changed.len();
        for (place, change) in changed.iter().enumerate() {
            let (q, p) = (chain + 2 * place, chain + 2 * place + 1);
            self.add(members, change.by, q, Kind::Chain, entity);
            self.add(members, p, change.by, Kind::Chain, entity);
            if place + 1 < changed.len() {
                self.add(members, q, q + 2, Kind::Chain, entity);
                self.add(members, p, p + 2, Kind::Chain, entity);
            }
        }
        chain
    }

    fn read_chain(
        &mut self,
        members: &[bool],
        reader: usize,
        entity: usize,
        chain: usize,
        seen: usize,
    ) {
        let changed = &self.changes.entities[entity].1;
        if let Some(before) = seen.checked_sub(1) {
            self.add(members, chain + 2 * before, reader, Kind::Wr, entity);
        }
        // A chain that leads past the reader's own change would lead back to it.
        let own = self.history.txns[reader].commit();
        let own = own.and_then(|own| changed.binary_search_by_key(&own, |change| change.at).ok());
        let own = own.filter(|own| changed[*own].by == reader && *own >= seen);
        for change in &changed[seen..own.unwrap_or(seen)] {
            self.add(members, reader, change.by, Kind::Rw, entity);
        }
        let next = own.map_or(seen, |own| own + 1);
        if next < changed.len() {
            self.add(members, reader, chain + 2 * next + 1, Kind::Rw, entity);
        }
    }

    /// Pairs under snapshot isolation of which each read what the other wrote over.
    fn skews(&self) -> usize {
        let is_weak = |vertex: usize| self.history.txns[vertex].isolation == Isolation::Snapshot;
        let rw = self.edges.iter().filter(|edge| edge.kind == Kind::Rw);
        let pairs = rw.map(|edge| (edge.from, edge.to));
        let pairs: HashSet<_> = pairs.filter(|(a, b)| is_weak(*a) && is_weak(*b)).collect();
        pairs.iter().filter(|(a, b)| a < b && pairs.contains(&(*b, *a))).count()
    }

    fn judge_plain(&self, findings: &mut Findings) {
        let edges = self.edges.iter().enumerate();
        let edges = edges.map(|(label, edge)| Edge { from: edge.from, to: edge.to, label });
        for cycle in Digraph::new(self.vertices, edges.collect()).cycles() {
            self.tell(&cycle, findings);
        }
    }

    fn judge_layered(&self, findings: &mut Findings) {
        let mut layered = Vec::new();
        let in_time = self.edges.iter().enumerate().filter(|(_, edge)| !edge.is_late);
        for (label, Dependency { from, to, kind, .. }) in in_time {
            if *kind == Kind::Rw {
                layered.push(Edge { from: 2 * from, to: 2 * to + 1, label });
            } else {
                layered.push(Edge { from: 2 * from, to: 2 * to, label });
                layered.push(Edge { from: 2 * from + 1, to: 2 * to, label });
            }
        }
        for cycle in Digraph::new(2 * self.vertices, layered).cycles() {
            self.tell(&cycle, findings);
        }
    }

    /// Names a cycle of dependencies.
    fn tell(&self, cycle: &[usize], findings: &mut Findings) {
        let cycle: Vec<_> = cycle.iter().map(|label| self.edges[*label]).collect();
        let steps: Vec<_> = cycle.iter().filter(|step| step.kind != Kind::Chain).collect();
        let is_rw = |step: &&&Dependency| step.kind == Kind::Rw;
        let follows = |index: usize| {
            let next = steps[(index + 1) % steps.len()];
            is_rw(&&steps[index]) && is_rw(&&next)
        };
        let has_two = (0..steps.len()).any(follows);
        let over_set = steps.iter().filter(is_rw).any(|step| step.is_by_set);
        let name = match steps.iter().filter(is_rw).count() {
            0 if steps.iter().all(|step| step.kind == Kind::Ww) => Anomaly::DirtyWriteCycle,
            0 => Anomaly::CircularInformationFlow,
            1 => Anomaly::ReadSkew,
            _ if !has_two => Anomaly::LongFork,
            _ if over_set => Anomaly::PredicateWriteSkew,
            _ => Anomaly::WriteSkew,
        };
        let is_txn = |vertex: &usize| *vertex < self.history.txns.len();
        let mut txns: Vec<_> = cycle.iter().map(|step| step.from).filter(is_txn).collect();
        txns.dedup();
        findings.add(name, txns, || self.draw(&cycle));
    }

    fn draw(&self, cycle: &[Dependency]) -> String {
        let vertices = self.history.txns.len();
        let mut drawn = String::new();
        for step in cycle {
            if step.from < vertices {
                drawn += &format!("txn {}", step.from);
            }
            if step.kind != Kind::Chain {
                let kind = format!("{:?}", step.kind).to_lowercase();
                let (entity, _) = &self.changes.entities[step.entity];
                drawn += &format!(" -{kind} ({entity})");
            }
            if step.to < vertices {
                drawn += "-> ";
            }
        }
        let first = cycle.iter().map(|step| step.from).find(|vertex| *vertex < vertices);
        drawn + &first.map_or(String::new(), |first| format!("txn {first}"))
    }
}
