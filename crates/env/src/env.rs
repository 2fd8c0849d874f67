//! The environment a database runs in.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::{Clock, RealClock, SimulatedClock};
use crate::file::FileSystem;
use crate::real_files::RealFiles;
use crate::simulated_files::SimulatedFiles;

/// Files, clock and randomness of one database. Clones share all three.
#[derive(Clone, Debug)]
pub struct Env {
    files: Arc<dyn FileSystem>,
    clock: Arc<dyn Clock>,
    random: Arc<Mutex<fastrand::Rng>>,
}

impl Env {
    /// The machine's files and clock, and randomness from the system.
    #[must_use]
    pub fn real() -> Self {
        let random = Arc::new(Mutex::new(fastrand::Rng::new()));
        Self { files: Arc::new(RealFiles), clock: Arc::new(RealClock::new()), random }
    }

    /// An empty disk in memory, a clock that moves when told, and the random numbers
    /// of `seed`: two runs with the same seed see the same.
    #[must_use]
    pub fn simulated(seed: u64) -> (Self, Arc<SimulatedClock>) {
        Self::simulated_on(&SimulatedFiles::new(seed), seed)
    }

    /// As [`simulated`](Self::simulated), for a process that starts now on a machine
    /// that may have seen others: it ends with the machine's next crash or kill, and
    /// the next process takes a new environment.
    #[must_use]
    pub fn simulated_on(files: &SimulatedFiles, seed: u64) -> (Self, Arc<SimulatedClock>) {
        let clock = Arc::new(SimulatedClock::default());
        let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
        (Self { files: files.process(), clock: clock.clone(), random }, clock)
    }

    /// The same with other files.
    #[must_use]
    pub fn with_files(self, files: Arc<dyn FileSystem>) -> Self {
        Self { files, ..self }
    }

    /// The files.
    #[must_use]
    pub fn files(&self) -> &Arc<dyn FileSystem> {
        &self.files
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

    /// Any random number.
    #[must_use]
    pub fn random_u64(&self) -> u64 {
        self.random_up_to(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats() {
        let draw = |seed| {
            let (env, _) = Env::simulated(seed);
            (0..8).map(|_| (env.random_up_to(1000), env.random_u64())).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(1).iter().all(|(small, _)| *small <= 1000));
        assert!(draw(1).iter().any(|(_, any)| *any > u64::from(u32::MAX)));
    }
}
