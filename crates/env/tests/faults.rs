//! Faults of the simulated machine: each hits what it names, and does what it says.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use selvedge_env::{
    Fault, FaultRates, File, FileSystem, OpenMode, Operation, OperationKind, SimulatedFiles,
};

const SECTOR: usize = 512;
const SEEDS: u64 = 300;

fn path(path: &str) -> &Path {
    Path::new(path)
}

fn create(files: &dyn FileSystem, name: &str) -> Arc<dyn File> {
    files.open(path(name), OpenMode::Create).expect("no fault is planned")
}

/// A file whose name and bytes are durable.
fn create_durable(files: &dyn FileSystem, name: &str, bytes: &[u8]) -> Arc<dyn File> {
    let file = create(files, name);
    file.write_all_at(bytes, 0).expect("no fault is planned");
    file.sync_data().expect("no fault is planned");
    files.sync_dir(path("")).expect("no fault is planned");
    file
}

fn read(files: &dyn FileSystem, name: &str) -> Vec<u8> {
    let file = files.open(path(name), OpenMode::Read).expect("it is there");
    let mut bytes = vec![0; file.len().expect("no fault is planned") as usize];
    file.read_exact_at(&mut bytes, 0).expect("no fault is planned");
    bytes
}

/// Every operation there is, once and in this order; they all succeed.
const EVERY_KIND: [OperationKind; 14] = [
    OperationKind::CreateDir,
    OperationKind::Create,
    OperationKind::Write,
    OperationKind::Read,
    OperationKind::SetLen,
    OperationKind::Len,
    OperationKind::Sync,
    OperationKind::Map,
    OperationKind::Open,
    OperationKind::Rename,
    OperationKind::SyncDir,
    OperationKind::List,
    OperationKind::Lock,
    OperationKind::Remove,
];

/// A machine with the files that [`do_everything`] needs.
fn ready_for_everything() -> (SimulatedFiles, Arc<dyn File>) {
    let files = SimulatedFiles::new(1);
    // There in any case, whether or not the rename happens.
    create(&files, "moved");
    let file = create(&files, "open");
    (files, file)
}

/// Does every kind of operation, whatever fails; gives the results.
fn do_everything(files: &SimulatedFiles, file: &dyn File) -> Vec<io::Result<()>> {
    let created = |result: io::Result<Arc<dyn File>>| result.map(drop);
    vec![
        files.create_dir(path("dir")),
        created(files.open(path("new"), OpenMode::Create)),
        file.write_all_at(b"bytes", 0),
        file.read_at(&mut [0], 0).map(drop),
        file.set_len(9),
        file.len().map(drop),
        file.sync_data(),
        file.map().map(drop),
        created(files.open(path("open"), OpenMode::Read)),
        files.rename(path("open"), path("moved")),
        files.sync_dir(path("")),
        files.list(path("")).map(drop),
        files.lock(path("lock")).map(drop),
        files.remove(path("moved")),
    ]
}

#[test]
fn a_planned_fault_hits_the_operation_it_names_and_no_other() {
    for (at, kind) in EVERY_KIND.into_iter().enumerate() {
        for by_kind in [false, true] {
            let (files, file) = ready_for_everything();
            if by_kind {
                files.plan_next(kind, Fault::Full);
            } else {
                files.plan(files.operation_count() + at as u64, Fault::Full);
            }
            let results = do_everything(&files, &*file);
            for (other, result) in results.into_iter().enumerate() {
                let kind_of_error = result.err().map(|error| error.kind());
                let expected = (other == at).then_some(ErrorKind::StorageFull);
                assert_eq!(kind_of_error, expected, "{kind:?} and {:?}", EVERY_KIND[other]);
            }
            let hit = files.operations().into_iter().filter(|operation| operation.fault.is_some());
            assert_eq!(hit.map(|operation| operation.kind).collect::<Vec<_>>(), [kind]);
        }
    }
}

#[test]
fn the_log_tells_what_was_asked() {
    let files = SimulatedFiles::new(1);
    let file = create(&files, "a");
    file.write_all_at(b"12345", 7).unwrap();
    files.plan(2, Fault::Io);
    files.rename(path("a"), path("b")).unwrap_err();
    let lines: Vec<_> = files.operations().iter().map(Operation::to_string).collect();
    assert_eq!(lines, ["0 Create a", "1 Write a at 7, 5 bytes", "2 Rename a to b: Io"]);
    assert_eq!(files.operation_count(), 3);
    assert_eq!(files.files(), [(path("a").to_owned(), 12)]);
}

