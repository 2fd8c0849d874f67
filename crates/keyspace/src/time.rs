//! The time by which entries expire: milliseconds since the epoch.

use selvedge_base::sync::atomic::{AtomicU64, Ordering};
use selvedge_env::Env;

/// The clock of a keyspace. It does not go back, even if the machine's does, and
/// after a restart it goes on where it was: nothing that has expired comes back.
#[derive(Debug)]
pub(crate) struct ExpiryClock {
    env: Env,
    /// The latest time that was told.
    latest: AtomicU64,
}

impl ExpiryClock {
    pub(crate) fn new(env: Env) -> Self {
        Self { env, latest: AtomicU64::new(1) }
    }

    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    /// Now.
    pub(crate) fn now(&self) -> u64 {
        let micros = u64::try_from(self.env.clock().unix_micros()).unwrap_or(0);
        self.not_before(micros / 1000)
    }

    /// From now on it is at least `then`; what the time is.
    pub(crate) fn not_before(&self, then: u64) -> u64 {
        let latest = self.latest.load(Ordering::Relaxed);
        // Once in a millisecond, so that readers share the line otherwise.
        if then > latest {
            self.latest.fetch_max(then, Ordering::Relaxed).max(then)
        } else {
            latest
        }
    }
}

/// The time of a snapshot: when it first met an entry that expires. All its reads
/// judge by it.
#[derive(Debug, Default)]
pub struct ReadTime(AtomicU64);

impl ReadTime {
    /// Not fixed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn get(&self, clock: &ExpiryClock) -> u64 {
        let fixed = self.0.load(Ordering::Relaxed);
        if fixed != 0 {
            return fixed;
        }
        let now = clock.now();
        match self.0.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => now,
            Err(fixed) => fixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_does_not_go_back_and_is_fixed_once() {
        let (env, machine) = Env::simulated(1);
        let clock = ExpiryClock::new(env);
        let read = ReadTime::new();
        machine.advance(Duration::from_millis(50));
        assert_eq!((clock.now(), read.get(&clock)), (50, 50));
        assert_eq!(clock.not_before(70), 70);
        machine.advance(Duration::from_millis(10));
        assert_eq!((clock.now(), read.get(&clock)), (70, 50));
        machine.advance(Duration::from_millis(40));
        assert_eq!(clock.now(), 100);
    }
}
