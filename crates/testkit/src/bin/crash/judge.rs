//! What must survive, and whether it did.
//!
//! A child's messages are *pending* until somebody opens the database again and says
//! what is there: the next child, or an inspection. Then
//! 1. every commit that waited for the disk is there, and every commit before it;
//! 2. what is not there is newer than all that is: a prefix survives;
//! 3. nothing that was found by an earlier opening is gone, synced by its commit or
//!    not;
//! 4. no timestamp and no id comes twice, not even one that was merely seen.

use selvedge::{NodeId, Timestamp};

use crate::message::{Commit, Message};
use crate::workload::{Lasts, THREADS};

/// Judges what becomes of one database.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    /// Reported since the database was opened last.
    pending: Vec<Commit>,
    /// The newest timestamp that was promised to survive.
    promised: Option<Timestamp>,
    /// What the last opening found.
    found: Lasts,
    /// The newest of all that earlier children told of.
    newest: (Option<Timestamp>, Option<NodeId>),
}

/// Counts over all databases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Acknowledged commits that were there.
    pub(crate) verified: u64,
    /// Acknowledged commits that were not.
    pub(crate) lost: u64,
    /// The most acknowledged commits in a row that one thread lost.
    pub(crate) gap_max: u64,
    /// Commits that did not wait for the disk, and were not there.
    pub(crate) unsynced_lost: u64,
    /// Openings that were compared with what was reported before.
    pub(crate) openings: u64,
    /// Commits replayed from the log.
    pub(crate) replayed: u64,
    /// Openings that cut the log.
    pub(crate) cuts: u64,
    pub(crate) checkpoints: u64,
}

impl Judge {
    /// Takes in what one child told, in its order; gives what is wrong.
    pub(crate) fn hear(&mut self, messages: &[Message], tally: &mut Tally) -> Vec<String> {
        let mut problems = Vec::new();
        let before = self.newest;
        let mut checkpoints = 0;
        for message in messages {
            match message {
                Message::Found(lasts) => self.compare(lasts, tally, &mut problems),
                Message::Opened(timestamp) => {
                    if Some(*timestamp) < before.0 {
                        problems.push(format!("opened at {timestamp}, older than {before:?}"));
                    }
                }
                Message::Commit(commit) => {
                    if Some(commit.timestamp) <= before.0 || Some(commit.node) <= before.1 {
                        problems.push(format!("not newer than {before:?}: {commit:?}"));
                    }
                    self.pending.push(*commit);
                    self.note(Some(commit.timestamp), Some(commit.node));
                    if commit.waited {
                        self.promised = self.promised.max(Some(commit.timestamp));
                    }
                }
                Message::Durable(timestamp) => {
                    self.note(Some(*timestamp), None);
                    self.promised = self.promised.max(Some(*timestamp));
                }
                Message::Seen(timestamp, node) => self.note(Some(*timestamp), Some(*node)),
                Message::Recovered { commits, cut_bytes } => {
                    tally.replayed += commits;
                    tally.cuts += u64::from(*cut_bytes > 0);
                }
                Message::Checkpoints(number) => checkpoints = *number,
                Message::Problem(problem) => problems.push(problem.clone()),
                Message::End => {}
            }
        }
        tally.checkpoints += checkpoints;
        problems
    }

    /// Whether an opening has found anything yet.
    pub(crate) fn found_any(&self) -> bool {
        self.found.iter().any(|last| *last > 0)
    }

    fn note(&mut self, timestamp: Option<Timestamp>, node: Option<NodeId>) {
        self.newest = (self.newest.0.max(timestamp), self.newest.1.max(node));
    }