#[test]
#[should_panic(expected = "operation 0 is over")]
fn a_fault_cannot_be_planned_for_the_past() {
    let files = SimulatedFiles::new(1);
    create(&files, "a");
    files.plan(0, Fault::Io);
}

#[test]
fn an_error_does_nothing() {
    let files = SimulatedFiles::new(1);
    let file = create_durable(&files, "a", b"old");
    for fault in [Fault::Io, Fault::Full] {
        let expected = fault_kind(fault);
        files.plan_next(OperationKind::Write, fault);
        assert_eq!(file.write_all_at(b"new", 0).unwrap_err().kind(), expected);
        files.plan_next(OperationKind::SetLen, fault);
        assert_eq!(file.set_len(0).unwrap_err().kind(), expected);
        files.plan_next(OperationKind::Create, fault);
        assert_eq!(files.open(path("b"), OpenMode::Create).unwrap_err().kind(), expected);
        files.plan_next(OperationKind::Rename, fault);
        assert_eq!(files.rename(path("a"), path("b")).unwrap_err().kind(), expected);
        files.plan_next(OperationKind::Remove, fault);
        assert_eq!(files.remove(path("a")).unwrap_err().kind(), expected);
        files.plan_next(OperationKind::CreateDir, fault);
        assert_eq!(files.create_dir(path("c/d")).unwrap_err().kind(), expected);
        assert_eq!(files.list(path("")).unwrap(), ["a"]);
        assert_eq!(read(&files, "a"), b"old");
    }
}

fn fault_kind(fault: Fault) -> ErrorKind {
    if fault == Fault::Full { ErrorKind::StorageFull } else { ErrorKind::Other }
}

#[test]
fn a_short_write_writes_some_first_bytes() {
    let mut lens = BTreeSet::new();
    for seed in 0..SEEDS {
        let files = SimulatedFiles::new(seed);
        let file = create(&files, "a");
        files.plan_next(OperationKind::Write, Fault::ShortWrite);
        assert_eq!(file.write_all_at(b"01234567", 0).unwrap_err().kind(), ErrorKind::Other);
        let bytes = read(&files, "a");
        assert!(b"01234567".starts_with(&bytes));
        lens.insert(bytes.len());
        file.write_all_at(b"01234567", 0).unwrap();
        assert_eq!(read(&files, "a"), b"01234567");
    }
    assert_eq!(lens, (0..8).collect(), "never all of it");
}

/// A write whose sync fails.
fn with_failed_sync(seed: u64) -> (SimulatedFiles, Arc<dyn File>) {
    let files = SimulatedFiles::new(seed);
    let file = create_durable(&files, "a", &[1; 4 * SECTOR]);
    file.write_all_at(&[2; 4 * SECTOR], 0).expect("no fault is planned");
    files.plan_next(OperationKind::Sync, Fault::Io);
    file.sync_data().expect_err("a fault is planned");
    (files, file)
}

fn first_bytes(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(SECTOR).map(|sector| sector[0]).collect()
}

#[test]
fn after_a_failed_sync_the_next_one_proves_nothing() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let (files, file) = with_failed_sync(seed);
        assert_eq!(read(&files, "a"), [2; 4 * SECTOR], "still in sight");
        file.sync_data().unwrap();
        assert_eq!(read(&files, "a"), [2; 4 * SECTOR]);
        // A process that starts anew sees it, too, and can do no more by syncing.
        files.kill();
        assert_eq!(read(&files, "a"), [2; 4 * SECTOR]);
        files.open(path("a"), OpenMode::Write).unwrap().sync_data().unwrap();
        files.crash();
        seen.insert(first_bytes(&read(&files, "a")));
    }
    assert!(seen.contains([1, 1, 1, 1].as_slice()), "all lost");
    assert!(seen.contains([2, 2, 2, 2].as_slice()), "all there");
    assert!(seen.len() > 8, "and most of what lies between");
}

