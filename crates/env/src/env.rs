//! The environment a database runs in.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::{Clock, RealClock, SimulatedClock};

/// Clock and randomness of one database. Clones share both.
#[derive(Clone, Debug)]
pub struct Env {
    clock: Arc<dyn Clock>,
    random: Arc<Mutex<fastrand::Rng>>,
}

impl Env {
    /// The machine's clock, and randomness from the system.
    #[must_use]
    pub fn real() -> Self {
        let random = Arc::new(Mutex::new(fastrand::Rng::new()));
        Self { clock: Arc::new(RealClock::new()), random }
    }

    /// A clock that moves when told, and the random numbers of `seed`: two runs
    /// with the same seed see the same.
    #[must_use]
    pub fn simulated(seed: u64) -> (Self, Arc<SimulatedClock>) {
        let clock = Arc::new(SimulatedClock::default());
        let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
        (Self { clock: clock.clone(), random }, clock)
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// A random number in `0..=most`, uniform.
    #[must_use]
    pub fn random_up_to(&self, most: u64) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).u64(0..=most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats() {
        let draw = |seed| {
            let (env, _) = Env::simulated(seed);
            (0..8).map(|_| env.random_up_to(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
