//! Many threads, few syncs; one thread, no detour.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use selvedge_base::Timestamp;
use selvedge_base::sync::{LockRank, mutex};
use selvedge_env::{Fault, FileSystem, OperationKind, SimulatedFiles};
use selvedge_storage::{Log, LogOptions, LogPosition, LogStart, RecordKind, StorageError};

use crate::counted_files::{CountedFiles, Counts};
use crate::world::{SALT, dir, read_all, small};

const FINE: &str = "nothing goes wrong";

fn simulated() -> SimulatedFiles {
    let files = SimulatedFiles::new(1);
    files.create_dir(dir()).expect(FINE);
    files
}

fn counted(delay: Duration, options: LogOptions) -> (Arc<Log>, Arc<Counts>) {
    let files = CountedFiles::new(simulated(), delay);
    let counts = files.counts();
    let start = LogStart::default();
    let log = Log::create(Arc::new(files), dir(), SALT, start, 1, options).expect(FINE);
    (Arc::new(log), counts)
}

fn large() -> LogOptions {
    LogOptions { segment_bytes: 1 << 20, buffer_bytes_max: 1 << 20, ..small() }
}

fn append(log: &Log, bytes: usize) -> LogPosition {
    let reservation = log.reserve(bytes).expect(FINE);
    let payload = log.payload(vec![7; bytes]);
    log.append(reservation, RecordKind::Commit, Timestamp::new(1), payload)
}

/// What `action` asks of the files: writes, syncs, and everything else.
fn asked(counts: &Counts, action: impl FnOnce()) -> [u64; 3] {
    let before = counts.get();
    action();
    let after = counts.get();
    [0, 1, 2].map(|index| after[index] - before[index])
}

/// Waits until `is_so`, for a time in which it should be.
fn wait_until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never is");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn appending_does_no_input_or_output() {
    let (log, counts) = counted(Duration::ZERO, LogOptions { buffer_bytes_max: 0, ..small() });
    for bytes in [0, 100, 4096, 100_000] {
        let reservation = log.reserve(bytes).expect(FINE);
        let payload = log.payload(vec![7; bytes]);
        let asked = asked(&counts, || {
            log.append(reservation, RecordKind::Commit, Timestamp::new(1), payload);
        });
        assert_eq!(asked, [0, 0, 0], "{bytes}");
    }
}

#[test]
fn one_client_pays_one_write_and_one_sync() {
    let (log, counts) = counted(Duration::ZERO, large());
    for _ in 0..100 {
        let asked = asked(&counts, || log.sync_through(append(&log, 100)).unwrap());
        assert_eq!(asked, [1, 1, 0]);
    }
    let statistics = log.statistics();
    assert_eq!((statistics.groups, statistics.syncs, statistics.records), (100, 100, 100));
    assert_eq!((statistics.bytes, statistics.group_records_max), (100 * 152, 1));
    // What is durable already costs nothing.
    assert_eq!(asked(&counts, || log.sync().unwrap()), [0, 0, 0]);
}

#[test]
fn many_records_are_one_write() {
    let (log, counts) = counted(Duration::ZERO, large());
    let ends: Vec<_> = (0..50).map(|bytes| append(&log, bytes)).collect();
    let end = ends[49];
    assert_eq!(asked(&counts, || log.sync_through(end).unwrap()), [1, 1, 0]);
    assert_eq!(log.statistics().group_records_max, 50);
}

#[test]
fn a_group_costs_one_write_and_one_sync_for_each_segment() {
    let (log, counts) = counted(Duration::ZERO, LogOptions { segment_bytes: 8192, ..large() });
    let ends: Vec<_> = (0..20).map(|_| append(&log, 1000)).collect();
    let end = ends[19];
    assert_eq!(end.get() / 8192, 2);
    assert_eq!(asked(&counts, || log.sync_through(end).unwrap()), [3, 3, 0]);
}

#[test]
fn writing_out_does_not_sync_and_a_later_sync_covers_it() {
    let (log, counts) = counted(Duration::ZERO, LogOptions { segment_bytes: 8192, ..large() });
    append(&log, 6000);
    assert_eq!(asked(&counts, || log.write_out().unwrap()), [1, 0, 0]);
    assert_eq!(asked(&counts, || log.write_out().unwrap()), [0, 0, 0]);
    let end = append(&log, 6000);
    assert_eq!(asked(&counts, || log.write_out().unwrap()), [2, 0, 0]);
    assert_eq!(log.durable().get(), 0);
    assert_eq!(asked(&counts, || log.sync_through(end).unwrap()), [0, 2, 0]);
    assert_eq!(asked(&counts, || log.mark().unwrap()), [1, 0, 0]);
    assert_eq!(asked(&counts, || log.mark().unwrap()), [0, 0, 0]);
    assert_eq!(log.statistics().write_outs, 3);
}