#[test]
fn what_is_written_again_after_a_failed_sync_is_durable() {
    for seed in 0..SEEDS {
        let (files, file) = with_failed_sync(seed);
        // A part of the sector is enough: sectors are written whole.
        file.write_all_at(&[2], 2 * SECTOR as u64 + 7).unwrap();
        file.sync_data().unwrap();
        files.crash();
        assert_eq!(read(&files, "a")[2 * SECTOR..3 * SECTOR], [2; SECTOR], "seed {seed}");
    }
}

#[test]
fn what_a_failed_sync_lost_may_go_from_sight() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let (files, file) = with_failed_sync(seed);
        file.write_all_at(&[3; SECTOR], 0).unwrap();
        files.drop_caches();
        let bytes = first_bytes(&read(&files, "a"));
        assert_eq!(bytes[0], 3, "what has yet to be written is kept");
        seen.insert(bytes.clone());
        file.sync_data().unwrap();
        files.crash();
        assert_eq!(first_bytes(&read(&files, "a")), bytes, "what is seen now is on the disk");
    }
    assert!(seen.contains([3, 1, 1, 1].as_slice()));
}

#[test]
fn a_length_outlives_a_failed_sync_though_the_bytes_do_not() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let files = SimulatedFiles::new(seed);
        let file = create_durable(&files, "a", &[1; SECTOR]);
        file.write_all_at(&[2; SECTOR], SECTOR as u64).unwrap();
        files.plan_next(OperationKind::Sync, Fault::Io);
        file.sync_data().unwrap_err();
        file.sync_data().unwrap();
        files.crash();
        seen.insert(first_bytes(&read(&files, "a")));
    }
    assert_eq!(seen, [vec![1, 0], vec![1, 2]].into());
}

#[test]
fn what_a_file_gains_after_a_failed_sync_is_zero() {
    for seed in 0..SEEDS {
        let files = SimulatedFiles::new(seed);
        let file = create_durable(&files, "a", &[1; 2 * SECTOR]);
        file.set_len(10).unwrap();
        files.plan_next(OperationKind::Sync, Fault::Io);
        file.sync_data().unwrap_err();
        // Neither the cut nor its zeros need have reached the disk, but these do.
        file.set_len(2 * SECTOR as u64).unwrap();
        file.sync_data().unwrap();
        files.crash();
        assert!(read(&files, "a")[10..].iter().all(|byte| *byte == 0), "seed {seed}");
    }
}

#[test]
fn names_can_be_synced_again_after_a_failure() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let files = SimulatedFiles::new(seed);
        create(&files, "a");
        create(&files, "b");
        files.plan_next(OperationKind::SyncDir, Fault::Io);
        assert_eq!(files.sync_dir(path("")).unwrap_err().kind(), ErrorKind::Other);
        assert_eq!(files.list(path("")).unwrap(), ["a", "b"]);
        if seed % 2 == 0 {
            files.sync_dir(path("")).unwrap();
            files.crash();
            assert_eq!(files.list(path("")).unwrap(), ["a", "b"]);
        } else {
            files.crash();
            seen.insert(files.list(path("")).unwrap().concat());
        }
    }
    assert_eq!(seen, ["", "a", "ab"].map(str::to_owned).into());
}

/// A sync in whose midst the process is killed has not failed: the system goes on
/// owing the bytes to the disk.
#[test]
fn a_sync_cut_by_a_kill_can_be_repeated() {
    for seed in 0..SEEDS {
        let files = SimulatedFiles::new(seed);
        let file = create_durable(&files, "a", &[1; 4 * SECTOR]);
        file.write_all_at(&[2; 4 * SECTOR], 0).unwrap();
        files.plan_next(OperationKind::Sync, Fault::Kill);
        file.sync_data().unwrap_err();
        files.recover();
        files.open(path("a"), OpenMode::Write).unwrap().sync_data().unwrap();
        files.crash();
        assert_eq!(read(&files, "a"), [2; 4 * SECTOR], "seed {seed}");
    }
}

