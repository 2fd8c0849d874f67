//! An operation fails, or the disk is full: the store says so and can be used as
//! before, or it says that it cannot.

use std::path::Path;
use std::sync::Arc;

use selvedge_env::{Fault, FileSystem, OperationKind, SimulatedFiles};
use selvedge_storage::{StorageError, Store};

use crate::model::{Model, assert_sound, create, key, open};
use crate::script::{DIR, History};

/// Checkpoints before the one that fails: enough for files to leave.
const BEFORE: u64 = 5;

/// A database with a history.
struct Fixture {
    machine: SimulatedFiles,
    files: Arc<dyn FileSystem>,
    store: Store,
    history: History,
    rng: fastrand::Rng,
}

impl Fixture {
    fn new(seed: u64) -> Self {
        let machine = SimulatedFiles::new(seed);
        let files = machine.process();
        let store = create(&files, Path::new(DIR)).expect("no fault is planned");
        let mut history = History { models: vec![Model::default()], ..History::default() };
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..BEFORE {
            history.checkpoint(&store, &mut rng).expect("no fault is planned");
        }
        Self { machine, files, store, history, rng }
    }

    fn checkpoint(&mut self) -> Result<(), StorageError> {
        self.history.checkpoint(&self.store, &mut self.rng)
    }

    /// The operations of the next checkpoint.
    fn operations(seed: u64) -> std::ops::Range<u64> {
        let mut fixture = Self::new(seed);
        let before = fixture.machine.operation_count();
        fixture.checkpoint().expect("no fault is planned");
        before..fixture.machine.operation_count()
    }

    fn bytes(&self) -> u64 {
        self.machine.files().iter().map(|(_, bytes)| bytes).sum()
    }

    /// The store goes on as if nothing had been tried.
    fn assert_unchanged(&mut self, generation: u64) {
        assert_eq!(self.store.contents().manifest().generation, generation);
        self.history.models.truncate(generation as usize + 1);
        self.history.assert_holds(&self.store);
        assert!(!self.store.is_poisoned());
    }

    /// Crashes, and opens what is there.
    fn reopen(&mut self) {
        self.machine.crash();
        self.files = self.machine.process();
        self.store = open(&self.files, Path::new(DIR)).expect("no fault is planned");
        self.history.assert_holds(&self.store);
        self.store.remove_leftovers().expect("no fault is planned");
        assert_sound(&*self.files, &self.store);
    }
}

#[test]
fn a_failure_at_any_operation_changes_nothing_or_poisons() {
    let (mut unchanged, mut poisoned, mut unnoticed) = (0, 0, 0);
    for seed in 0..10 {
        for operation in Fixture::operations(seed) {
            for fault in [Fault::Io, Fault::Full, Fault::ShortWrite] {
                let mut fixture = Fixture::new(seed);
                let bytes = fixture.bytes();
                fixture.machine.plan(operation, fault);
                match fixture.checkpoint() {
                    // In what may fail: looking for leftovers, removing what died.
                    Ok(()) => unnoticed += 1,
                    Err(StorageError::Poisoned { .. }) => {
                        poisoned += 1;
                        assert_poisoned(&mut fixture);
                    }
                    Err(error) => {
                        unchanged += 1;
                        let is_full = matches!(error, StorageError::NoSpace { .. });
                        assert_eq!(is_full, fault == Fault::Full, "{error}");
                        fixture.assert_unchanged(BEFORE);
                        assert_eq!(fixture.bytes(), bytes, "space is given back");
                        assert_sound(&*fixture.files, &fixture.store);
                    }
                }
                if !fixture.store.is_poisoned() {
                    fixture.checkpoint().unwrap();
                    assert_sound(&*fixture.files, &fixture.store);
                }
                fixture.reopen();
                fixture.history.models.truncate(1 + generation(&fixture.store) as usize);
                fixture.checkpoint().unwrap();
                assert_sound(&*fixture.files, &fixture.store);
            }
        }
    }
    assert!(unchanged > 100 && poisoned > 10 && unnoticed > 10);
}

fn generation(store: &Store) -> u64 {
    store.contents().manifest().generation
}

/// A store that does not know which manifest is durable changes nothing more, and
/// removes nothing that either may need.
fn assert_poisoned(fixture: &mut Fixture) {
    let store = &fixture.store;
    assert!(store.is_poisoned());
    let names = fixture.files.list(Path::new(DIR)).expect("no fault is planned");
    assert!(matches!(store.begin(), Err(StorageError::Poisoned { .. })));
    assert!(matches!(store.remove_leftovers(), Err(StorageError::Poisoned { .. })));
    assert_eq!(fixture.files.list(Path::new(DIR)).expect("no fault is planned"), names);
    assert_eq!(generation(store), BEFORE, "what was read goes on to be read");
    let model = &fixture.history.models[BEFORE as usize];
    assert_eq!(Model::read(&store.contents()).as_ref(), Ok(model));
    for live in &store.contents().manifest().files {
        assert!(names.contains(&live.file.to_string()), "{} may be needed", live.file);
    }
}

