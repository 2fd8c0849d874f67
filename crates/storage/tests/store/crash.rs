//! The machine crashes, or the process is killed, at every operation: what is found
//! is a generation that was published, none older than the last one known to be.

use std::path::Path;

use selvedge_env::{Fault, SimulatedFiles};
use selvedge_storage::{StorageError, Store};

use crate::model::{assert_sound, create};
use crate::script::{DIR, History, run};

const SEEDS: u64 = 12;

/// The operations of a whole run, without a fault, that change anything. A crash at
/// another is like one at the change before.
fn changes(seed: u64) -> Vec<u64> {
    let machine = SimulatedFiles::new(seed);
    let mut history = History::default();
    run(&machine.process(), seed, &mut history).expect("no fault is planned");
    let operations = machine.operations();
    assert_eq!(operations.len() as u64, machine.operation_count(), "all are remembered");
    operations.iter().filter(|one| one.kind.is_change()).map(|one| one.number).collect()
}

/// Runs up to a fault.
fn run_until(seed: u64, operation: u64, fault: Fault) -> (SimulatedFiles, History) {
    let machine = SimulatedFiles::new(seed.wrapping_mul(0x9E37_79B9).wrapping_add(operation));
    machine.plan(operation, fault);
    let mut history = History::default();
    // Nobody notices a fault in what may fail, such as removing a file, at once.
    let _ = run(&machine.process(), seed, &mut history);
    assert_eq!(machine.down(), Some(fault), "a run repeats");
    (machine, history)
}

/// Opens what is there; None if there is no database, which is only right before
/// the first was made.
fn find(machine: &SimulatedFiles, history: &History) -> Result<Option<Store>, StorageError> {
    let store = Store::open(machine.process(), Path::new(DIR))?;
    match &store {
        Some(store) => history.assert_holds(store),
        None => assert_eq!(history.published, None, "a database was lost"),
    }
    Ok(store)
}

/// A database goes on after what happened.
fn go_on(machine: &SimulatedFiles, history: &mut History, store: Option<Store>) {
    let files = machine.process();
    let store = match store {
        Some(store) => store,
        None => create(&files, Path::new(DIR)).expect("no fault is planned"),
    };
    store.remove_leftovers().expect("no fault is planned");
    assert_sound(&*files, &store);
    let generation = store.contents().manifest().generation;
    history.models.truncate(generation as usize + 1);
    let mut rng = fastrand::Rng::with_seed(generation);
    for _ in 0..2 {
        history.checkpoint(&store, &mut rng).expect("no fault is planned");
        assert_sound(&*files, &store);
    }
    drop(store);
    machine.crash();
    let store = find(machine, history).expect("no fault is planned").expect("it was there before");
    assert_eq!(Some(store.contents().manifest().generation), history.published);
    // Names of dead files may have come back.
    store.remove_leftovers().expect("no fault is planned");
    assert_sound(&*machine.process(), &store);
}

#[test]
fn the_script_empties_and_removes_files() {
    for seed in 0..SEEDS {
        let machine = SimulatedFiles::new(seed);
        let mut history = History::default();
        run(&machine.process(), seed, &mut history).unwrap();
        assert!(history.died >= 3 && history.moved >= 2, "seed {seed}: {history:?}");
    }
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_published() {
    for seed in 0..SEEDS {
        for operation in changes(seed) {
            let (machine, mut history) = run_until(seed, operation, Fault::Crash);
            machine.recover();
            let store = find(&machine, &history)
                .unwrap_or_else(|error| panic!("seed {seed}, operation {operation}: {error}"));
            go_on(&machine, &mut history, store);
        }
    }
}

/// Opens what is there as the next process would, and notes that it has been seen:
/// from now on it must stay.
fn see(machine: &SimulatedFiles, history: &mut History) -> Result<(), StorageError> {
    if let Some(store) = find(machine, history)? {
        history.published = Some(store.contents().manifest().generation);
        store.remove_leftovers()?;
    }
    Ok(())
}

/// A process is killed; the next one opens the database, and the machine crashes
/// while it does, or behind that: what the second has seen must stay.
#[test]
fn a_crash_behind_a_kill_loses_nothing_that_was_seen() {
    for seed in 0..SEEDS / 3 {
        for operation in changes(seed) {
            let (machine, mut history) = run_until(seed, operation, Fault::Kill);
            machine.recover();
            let before = machine.operation_count();
            see(&machine, &mut history).unwrap();
            let seeing = machine.operations().split_off(before as usize);
            let changes = seeing.iter().filter(|one| one.kind.is_change()).map(|one| one.number);
            for later in changes.chain([machine.operation_count()]) {
                let (machine, mut history) = run_until(seed, operation, Fault::Kill);
                machine.recover();
                machine.plan(later, Fault::Crash);
                let seen = see(&machine, &mut history);
                assert!(seen.is_err() || machine.operation_count() == later, "a run repeats");
                machine.clear_faults();
                machine.crash();
                let store = find(&machine, &history)
                    .unwrap_or_else(|error| panic!("{seed}, {operation}, {later}: {error}"));
                go_on(&machine, &mut history, store);
            }
        }
    }
}