#[test]
fn the_disk_is_full_at_its_capacity() {
    let files = SimulatedFiles::new(1);
    files.set_capacity(Some(1000));
    let (a, b) = (create(&files, "a"), create(&files, "b"));
    a.write_all_at(&[1; 600], 0).unwrap();
    assert_eq!(b.write_all_at(&[2; 600], 0).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(b.len().unwrap(), 400, "what there was room for");
    assert_eq!(a.set_len(601).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(a.write_all_at(&[3], 700).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(a.len().unwrap(), 600, "no room to begin there");
    a.write_all_at(&[3; 600], 0).unwrap();
    b.set_len(100).unwrap();
    a.set_len(900).unwrap();

    files.remove(path("a")).unwrap();
    assert!(b.set_len(101).is_err(), "open files take room");
    let mapping = a.map().unwrap();
    drop(a);
    assert!(b.set_len(101).is_err(), "mapped files take room");
    drop(mapping);
    b.set_len(1000).unwrap();
    let c = create(&files, "c");
    assert!(c.write_all_at(&[1], 0).is_err());
    files.rename(path("c"), path("b")).unwrap();
    drop(b);
    c.write_all_at(&[1; 1000], 0).unwrap();
    files.set_capacity(Some(10));
    c.write_all_at(&[2; 1000], 0).unwrap();
    assert!(c.set_len(1001).is_err(), "what is there stays, but it does not grow");
    files.set_capacity(None);
    c.set_len(2000).unwrap();
}

#[test]
fn what_a_process_had_open_gives_back_its_room_when_it_ends() {
    for end in [SimulatedFiles::kill, SimulatedFiles::crash] {
        let files = SimulatedFiles::new(1);
        let file = create_durable(&files, "a", &[1; 1000]);
        let mapping = file.map().unwrap();
        files.remove(path("a")).unwrap();
        files.sync_dir(path("")).unwrap();
        files.set_capacity(Some(1000));
        assert!(create(&files, "b").set_len(1).is_err());
        end(&files);
        create(&files, "c").set_len(1000).unwrap();
        assert_eq!(mapping.bytes(), [1; 1000]);
    }
}

#[test]
fn files_have_an_end() {
    let file = create(&SimulatedFiles::new(1), "a");
    assert_eq!(file.set_len(1 << 40).unwrap_err().kind(), ErrorKind::FileTooLarge);
    assert_eq!(file.write_all_at(&[1], 1 << 40).unwrap_err().kind(), ErrorKind::FileTooLarge);
}

#[test]
fn bits_flip_on_the_disk() {
    let files = SimulatedFiles::new(1);
    let file = create_durable(&files, "a", &[0; 2 * SECTOR]);
    let mapping = file.map().unwrap();
    file.write_all_at(&[0xff], 0).unwrap();
    files.flip_bit(path("a"), 1, 0).unwrap();
    files.flip_bit(path("a"), SECTOR as u64, 7).unwrap();
    let bytes = read(&files, "a");
    assert_eq!(bytes[..2], [0xff, 0], "the sector has yet to be written");
    assert_eq!(bytes[SECTOR], 0x80);
    assert_eq!(mapping.bytes(), [0; 2 * SECTOR], "mappings stay as they are");
    file.sync_data().unwrap();
    files.crash();
    assert_eq!(read(&files, "a"), bytes, "the flip was written over");
    let end = files.flip_bit(path("a"), 2 * SECTOR as u64, 0).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(files.flip_bit(path("b"), 0, 0).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn any_bit_may_flip() {
    assert_eq!(SimulatedFiles::new(1).flip_any_bit(), None);
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let files = SimulatedFiles::new(seed);
        create_durable(&files, "a", &[0]);
        create_durable(&files, "b", &[0, 0]);
        let (path, offset, bit) = files.flip_any_bit().unwrap();
        let name = path.to_str().unwrap();
        assert_eq!(read(&files, name)[offset as usize], 1 << bit);
        let other = if name == "a" { "b" } else { "a" };
        assert!(read(&files, other).iter().all(|byte| *byte == 0));
        seen.insert((path, offset, bit));
    }
    assert_eq!(seen.len(), 3 * 8);
}

#[test]
fn rates_hit_their_operations() {
    let rates = FaultRates { sync: 1.0, ..FaultRates::default() };
    check_rate(rates, &[OperationKind::Sync, OperationKind::SyncDir]);
    let rates = FaultRates { rename: 1.0, ..FaultRates::default() };
    check_rate(rates, &[OperationKind::Rename, OperationKind::Remove]);
    let rates = FaultRates { short_write: 1.0, ..FaultRates::default() };
    check_rate(rates, &[OperationKind::Write]);
    let rates = FaultRates { write: 1.0, ..FaultRates::default() };
    check_rate(rates, &[OperationKind::Write, OperationKind::SetLen]);
    let (kinds, rates) = (
        [OperationKind::Read, OperationKind::Len, OperationKind::Map, OperationKind::List],
        FaultRates { read: 1.0, ..FaultRates::default() },
    );
    check_rate(rates, &kinds);
    let rates = FaultRates { flip: 1.0, ..FaultRates::default() };
    check_rate(rates, &[]);
}

fn check_rate(rates: FaultRates, hit: &[OperationKind]) {
    let (files, file) = ready_for_everything();
    files.set_rates(rates);
    for (kind, result) in EVERY_KIND.into_iter().zip(do_everything(&files, &*file)) {
        assert_eq!(result.is_err(), hit.contains(&kind), "{kind:?} with {rates:?}");
    }
    files.clear_faults();
    files.sync_dir(path("")).expect("nothing goes wrong any more");
}

/// Replaces a manifest as a database does; `made` counts what was reported durable.
fn replace_manifest(files: &dyn FileSystem, generation: u8, made: &mut u8) -> io::Result<()> {
    let _lock = files.lock(path("db/lock"))?;
    let new = path("db/MANIFEST.new");
    if files.list(path("db"))?.iter().any(|name| name == "MANIFEST.new") {
        files.remove(new)?;
    }
    let file = files.open(new, OpenMode::Create)?;
    file.write_all_at(&[generation; 3 * SECTOR], 0)?;
    file.sync_data()?;
    files.rename(new, path("db/MANIFEST"))?;
    files.sync_dir(path("db"))?;
    *made = generation;
    Ok(())
}

/// Cuts the protocol at every operation, by every fault: what was reported durable
/// is there, and never a mixture.
#[test]
fn a_manifest_is_replaced_whole_wherever_it_is_cut() {
    for fault in [Fault::Crash, Fault::Kill, Fault::Io, Fault::Full, Fault::ShortWrite] {
        let mut outcomes = BTreeSet::new();
        for cut in 0.. {
            let mut ended = false;
            for seed in 0..30 {
                let files = SimulatedFiles::new(seed);
                files.create_dir(path("db")).unwrap();
                let mut made = 0;
                replace_manifest(&*files.process(), 1, &mut made).unwrap();
                files.plan(files.operation_count() + cut, fault);
                let result = replace_manifest(&*files.process(), 2, &mut made);
                ended |= result.is_ok();
                let ends = matches!(fault, Fault::Crash | Fault::Kill);
                assert_eq!(files.down(), (ends && result.is_err()).then_some(fault));
                if files.down().is_some() {
                    let error = files.list(path("db")).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Other, "down until it is recovered");
                }
                files.recover();
                assert_eq!(files.down(), None);
                files.clear_faults();
                files.crash();
                let bytes = read(&files, "db/MANIFEST");
                assert_eq!(bytes, vec![bytes[0]; 3 * SECTOR], "whole");
                assert!(bytes[0] >= made, "{fault:?} at {cut}, seed {seed}");
                outcomes.insert((result.is_ok(), bytes[0]));
                replace_manifest(&*files.process(), 3, &mut made).unwrap();
                files.crash();
                assert_eq!(read(&files, "db/MANIFEST")[0], 3);
            }
            if ended {
                break;
            }
        }
        assert!(outcomes.contains(&(false, 1)) && outcomes.contains(&(false, 2)), "{fault:?}");
    }
}

/// Without the sync of the file, the cuts find what goes wrong: the simulation is
/// not too kind.
#[test]
fn a_missing_sync_is_found() {
    let is_found = |seed| {
        let files = SimulatedFiles::new(seed);
        create_durable(&files, "MANIFEST", &[1; 3 * SECTOR]);
        create(&files, "MANIFEST.new").write_all_at(&[2; 3 * SECTOR], 0).unwrap();
        files.rename(path("MANIFEST.new"), path("MANIFEST")).unwrap();
        files.sync_dir(path("")).unwrap();
        files.crash();
        read(&files, "MANIFEST") != [2; 3 * SECTOR]
    };
    let found = (0..SEEDS).filter(|seed| is_found(*seed)).count();
    assert!(found > SEEDS as usize / 4, "{found} of {SEEDS}");
}

#[test]
fn a_crash_while_directories_are_made_leaves_some_of_the_upper_ones() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let files = SimulatedFiles::new(seed);
        files.plan_next(OperationKind::CreateDir, Fault::Crash);
        files.create_dir(path("a/b/c")).unwrap_err();
        files.recover();
        let made = ["a", "a/b", "a/b/c"].map(|dir| files.list(path(dir)).is_ok());
        assert!(made.is_sorted_by(|upper, lower| upper >= lower));
        seen.insert(made);
        files.create_dir(path("a/b/c")).unwrap();
    }
    assert_eq!(seen.len(), 4);
}

/// A crash decides while the machine goes down, not when it comes up again.
#[test]
fn a_machine_that_is_down_has_crashed_once() {
    for seed in 0..SEEDS {
        let files = SimulatedFiles::new(seed);
        let file = create_durable(&files, "a", &[1; SECTOR]);
        files.plan_next(OperationKind::Sync, Fault::Crash);
        file.write_all_at(&[2; SECTOR], 0).unwrap();
        file.sync_data().unwrap_err();
        let twin = seed % 2 == 0;
        if twin {
            files.crash()
        } else {
            files.recover()
        }
        let first = read(&files, "a");
        files.crash();
        assert_eq!(read(&files, "a"), first, "seed {seed}");
    }
}

/// A process that was killed by a fault may be followed by a crash of the machine.
#[test]
fn a_crash_after_a_kill_loses_what_was_not_synced() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let files = SimulatedFiles::new(seed);
        let file = create_durable(&files, "a", &[1]);
        file.write_all_at(&[2], 0).unwrap();
        files.plan_next(OperationKind::Len, Fault::Kill);
        file.len().unwrap_err();
        files.crash();
        seen.insert(read(&files, "a"));
    }
    assert_eq!(seen, [vec![1], vec![2]].into());
}