#[test]
fn only_a_failure_behind_the_rename_poisons() {
    let mut fixture = Fixture::new(1);
    // The first sync of the directory is that of the data file's name.
    fixture.machine.plan_next(OperationKind::SyncDir, Fault::Io);
    let error = fixture.checkpoint().unwrap_err();
    assert!(matches!(error, StorageError::Io { .. }), "{error}");
    fixture.assert_unchanged(BEFORE);
    fixture.machine.plan_next(OperationKind::Rename, Fault::Io);
    let error = fixture.checkpoint().unwrap_err();
    assert!(matches!(error, StorageError::Io { .. }), "{error}");
    fixture.assert_unchanged(BEFORE);
    let mut changed = fixture.history.models[BEFORE as usize].clone();
    changed.set(key(0, 0), 0, b"changed");
    let finished = changed.finish(&fixture.store, &[key(0, 0)].into()).unwrap();
    fixture.machine.plan_next(OperationKind::SyncDir, Fault::Io);
    let error = fixture.store.publish(finished, Model::facts(BEFORE + 1)).unwrap_err();
    assert!(matches!(error, StorageError::Poisoned { .. }), "{error}");
    fixture.history.models.push(changed);
    assert_poisoned(&mut fixture);
    fixture.reopen();
}

/// Whether or not a rename that fails was done is looked up; if that fails as
/// well, it is unknown.
#[test]
fn a_rename_of_unknown_outcome_poisons() {
    let mut fixture = Fixture::new(2);
    fixture.machine.plan_next(OperationKind::Rename, Fault::Io);
    let mut changed = fixture.history.models[BEFORE as usize].clone();
    changed.set(key(0, 0), 0, b"changed");
    let finished = changed.finish(&fixture.store, &[key(0, 0)].into()).unwrap();
    fixture.machine.plan_next(OperationKind::Read, Fault::Io);
    let error = fixture.store.publish(finished, Model::facts(BEFORE + 1)).unwrap_err();
    assert!(matches!(error, StorageError::Poisoned { .. }), "{error}");
    fixture.history.models.push(changed);
    assert_poisoned(&mut fixture);
    fixture.reopen();
}

#[test]
fn a_dead_file_that_cannot_be_removed_is_removed_by_the_next_checkpoint() {
    let mut removals = 0;
    for seed in 0..10 {
        let mut fixture = Fixture::new(seed);
        let before = fixture.machine.operation_count();
        fixture.checkpoint().unwrap();
        let operations = fixture.machine.operations().split_off(before as usize);
        let is_data = |path: &Path| path.to_string_lossy().contains("data-");
        let removal = operations
            .into_iter()
            .find(|one| one.kind == OperationKind::Remove && is_data(&one.path));
        let Some(removal) = removal else { continue };
        removals += 1;

        let mut fixture = Fixture::new(seed);
        fixture.machine.plan(removal.number, Fault::Io);
        fixture.checkpoint().unwrap();
        let is_there = |fixture: &Fixture| {
            fixture.machine.files().iter().any(|(path, _)| **path == *removal.path)
        };
        assert!(is_there(&fixture));
        fixture.checkpoint().unwrap();
        assert!(!is_there(&fixture));
        assert_sound(&*fixture.files, &fixture.store);
    }
    assert!(removals >= 3);
}

#[test]
fn a_full_disk_is_told_and_space_is_given_back() {
    for seed in 0..10 {
        let full_size = {
            let mut fixture = Fixture::new(seed);
            let before = fixture.bytes();
            fixture.checkpoint().unwrap();
            fixture.bytes() + before
        };
        let mut fixture = Fixture::new(seed);
        let bytes = fixture.bytes();
        let mut refused = 0;
        for room in (0..).step_by(61) {
            fixture.machine.set_capacity(Some(bytes + room));
            // The same changes every time.
            fixture.rng = fastrand::Rng::with_seed(seed);
            match fixture.checkpoint() {
                Ok(()) => break,
                Err(StorageError::NoSpace { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
            fixture.assert_unchanged(BEFORE);
            assert_eq!(fixture.bytes(), bytes, "space is given back");
            assert_sound(&*fixture.files, &fixture.store);
            assert!(bytes + room < full_size * 2, "it would fit by now");
        }
        assert!(refused > 2);
        assert_sound(&*fixture.files, &fixture.store);
        fixture.machine.set_capacity(None);
        fixture.checkpoint().unwrap();
        fixture.reopen();
    }
}

#[test]
fn a_database_that_could_not_be_made_can_be_made_later() {
    let operations = {
        let machine = SimulatedFiles::new(1);
        create(&machine.process(), Path::new(DIR)).unwrap();
        machine.operation_count()
    };
    for fault in [Fault::Io, Fault::Full, Fault::ShortWrite] {
        for operation in 0..operations {
            let machine = SimulatedFiles::new(operation);
            let files = machine.process();
            machine.plan(operation, fault);
            let made = create(&files, Path::new(DIR));
            let failed = made.is_err();
            drop(made);
            let store = match Store::open(files.clone(), Path::new(DIR)).unwrap() {
                // All was done but to make it durable, or there was no failure.
                Some(store) => store,
                None => {
                    assert!(failed);
                    create(&files, Path::new(DIR)).unwrap()
                }
            };
            assert_eq!(generation(&store), 0);
            store.remove_leftovers().unwrap();
            assert_sound(&*files, &store);
        }
    }
}

#[test]
fn a_failure_while_opening_changes_nothing() {
    let mut fixture = Fixture::new(3);
    let (machine, files) = (fixture.machine.clone(), fixture.files.clone());
    fixture.store.release();
    let before = machine.files();
    let count = {
        let before = machine.operation_count();
        drop(open(&files, Path::new(DIR)).unwrap());
        machine.operation_count() - before
    };
    for operation in 0..count {
        machine.plan(machine.operation_count() + operation, Fault::Io);
        assert!(open(&files, Path::new(DIR)).is_err());
        assert_eq!(machine.files(), before);
        fixture.store = open(&files, Path::new(DIR)).unwrap();
        fixture.assert_unchanged(BEFORE);
        fixture.store.release();
    }
}