/// While one syncs, eight come; they are the next group, whoever leads it.
#[test]
fn those_who_come_during_a_sync_share_the_next() {
    let (log, counts) = counted(Duration::ZERO, large());
    let before = counts.get();
    let gate = counts.gate.lock().unwrap();
    let client = |log: &Arc<Log>| {
        let log = Arc::clone(log);
        thread::spawn(move || log.sync_through(append(&log, 100)))
    };
    let first = client(&log);
    wait_until(|| counts.get()[1] == before[1] + 1);
    let others: Vec<_> = (0..8).map(|_| client(&log)).collect();
    wait_until(|| log.statistics().records == 9);
    assert!(!first.is_finished());
    assert_eq!(log.durable().get(), 0);
    drop(gate);
    first.join().unwrap().unwrap();
    for other in others {
        other.join().unwrap().unwrap();
    }
    let statistics = log.statistics();
    assert_eq!((statistics.groups, statistics.group_records_max), (2, 8));
    assert_eq!(counts.get(), [before[0] + 2, before[1] + 2, before[2]]);
}

#[test]
fn many_threads_share_syncs() {
    const THREADS: usize = 64;
    const COMMITS: usize = 20;
    let (log, counts) = counted(Duration::from_millis(3), large());
    let before = counts.get();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..COMMITS {
                    log.sync_through(append(&log, 100)).expect(FINE);
                }
            });
        }
    });
    let syncs = counts.get()[1] - before[1];
    let statistics = log.statistics();
    assert_eq!(statistics.records, (THREADS * COMMITS) as u64);
    assert_eq!(statistics.syncs, syncs);
    // About half of the threads come while the others are synced.
    assert!(statistics.records / syncs >= 12, "{syncs} syncs for {} records", statistics.records);
    assert!(statistics.group_records_max <= THREADS as u64);
}

#[test]
fn a_failed_sync_is_told_to_everybody_who_waits() {
    let files = simulated();
    let counted = CountedFiles::new(files.clone(), Duration::ZERO);
    let counts = counted.counts();
    let start = LogStart::default();
    let log = Log::create(Arc::new(counted), dir(), SALT, start, 1, large()).unwrap();
    let before = counts.get();
    let gate = counts.gate.lock().unwrap();
    files.plan_next(OperationKind::Sync, Fault::Io);
    let failed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| match log.sync_through(append(&log, 100)) {
                Err(StorageError::Poisoned { .. }) => failed.fetch_add(1, Ordering::SeqCst),
                synced => panic!("{synced:?}"),
            });
        }
        wait_until(|| counts.get()[1] == before[1] + 1 && log.statistics().records == 10);
        drop(gate);
    });
    assert_eq!(failed.into_inner(), 10);
    assert_eq!(counts.get()[1], before[1] + 1, "nobody has asked again");
}

#[test]
fn who_waits_is_told_when_somebody_poisons() {
    let (log, counts) = counted(Duration::ZERO, large());
    let before = counts.get();
    let gate = counts.gate.lock().unwrap();
    thread::scope(|scope| {
        let leader = scope.spawn(|| log.sync_through(append(&log, 100)));
        wait_until(|| counts.get()[1] == before[1] + 1);
        let waiting = scope.spawn(|| log.sync_through(append(&log, 100)));
        wait_until(|| log.statistics().records == 2);
        log.poison("enough");
        assert!(matches!(waiting.join().unwrap(), Err(StorageError::Poisoned { .. })));
        // Closing waits for who still writes.
        let closing = scope.spawn(|| log.close());
        thread::sleep(Duration::from_millis(20));
        assert!(!closing.is_finished());
        drop(gate);
        // Its sync has succeeded: that much is known.
        leader.join().unwrap().unwrap();
        assert!(closing.join().unwrap().is_err());
    });
    assert_eq!(log.durable().get(), 152);
    assert_eq!(counts.get()[1], before[1] + 1);
}

