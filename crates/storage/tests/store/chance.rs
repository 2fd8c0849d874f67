//! A long life in which anything may fail at any time, and several things in a row.

use std::path::Path;

use selvedge_env::{FaultRates, SimulatedFiles};
use selvedge_storage::{StorageError, Store};

use crate::model::{Model, assert_sound, create};
use crate::script::{DIR, History};

const SEEDS: u64 = 60;
const CHECKPOINTS: usize = 40;

fn rates(rng: &mut fastrand::Rng) -> FaultRates {
    let mut rate = |most: f64| if rng.bool() { rng.f64() * most } else { 0.0 };
    FaultRates {
        read: rate(0.02),
        write: rate(0.05),
        short_write: rate(0.05),
        open: rate(0.02),
        rename: rate(0.1),
        sync: rate(0.05),
        full: rate(0.05),
        crash: rate(0.02),
        kill: rate(0.02),
        flip: 0.0,
    }
}

/// What is there, as the next process finds it; tries until nothing fails.
fn open(machine: &SimulatedFiles, history: &mut History) -> Store {
    loop {
        // Whatever has ended the last process, if anything has.
        machine.recover();
        let files = machine.process();
        let opened = match Store::open(files.clone(), Path::new(DIR)) {
            Ok(None) => {
                assert_eq!(history.published, None, "a database was lost");
                create(&files, Path::new(DIR))
            }
            Ok(Some(store)) => Ok(store),
            Err(error) => Err(error),
        };
        match opened {
            Ok(store) => {
                history.assert_holds(&store);
                let generation = store.contents().manifest().generation;
                history.models.truncate(generation as usize + 1);
                // Seen, so it stays.
                history.published = Some(generation);
                return store;
            }
            Err(StorageError::Corrupt { path, offset, what }) => {
                panic!("{} at {offset}: {what}", path.display());
            }
            Err(_) => {}
        }
    }
}

#[test]
fn nothing_that_was_published_is_lost_whatever_fails() {
    let (mut failures, mut poisonings, mut ends) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut rng = fastrand::Rng::with_seed(seed);
        let machine = SimulatedFiles::new(seed);
        let mut history = History { models: vec![Model::default()], ..History::default() };
        machine.set_rates(rates(&mut rng));
        let mut store = open(&machine, &mut history);
        for _ in 0..CHECKPOINTS {
            if let Err(error) = history.checkpoint(&store, &mut rng) {
                failures += 1;
                let generation = store.contents().manifest().generation;
                let is_down = machine.down().is_some();
                ends += usize::from(is_down);
                if is_down || matches!(error, StorageError::Poisoned { .. }) {
                    poisonings += usize::from(!is_down);
                    drop(store);
                    store = open(&machine, &mut history);
                } else {
                    assert_eq!(Some(generation), history.published, "seed {seed}: {error}");
                    history.models.truncate(generation as usize + 1);
                    history.assert_holds(&store);
                }
            } else if rng.u8(..5) == 0 {
                drop(store);
                store = open(&machine, &mut history);
            }
        }
        machine.clear_faults();
        drop(store);
        machine.crash();
        let store = open(&machine, &mut history);
        store.remove_leftovers().unwrap();
        assert_sound(&*machine.process(), &store);
    }
    assert!(failures > 100 && poisonings > 10 && ends > 20, "{failures} {poisonings} {ends}");
}