    fn compare(&mut self, found: &Lasts, tally: &mut Tally, problems: &mut Vec<String>) {
        tally.openings += 1;
        let mut lost_of = [0; THREADS];
        let (mut oldest_gone, mut newest_there) = (None::<Commit>, None::<Commit>);
        for commit in self.pending.drain(..) {
            if commit.sequence <= found[commit.thread] {
                tally.verified += u64::from(commit.waited);
                if newest_there.is_none_or(|newest| newest.timestamp < commit.timestamp) {
                    newest_there = Some(commit);
                }
                continue;
            }
            if oldest_gone.is_none_or(|oldest| oldest.timestamp > commit.timestamp) {
                oldest_gone = Some(commit);
            }
            if commit.waited {
                tally.lost += 1;
                lost_of[commit.thread] += 1;
            } else {
                tally.unsynced_lost += 1;
            }
            if Some(commit.timestamp) <= self.promised {
                let promised = self.promised;
                problems.push(format!("lost: {commit:?}, promised up to {promised:?}"));
            }
        }
        if let (Some(gone), Some(there)) = (oldest_gone, newest_there)
            && gone.timestamp < there.timestamp
        {
            problems.push(format!("{there:?} is there, and the older {gone:?} is not"));
        }
        let went_back = found.iter().zip(&self.found).any(|(now, before)| now < before);
        if went_back {
            problems.push(format!("found {:?} before, and {found:?} now", self.found));
        }
        tally.gap_max = tally.gap_max.max(lost_of.into_iter().max().unwrap_or(0));
        self.found = *found;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(thread: usize, sequence: u64, timestamp: u64, waited: bool) -> Message {
        Message::Commit(Commit {
            thread,
            sequence,
            timestamp: Timestamp::new(timestamp),
            node: NodeId::new(timestamp),
            waited,
        })
    }

    fn judge(runs: &[&[Message]]) -> (usize, Tally) {
        let (mut judge, mut tally) = (Judge::default(), Tally::default());
        let problems = runs.iter().map(|run| judge.hear(run, &mut tally).len()).sum();
        (problems, tally)
    }

    #[test]
    fn what_waited_must_be_there() {
        let run = [commit(0, 1, 11, true), commit(1, 1, 12, true), commit(0, 2, 13, true)];
        let (problems, tally) = judge(&[&run, &[Message::Found([2, 1, 0, 0, 0])]]);
        assert_eq!((problems, tally.verified, tally.lost), (0, 3, 0));
        let (problems, tally) = judge(&[&run, &[Message::Found([0, 1, 0, 0, 0])]]);
        // Two are lost, and a newer one is not.
        assert_eq!((problems, tally.lost, tally.gap_max), (3, 2, 2));
    }

    #[test]
    fn what_did_not_wait_may_go_but_only_from_the_end() {
        let found = [Message::Found([1, 0, 0, 0, 1])];
        let may = [commit(0, 1, 11, true), commit(4, 1, 12, false), commit(4, 2, 13, false)];
        let (problems, tally) = judge(&[&may, &found]);
        assert_eq!((problems, tally.unsynced_lost), (0, 1));
        // Before one that waited, or that a durable snapshot saw, it must stay.
        let must = [commit(4, 2, 11, false), commit(0, 1, 12, true)];
        assert_eq!(judge(&[&must, &found]).0, 2);
        let durable = Message::Durable(Timestamp::new(13));
        assert_eq!(judge(&[&[may.as_slice(), &[durable]].concat(), &found]).0, 1);
    }

    #[test]
    fn what_was_found_once_stays() {
        let (first, second) = (Message::Found([3; THREADS]), Message::Found([2; THREADS]));
        assert_eq!(judge(&[&[first], &[second]]).0, 1);
    }

    #[test]
    fn nothing_is_given_out_twice() {
        let seen = [Message::Seen(Timestamp::new(20), NodeId::new(30))];
        assert_eq!(judge(&[&seen, &[commit(0, 1, 20, true)]]).0, 1);
        assert_eq!(judge(&[&seen, &[commit(0, 1, 30, true)]]).0, 1);
        assert_eq!(judge(&[&seen, &[commit(0, 1, 31, true)]]).0, 0);
        let opened = Message::Opened(Timestamp::new(5));
        assert_eq!(judge(&[&[commit(0, 1, 6, true)], &[opened]]).0, 1);
    }
}
