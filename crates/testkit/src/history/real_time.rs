//! Timestamps against the clock: what returned before another began.

use super::anomaly::{Anomaly, Findings};
use super::txn::{History, Outcome, Timestamp, Txn};

/// Something known from a time on: a timestamp, and whose it is.
type Known = (u64, Timestamp, usize);

/// Demands of each of `asked`, at its time, to lie behind what is `known` before.
fn each_behind(
    mut known: Vec<Known>,
    mut asked: Vec<Known>,
    mut judge: impl FnMut((Timestamp, usize), (Timestamp, usize)),
) {
    known.sort_unstable();
    asked.sort_unstable();
    let mut newest: Option<(Timestamp, usize)> = None;
    let mut known = known.into_iter().peekable();
    for (time, at, txn) in asked {
        while let Some((_, at, by)) = known.next_if(|(since, ..)| *since < time) {
            newest = newest.max(Some((at, by)));
        }
        if let Some(newest) = newest {
            judge(newest, (at, txn));
        }
    }
}

/// Those that began with a snapshot, which is not lost.
fn begun(history: &History) -> impl Iterator<Item = &Txn> {
    let txns = history.txns.iter();
    txns.filter(|txn| !txn.is_atomic && txn.outcome != Outcome::Unknown)
}

fn commits(history: &History) -> impl Iterator<Item = (&Txn, Timestamp)> {
    history.txns.iter().filter_map(|txn| Some((txn, txn.commit()?)))
}

/// Whether timestamps keep to the order of time, on all threads together.
pub(super) fn judge(history: &History, findings: &mut Findings) {
    judge_starts(history, findings);
    judge_commits(history, findings);
    judge_future(history, findings);
}

/// What had returned when a transaction began, it sees.
fn judge_starts(history: &History, findings: &mut Findings) {
    let begins = || begun(history).map(|txn| (txn.begin.called, txn.start, txn.number));
    let told = commits(history).map(|(txn, commit)| (txn.end.returned, commit, txn.number));
    each_behind(told.collect(), begins().collect(), |(commit, by), (start, txn)| {
        if start < commit {
            findings.add(Anomaly::StaleStart, [by, txn], || {
                format!(
                    "txn {txn} began at {start} after txn {by}, committed at {commit}, had returned"
                )
            });
        }
    });
    let states = States::of(history);
    let seen = begun(history).map(|txn| (txn.begin.returned, states.lasting(txn), txn.number));
    each_behind(seen.collect(), begins().collect(), |(other, by), (start, txn)| {
        if start < other {
            findings.add(Anomaly::StaleStart, [by, txn], || {
                format!("txn {txn} began at {start} after txn {by} had begun at {other}")
            });
        }
    });
}

/// The states of a database: one for each commit, whatever timestamps lie between.
struct States<'h> {
    history: &'h History,
    /// In order.
    commits: Vec<(Timestamp, &'h Txn)>,
}

impl<'h> States<'h> {
    fn of(history: &'h History) -> Self {
        let mut commits: Vec<_> = commits(history).map(|(txn, commit)| (commit, txn)).collect();
        commits.sort_by_key(|(commit, _)| *commit);
        Self { history, commits }
    }

    /// The newest commit that a transaction began with, and that all who begin later
    /// must see. One that nobody was told of may go for a while when the disk fails,
    /// until the database is opened again.
    fn lasting(&self, txn: &Txn) -> Timestamp {
        let life = self.history.life(txn.number);
        let lasts = |by: &Txn| {
            let is_told = by.end.returned != u64::MAX;
            is_told || txn.is_durable || self.history.life(by.number) != life
        };
        let count = self.commits.partition_point(|(commit, _)| *commit <= txn.start);
        let newest = self.commits[..count].iter().rev().find(|(_, by)| lasts(by));
        newest.map_or(Timestamp::ZERO, |(commit, _)| *commit)
    }
}

/// Commit timestamps are unique, behind the start, and in the order of time.
fn judge_commits(history: &History, findings: &mut Findings) {
    let mut ordered: Vec<_> = commits(history).map(|(txn, commit)| (commit, txn.number)).collect();
    ordered.sort_unstable();
    for pair in ordered.windows(2) {
        let ((commit, one), (again, other)) = (pair[0], pair[1]);
        if commit == again {
            findings.add(Anomaly::DisorderedCommits, [one, other], || {
                format!("txn {one} and txn {other} both committed at {commit}")
            });
        }
    }
    for (Txn { number, start, .. }, commit) in commits(history) {
        if commit <= *start {
            findings.add(Anomaly::DisorderedCommits, [*number], || {
                format!("txn {number} began at {start} and committed at {commit}")
            });
        }
    }
    let told = commits(history).map(|(txn, commit)| (txn.end.returned, commit, txn.number));
    let called = commits(history).map(|(txn, commit)| (txn.end.called, commit, txn.number));
    each_behind(told.collect(), called.collect(), |(earlier, by), (commit, txn)| {
        if commit <= earlier {
            findings.add(Anomaly::DisorderedCommits, [by, txn], || {
                format!(
                    "txn {txn} committed at {commit} after txn {by}, committed at {earlier}, had \
                     returned"
                )
            });
        }
    });
}

/// Nobody begins at a commit that was not yet asked for.
fn judge_future(history: &History, findings: &mut Findings) {
    let mut asked: Vec<_> =
        commits(history).map(|(txn, commit)| (commit, txn.end.called, txn.number)).collect();
    asked.sort_unstable();
    let mut begun: Vec<_> =
        begun(history).map(|txn| (txn.start, txn.begin.returned, txn.number)).collect();
    begun.sort_unstable();
    let mut asked = asked.into_iter().peekable();
    let mut latest = (0, 0);
    for (start, returned, txn) in begun {
        while let Some((_, called, by)) = asked.next_if(|(commit, ..)| *commit <= start) {
            latest = latest.max((called, by));
        }
        let (called, by) = latest;
        if called > returned {
            findings.add(Anomaly::FutureStart, [by, txn], || {
                format!("txn {txn} began at {start} before the commit of txn {by} was called")
            });
        }
    }
}
