//! Readers that hold a snapshot for seconds.

use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use selvedge::Db;

use super::Told;
use super::entries::{keyspace, unix_millis};
use super::ground::Ground;
use super::laws::uphold;

/// How long a snapshot is held.
const HELD_MILLIS: std::ops::Range<u64> = 100..4000;
/// Between two looks at the same snapshot.
const PAUSE: Duration = Duration::from_millis(150);

/// Reads until the end; gives how often everything was read.
pub(super) fn read(db: &Db, ground: &Ground, mut rng: Rng, until: Instant) -> Told<u64> {
    let (mut looks, kv) = (0, keyspace(db)?);
    while Instant::now() < until {
        let opened = unix_millis();
        let snapshot = db.snapshot_labelled("a long reader");
        let snapshot = snapshot.map_err(|error| format!("no snapshot can be opened: {error}"))?;
        let ends = Instant::now() + Duration::from_millis(rng.u64(HELD_MILLIS));
        let first = uphold(&snapshot, ground, (&kv, opened))?;
        looks += 1;
        while Instant::now() < ends.min(until) {
            thread::sleep(PAUSE);
            if uphold(&snapshot, ground, (&kv, opened))? != first {
                return Err("a snapshot has changed while it was held".to_owned());
            }
            looks += 1;
        }
    }
    Ok(looks)
}