#[test]
fn a_panic_of_who_writes_leaves_nobody_waiting() {
    let (log, counts) = counted(Duration::ZERO, large());
    counts.panics.store(true, Ordering::SeqCst);
    let gate = counts.gate.lock().unwrap();
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..8).map(|_| scope.spawn(|| log.sync_through(append(&log, 100)))).collect();
        wait_until(|| log.statistics().records == 8);
        drop(gate);
        let ends: Vec<_> = clients.into_iter().map(thread::ScopedJoinHandle::join).collect();
        assert_eq!(ends.iter().filter(|end| end.is_err()).count(), 1);
        assert!(ends.iter().flatten().all(Result::is_err), "told, not left waiting");
    });
    assert!(log.is_poisoned());
    log.close().unwrap_err();
}

/// Nobody syncs, and the buffer is tiny: those who reserve write it out.
#[test]
fn a_full_buffer_is_written_by_those_who_need_room() {
    const THREADS: usize = 16;
    const COMMITS: usize = 200;
    let options = LogOptions { buffer_bytes_max: 1000, ..large() };
    let (log, counts) = counted(Duration::ZERO, options);
    let before = counts.get();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..COMMITS {
                    append(&log, 100);
                }
            });
        }
    });
    let statistics = log.statistics();
    let [writes, syncs, _] = counts.get();
    assert_eq!((statistics.records, statistics.groups), ((THREADS * COMMITS) as u64, 0));
    assert!(syncs - before[1] <= 1, "of one more segment, if any");
    // At most what fits, and one record of each thread that had room before.
    let most = 1000 / 152 + 1 + THREADS as u64;
    assert!((writes - before[0]) * most >= statistics.records - most, "{writes} writes");
    log.sync().unwrap();
    assert_eq!(log.durable(), log.end().position);
}

/// What threads do to a log all at once, then read back.
#[test]
fn threads_of_every_kind_at_once() {
    const THREADS: u64 = 12;
    const COMMITS: u64 = 150;
    let files = simulated();
    let options = LogOptions { segment_bytes: 4096, buffer_bytes_max: 3000, segments_kept: 2 };
    let process = files.process();
    let log = Log::create(process, dir(), SALT, LogStart::default(), 1, options).unwrap();
    // Stands for the commit lock: who holds it appends next.
    let order = mutex(LockRank::Commits, 0_u64);
    let running = AtomicUsize::new(THREADS as usize);
    let client = |thread: u64| {
        for commit in 0..COMMITS {
            let bytes = (thread * 37 + commit * 101) as usize % 3000 + 16;
            let reservation = log.reserve(bytes).expect(FINE);
            let mut early = Vec::with_capacity(bytes);
            early.extend(thread.to_le_bytes());
            early.resize(bytes - 8, 7);
            let mut payload = log.payload(early);
            let mut next = order.lock();
            payload.extend(&next.to_le_bytes());
            let timestamp = Timestamp::new(*next);
            let end = log.append(reservation, RecordKind::Commit, timestamp, payload);
            *next += 1;
            drop(next);
            match thread % 4 {
                0 | 1 => log.sync_through(end).expect(FINE),
                2 if commit % 8 == 0 => log.write_out().expect(FINE),
                _ => {}
            }
            assert!(thread % 4 > 1 || log.durable() >= end);
        }
        running.fetch_sub(1, Ordering::SeqCst);
    };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || client(thread));
        }
        scope.spawn(|| {
            while running.load(Ordering::SeqCst) > 0 {
                log.prepare_ahead().expect(FINE);
                log.recycle(LogPosition::new(0)).expect(FINE);
                log.mark().expect(FINE);
                thread::yield_now();
            }
        });
    });
    log.close().unwrap();
    files.crash();
    let (start, mode) = (LogStart::default(), selvedge_storage::ReadMode::Strict);
    let mut reader = Log::open(files.process(), dir(), SALT, start, options, mode).unwrap();
    let mut found = read_all(&mut reader).unwrap();
    found.retain(|entry| entry.kind == RecordKind::Commit);
    assert_eq!(found.len() as u64, THREADS * COMMITS);
    for (number, entry) in found.iter().enumerate() {
        assert_eq!(entry.timestamp, Timestamp::new(number as u64));
        assert!(entry.payload.ends_with(&(number as u64).to_le_bytes()));
    }
}