/// Everything that can be seen of a run.
#[derive(PartialEq, Debug)]
struct Run {
    operations: Vec<Operation>,
    errors: Vec<Option<ErrorKind>>,
    contents: Vec<(String, Vec<u8>)>,
}

/// Random operations with random faults.
fn random_run(seed: u64) -> Run {
    let files = SimulatedFiles::new(seed);
    let rates = FaultRates {
        read: 0.01,
        write: 0.01,
        short_write: 0.02,
        open: 0.01,
        rename: 0.01,
        sync: 0.05,
        full: 0.01,
        crash: 0.02,
        kill: 0.02,
        flip: 0.01,
    };
    files.set_rates(rates);
    let mut rng = fastrand::Rng::with_seed(7);
    let mut errors = Vec::new();
    let mut open: Option<Arc<dyn File>> = None;
    for _ in 0..400 {
        let name = ["a", "b", "c"][rng.usize(..3)];
        let (offset, len) = (rng.u64(..3000), rng.usize(..2000));
        let action = rng.u8(..8);
        let result = match (&open, action) {
            (None, _) | (_, 0) => {
                let mode = if rng.bool() { OpenMode::Create } else { OpenMode::Write };
                files.open(path(name), mode).map(|file| open = Some(file))
            }
            (Some(file), 1..=3) => file.write_all_at(&vec![rng.u8(..); len], offset),
            (Some(file), 4) => file.set_len(offset),
            (Some(file), 5) => file.sync_data(),
            (Some(_), 6) => files.sync_dir(path("")),
            (Some(_), _) => files.rename(path(name), path("a")),
        };
        errors.push(result.err().map(|error| error.kind()));
        if files.down().is_some() {
            files.recover();
            open = None;
        }
    }
    files.clear_faults();
    files.crash();
    let names = files.list(path("")).expect("nothing goes wrong any more").into_iter();
    let contents = names.map(|name| (name.clone(), read(&files, &name))).collect();
    Run { operations: files.operations(), errors, contents }
}

#[test]
fn a_seed_repeats() {
    let mut endings = BTreeSet::new();
    for seed in 0..40 {
        let first = random_run(seed);
        assert_eq!(first, random_run(seed), "seed {seed}");
        endings.insert(first.contents);
    }
    assert!(endings.len() > 10, "different seeds differ");
}
