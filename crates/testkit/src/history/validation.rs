//! What serializable transactions read, held against their commits: until then nobody
//! else changed it, whatever the isolation of who did.
//!
//! That there is no cycle follows from it among serializable transactions; but beside
//! writers under snapshot isolation, which have cycles that are permitted, it is all
//! that is promised, and says more.

use super::anomaly::{Anomaly, Findings};
use super::changes::{Changes, How, Seen};
use super::txn::{History, Isolation};

/// Holds each read of a serializable commit against the next change of what was read.
pub(super) fn judge(history: &History, changes: &Changes, findings: &mut Findings) {
    for read in &changes.reads {
        let reader = &history.txns[read.reader];
        let Some(commit) = reader.commit() else { continue };
        // Checks speak of the commit itself.
        if reader.isolation != Isolation::Serializable || read.how == How::AtCommit {
            continue;
        }
        let written = match read.seen {
            Seen::LeftBy(writer) => history.txns[writer].commit(),
            Seen::After(_) => None,
        };
        let Some(seen) = changes.seen(read, written) else { continue };
        let (entity, changed) = &changes.entities[read.entity];
        let next = changed[seen..].iter().find(|change| change.by != read.reader);
        if let Some(next) = next.filter(|next| next.at < commit) {
            findings.add(Anomaly::ReadOverwritten, [next.by, read.reader], || {
                format!(
                    "{entity}, read by txn {}, was changed by txn {} at {}, before the commit at \
                     {commit}",
                    read.reader, next.by, next.at
                )
            });
        }
    }
}
