//! What a child tells: one line each, written with one call, so that lines of
//! several threads never mix and a killed child leaves whole ones.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::str::FromStr;

use selvedge::{NodeId, Timestamp};

use crate::workload::{Lasts, THREADS};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A commit returned.
    Commit(Commit),
    /// The commit with this timestamp, and all before it, are on the disk.
    Durable(Timestamp),
    /// A reader saw this commit and this node, durable or not.
    Seen(Timestamp, NodeId),
    /// The last sequence of each thread, as opening found it.
    Found(Lasts),
    /// The newest timestamp after opening for writing.
    Opened(Timestamp),
    /// Commits that opening replayed, and bytes that it cut off the log.
    Recovered { commits: u64, cut_bytes: u64 },
    /// Checkpoints written since opening.
    Checkpoints(u64),
    /// What an inspection found wrong.
    Problem(String),
    /// An inspection has looked at everything.
    End,
}

/// A commit that returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) thread: usize,
    pub(crate) sequence: u64,
    pub(crate) timestamp: Timestamp,
    /// The node that it inserted.
    pub(crate) node: NodeId,
    /// Whether it waited for the disk.
    pub(crate) waited: bool,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(Commit { thread, sequence, timestamp, node, waited }) => {
                let kind = if *waited { "commit" } else { "unsynced" };
                write!(f, "{kind} {thread} {sequence} {} {}", timestamp.get(), node.get())
            }
            Self::Durable(timestamp) => write!(f, "durable {}", timestamp.get()),
            Self::Seen(timestamp, node) => write!(f, "seen {} {}", timestamp.get(), node.get()),
            Self::Found(lasts) => {
                f.write_str("found")?;
                lasts.iter().try_for_each(|last| write!(f, " {last}"))
            }
            Self::Opened(timestamp) => write!(f, "opened {}", timestamp.get()),
            Self::Recovered { commits, cut_bytes } => write!(f, "recovered {commits} {cut_bytes}"),
            Self::Checkpoints(number) => write!(f, "checkpoints {number}"),
            Self::Problem(text) => write!(f, "problem {}", text.replace('\n', " / ")),
            Self::End => f.write_str("end"),
        }
    }
}

impl FromStr for Message {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        if kind == "problem" {
            return Ok(Self::Problem(rest.to_owned()));
        }
        let numbers: Result<Vec<u64>, _> = rest.split_whitespace().map(str::parse).collect();
        let wrong = || format!("not a message: {line:?}");
        let numbers = numbers.map_err(|_| wrong())?;
        Ok(match (kind, &*numbers) {
            ("commit" | "unsynced", [thread, sequence, timestamp, node]) => Self::Commit(Commit {
                thread: usize::try_from(*thread).ok().filter(|t| *t < THREADS).ok_or_else(wrong)?,
                sequence: *sequence,
                timestamp: Timestamp::new(*timestamp),
                node: NodeId::new(*node),
                waited: kind == "commit",
            }),
            ("durable", [timestamp]) => Self::Durable(Timestamp::new(*timestamp)),
            ("seen", [timestamp, node]) => {
                Self::Seen(Timestamp::new(*timestamp), NodeId::new(*node))
            }
            ("found", lasts) => Self::Found(lasts.try_into().map_err(|_| wrong())?),
            ("opened", [timestamp]) => Self::Opened(Timestamp::new(*timestamp)),
            ("recovered", &[commits, cut_bytes]) => Self::Recovered { commits, cut_bytes },
            ("checkpoints", &[number]) => Self::Checkpoints(number),
            ("end", []) => Self::End,
            _ => return Err(wrong()),
        })
    }
}

/// The messages in what a child wrote. What stands behind the last end of a line
/// was never written as a whole.
pub(crate) fn parse_all(written: &[u8]) -> Result<Vec<Message>, String> {
    let text = String::from_utf8_lossy(written);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::parse).collect()
}

/// Where a child writes them.
#[derive(Debug)]
pub(crate) struct Reporter(File);

impl Reporter {
    /// Standard output, without a buffer.
    pub(crate) fn stdout() -> io::Result<Self> {
        Ok(Self(io::stdout().as_fd().try_clone_to_owned()?.into()))
    }

    /// Writes a message, in one call: a pipe takes a short line whole.
    pub(crate) fn report(&self, message: &Message) -> io::Result<()> {
        (&self.0).write_all(format!("{message}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_pipe() {
        let commit = Commit {
            thread: THREADS - 1,
            sequence: 9,
            timestamp: Timestamp::new(77),
            node: NodeId::new(5),
            waited: true,
        };
        let messages = [
            Message::Commit(commit),
            Message::Commit(Commit { waited: false, ..commit }),
            Message::Durable(Timestamp::new(3)),
            Message::Seen(Timestamp::new(3), NodeId::new(4)),
            Message::Found([7; THREADS]),
            Message::Opened(Timestamp::new(8)),
            Message::Recovered { commits: 1, cut_bytes: 2 },
            Message::Checkpoints(3),
            Message::Problem("two words".to_owned()),
            Message::End,
        ];
        let mut text: String = messages.iter().map(|message| format!("{message}\n")).collect();
        text.push_str("commit 1 2");
        assert_eq!(parse_all(text.as_bytes()).unwrap(), messages);
        assert_eq!(parse_all(b"").unwrap(), []);
        assert!(parse_all(b"commit 99 1 1 1\n").is_err());
        assert!(parse_all(b"noise\n").is_err());
    }
}
