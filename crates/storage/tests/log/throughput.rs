//! How fast the log is beside the disk it lies on. Figures, not checks:
//!
//! ```text
//! cargo test --release -p selvedge-storage --test log -- --ignored --nocapture throughput
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use selvedge_base::Timestamp;
use selvedge_env::{File, FileSystem, OpenMode, RealFiles};
use selvedge_storage::{Log, LogOptions, LogPosition, LogStart, RecordKind};

use crate::counted_files::CountedFiles;

const FINE: &str = "the disk works";
const RECORD_BYTES: usize = 200;
const TIME: Duration = Duration::from_secs(1);

/// A directory that goes with the test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("selvedge-{name}-{}", std::process::id()));
        RealFiles.create_dir(&path).expect(FINE);
        Self(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The latencies of what was done, sorted, and the time it all took.
struct Figures {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Figures {
    fn new(mut latencies: Vec<Duration>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        Self { latencies, elapsed }
    }

    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    fn print(&self, what: &str, more: &str) {
        let at = |part: f64| self.latencies[((self.latencies.len() - 1) as f64 * part) as usize];
        println!(
            "{what:<28} {:>8.0}/s  median {:>9.1?}  p99 {:>9.1?}  {more}",
            self.rate(),
            at(0.5),
            at(0.99)
        );
    }
}

/// Where the log lies, and how long a sync takes there beyond what it takes.
fn files(delay: Duration) -> Arc<dyn FileSystem> {
    Arc::new(CountedFiles::new(RealFiles, delay))
}

/// Writing and syncing without any log.
struct Raw {
    file: Arc<dyn File>,
    count: u64,
}

impl Raw {
    const BYTES: usize = 8 << 20;

    fn new(dir: &Dir, delay: Duration) -> Self {
        let file = files(delay).open(&dir.0.join("raw"), OpenMode::Create).expect(FINE);
        file.write_all_at(&vec![0; Self::BYTES], 0).expect(FINE);
        file.sync_data().expect(FINE);
        Self { file, count: 0 }
    }

    fn commit(&mut self) {
        let bytes = [7; RECORD_BYTES + 48];
        let offset = self.count * bytes.len() as u64 % (Self::BYTES - bytes.len()) as u64;
        self.file.write_all_at(&bytes, offset).expect(FINE);
        self.file.sync_data().expect(FINE);
        self.count += 1;
    }
}

fn create(dir: &Dir, delay: Duration) -> Log {
    let options = LogOptions::default();
    Log::create(files(delay), &dir.0, 7, LogStart::default(), 1, options).expect(FINE)
}

fn commit(log: &Log, sync: bool) {
    let payload = log.payload(vec![7; RECORD_BYTES]);
    let reservation = log.reserve(payload.len()).expect(FINE);
    let end = log.append(reservation, RecordKind::Commit, Timestamp::new(1), payload);
    if sync {
        log.sync_through(end).expect(FINE);
    }
}

fn repeat(time: Duration, mut action: impl FnMut()) -> Vec<Duration> {
    let (begun, mut latencies) = (Instant::now(), Vec::new());
    while begun.elapsed() < time {
        let at = Instant::now();
        action();
        latencies.push(at.elapsed());
    }
    latencies
}

/// One thread, beside raw writes: in turns, since disks have their moods.
fn one_thread(delay: Duration) -> f64 {
    let dir = Dir::new("one");
    let (log, mut raw) = (create(&dir, delay), Raw::new(&dir, delay));
    let (mut by_log, mut by_raw) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        by_raw.extend(repeat(TIME / 100, || raw.commit()));
        by_log.extend(repeat(TIME / 100, || commit(&log, true)));
        log.prepare_ahead().expect(FINE);
    }
    let (by_raw, by_log) = (Figures::new(by_raw, TIME), Figures::new(by_log, TIME));
    by_raw.print("write and sync", "");
    by_log.print("log, 1 thread", &format!("{:.2} times", by_log.rate() / by_raw.rate()));
    by_raw.rate()
}

fn threads(threads: usize, delay: Duration, sync: bool) -> (Figures, String) {
    let dir = Dir::new("many");
    let log = create(&dir, delay);
    // Stands for the engine's worker.
    let work = || {
        while !log.is_poisoned() {
            log.prepare_ahead().unwrap_or_default();
            let below = log.durable().get().saturating_sub(32 << 20);
            log.recycle(LogPosition::new(below)).unwrap_or_default();
            thread::sleep(Duration::from_millis(5));
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        let begun = Instant::now();
        let client = || repeat(TIME, || commit(&log, sync));
        let clients: Vec<_> = (0..threads).map(|_| scope.spawn(client)).collect();
        let latencies = clients.into_iter().flat_map(|client| client.join().expect(FINE)).collect();
        let figures = Figures::new(latencies, begun.elapsed());
        let statistics = log.statistics();
        let mean = statistics.records as f64 / statistics.groups.max(1) as f64;
        log.close().expect(FINE);
        let most = statistics.group_records_max;
        (figures, format!("{} syncs, {mean:.1} records a group, at most {most}", statistics.syncs))
    })
}

#[test]
#[ignore = "prints figures of the machine; checks nothing"]
fn throughput() {
    for delay in [0, 1, 5].map(Duration::from_millis) {
        println!("a sync takes {delay:?} more than on this disk");
        let raw = one_thread(delay);
        for count in [2, 8, 64, 256] {
            let (figures, more) = threads(count, delay, true);
            let times = figures.rate() / raw;
            figures.print(&format!("log, {count} threads"), &format!("{times:.1} times; {more}"));
        }
    }
    for count in [1, 64] {
        let (figures, more) = threads(count, Duration::ZERO, false);
        figures.print(&format!("log, {count} threads, no sync"), &more);
    }
}
