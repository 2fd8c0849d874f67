//! Retrying after conflicts, bounded.

use std::time::Duration;

use selvedge_base::sync::thread;
use selvedge_env::Env;

/// How often a transaction runs again after a conflict, and how long it waits
/// before: at first not at all, then a random time up to a bound that doubles
/// with every attempt.
///
/// ```
/// use selvedge::RetryPolicy;
/// use std::time::Duration;
///
/// let patient = RetryPolicy::default().attempts_max(1000).delay_max(Duration::from_millis(50));
/// assert_eq!(patient.attempts(), 1000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    attempts_max: u32,
    delay_first: Duration,
    delay_max: Duration,
}

/// Attempts that follow one another without a wait: on a short transaction the
/// other one is long done.
const EAGER_ATTEMPTS: u32 = 3;

impl Default for RetryPolicy {
    /// 100 attempts, waits of up to 20 microseconds at first and 10
    /// milliseconds at last.
    fn default() -> Self {
        Self {
            attempts_max: 100,
            delay_first: Duration::from_micros(20),
            delay_max: Duration::from_millis(10),
        }
    }
}

impl RetryPolicy {
    /// How often the transaction runs at most; at least once.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.attempts_max = attempts.max(1);
        self
    }

    /// The bound on the first wait.
    #[must_use]
    pub fn delay_first(mut self, delay: Duration) -> Self {
        self.delay_first = delay;
        self
    }

    /// The bound on every wait.
    #[must_use]
    pub fn delay_max(mut self, delay: Duration) -> Self {
        self.delay_max = delay;
        self
    }

    /// How often the transaction runs at most.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts_max
    }

    /// Waits after the attempt with this number, counted from 1, failed.
    pub(crate) fn wait(&self, attempt: u32, env: &Env) {
        let Some(doublings) = attempt.checked_sub(EAGER_ATTEMPTS) else {
            thread::yield_now();
            return;
        };
        let bound = self.delay_first.saturating_mul(1 << doublings.min(20)).min(self.delay_max);
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        env.clock().sleep(Duration::from_nanos(env.random_up_to(nanos)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_bounded_and_grow() {
        let (env, clock) = Env::simulated(7);
        let policy = RetryPolicy::default();
        for attempt in 1..EAGER_ATTEMPTS {
            policy.wait(attempt, &env);
        }
        assert_eq!(env.clock().monotonic(), Duration::ZERO, "the first attempts do not wait");
        for attempt in EAGER_ATTEMPTS..100 {
            let before = env.clock().monotonic();
            policy.wait(attempt, &env);
            assert!(env.clock().monotonic() - before <= Duration::from_millis(10));
        }
        assert!(env.clock().monotonic() > Duration::from_millis(20));
        drop(clock);
    }
}
