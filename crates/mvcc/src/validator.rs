//! First committer wins, and the validation of reads.

use selvedge_base::{Timestamp, mutant};

use crate::record::Stamp;

/// What stands against a commit: a newer version of something it wrote, or, if
/// it is validated, read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overtaken {
    /// The commit timestamp of the newer version.
    pub by: Timestamp,
}

/// First committer wins: a transaction that began at `start` may write a record
/// with this stamp only if nobody has committed a newer version of it.
///
/// The caller holds the commit lock: the answer stays true until it is released.
///
/// # Errors
/// [`Overtaken`] with the timestamp of the commit that came first.
#[inline]
pub fn check_write(stamp: Stamp, start: Timestamp) -> Result<(), Overtaken> {
    if mutant::is("write-validation-off") || mutant::is("validation-off") {
        return Ok(());
    }
    check(stamp.commit(), start)
}

/// A validated read: what was read at `start` must still be the newest.
///
/// The caller holds the commit lock.
///
/// # Errors
/// [`Overtaken`] with the timestamp of the commit that changed it.
#[inline]
pub fn check_read(newest: Timestamp, start: Timestamp) -> Result<(), Overtaken> {
    if mutant::is("read-validation-off") || mutant::is("validation-off") {
        return Ok(());
    }
    check(newest, start)
}

#[inline]
fn check(newest: Timestamp, start: Timestamp) -> Result<(), Overtaken> {
    if newest > start { Err(Overtaken { by: newest }) } else { Ok(()) }
}

#[cfg(all(test, not(loom), not(selvedge_mutants)))]
mod tests {
    use super::*;

    #[test]
    fn the_first_committer_wins() {
        let overtaken = Overtaken { by: Timestamp::new(110) };
        assert_eq!(check_read(Timestamp::new(110), Timestamp::new(105)), Err(overtaken));
        assert_eq!(check_read(Timestamp::new(105), Timestamp::new(105)), Ok(()));
    }
}
