//! What is watched: files and versions all the time, memory at the end of each round;
//! and the verdict.
#![expect(unsafe_code, reason = "asks the allocator to give back what is free")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use selvedge::Db;

use super::ground::RECORDS_MAX;
use super::{Report, Told};

/// Of the time, for what is loaded, cached and given back for the first time.
const WARM_UP: f64 = 0.2;
/// How much more there may be in the end.
const MEMORY_GROWTH_MAX: f64 = 0.05;
const FILES_GROWTH_MAX: f64 = 0.25;
/// Bytes of all files of the database: some times what the data takes, and the log
/// between two checkpoints with its spare segments.
const FILES_MAX: u64 = 96 << 20;
/// Resident memory at any time, free memory that the allocator keeps included.
const MEMORY_MAX: u64 = 1 << 30;
/// Growth takes some time to be told from chance.
const JUDGED_FROM: Duration = Duration::from_secs(120);
const MEBIBYTE: f64 = (1 << 20) as f64;

/// What was found at some time.
type Samples = Vec<(Duration, u64)>;

/// Has all threads allocate from one heap. With one for each, what is resident tells how
/// the threads of many rounds met in them, and not what is in use.
pub(super) fn allocate_from_one_heap() {
    // SAFETY: it only sets a parameter of the allocator. If that keeps it as it is, the
    // verdict is stricter.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// All looks.
#[derive(Debug)]
pub(super) struct Watch {
    began: Instant,
    /// Between rounds.
    memory: Samples,
    files: Samples,
    versions_max: u64,
    memory_max: u64,
}

impl Watch {
    pub(super) fn new() -> Self {
        let (memory, files) = (Vec::new(), Vec::new());
        Self { began: Instant::now(), memory, files, versions_max: 0, memory_max: 0 }
    }

    /// Looks; what is beyond all bounds is told at once.
    pub(super) fn look(&mut self, db: &Db, dir: &Path) -> Told {
        let statistics = db.statistics();
        let (versions, open) = (statistics.versions_retained, statistics.snapshots_open);
        // Those of a snapshot that has ended go a little later.
        if versions > RECORDS_MAX * (open + 4) {
            return Err(format!("{versions} versions are retained for {open} snapshots"));
        }
        let (memory, files) = (anonymous_memory()?, bytes_in(dir));
        if files > FILES_MAX || memory > MEMORY_MAX {
            return Err(format!("{files} bytes of files, {memory} of memory"));
        }
        self.versions_max = self.versions_max.max(versions);
        self.memory_max = self.memory_max.max(memory);
        self.files.push((self.began.elapsed(), files));
        Ok(())
    }

    /// Looks at what is in memory when nobody reads or writes. What the allocator keeps
    /// of a moment when much was held back is not counted: it gives that back first.
    pub(super) fn look_at_memory(&mut self) -> Told {
        // SAFETY: it only gives free memory back to the system.
        unsafe { libc::malloc_trim(0) };
        self.memory.push((self.began.elapsed(), anonymous_memory()?));
        Ok(())
    }

    /// Whether memory and files stay within bounds.
    pub(super) fn judge(&self, time: Duration) -> Told<Report> {
        let files_max = self.files.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
        let mut told = vec![format!(
            "at most {} versions retained, {:.1} MiB of files, {:.1} MiB of memory",
            self.versions_max,
            files_max as f64 / MEBIBYTE,
            self.memory_max as f64 / MEBIBYTE
        )];
        if time < JUDGED_FROM {
            told.push(format!("growth is not judged below {} s", JUDGED_FROM.as_secs()));
            return Ok(Report(told));
        }
        for (what, samples, growth_max) in [
            ("memory between rounds", &self.memory, MEMORY_GROWTH_MAX),
            ("files", &self.files, FILES_GROWTH_MAX),
        ] {
            let (first, last) = first_and_last(samples, time)?;
            let growth = last / first - 1.0;
            let line = format!(
                "{what}: median of the first fifth {:.1} MiB, of the last {:.1} MiB, {:+.1} %",
                first / MEBIBYTE,
                last / MEBIBYTE,
                100.0 * growth
            );
            if growth > growth_max {
                return Err(format!("{line}: more than {:.0} %", 100.0 * growth_max));
            }
            told.push(line);
        }
        Ok(Report(told))
    }
}

/// The medians of the first and the last fifth of the time behind the warm-up.
fn first_and_last(samples: &Samples, time: Duration) -> Told<(f64, f64)> {
    let fifth = time.mul_f64((1.0 - WARM_UP) / 5.0);
    let starts = [time.mul_f64(WARM_UP), time - fifth];
    let [first, last] = starts.map(|start| {
        let within = |(at, _): &&(Duration, u64)| *at >= start && *at < start + fifth;
        let mut values: Vec<_> = samples.iter().filter(within).map(|(_, value)| *value).collect();
        values.sort_unstable();
        values.get(values.len() / 2).map(|median| *median as f64)
    });
    first.zip(last).ok_or_else(|| "a fifth of the time went by without a look".to_owned())
}

/// Resident memory of this process that is not that of a file.
fn anonymous_memory() -> Told<u64> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.map(|kibibytes| kibibytes << 10).ok_or_else(|| "no RssAnon is told".to_owned())
}

/// Bytes that the files of a directory take. One may go while it is looked at.
fn bytes_in(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(memory: impl Fn(u64) -> u64) -> Watch {
        let memory = (0..1000).map(|second| (Duration::from_secs(second), memory(second)));
        let files = (0..1000).map(|second| (Duration::from_secs(second), 1 << 20));
        Watch { memory: memory.collect(), files: files.collect(), ..Watch::new() }
    }

    #[test]
    fn growth_is_told_and_a_warm_up_is_none() {
        let time = Duration::from_secs(1000);
        // Much at the beginning, then up and down.
        let flat = watch(|second| (100 << 20) - (50 << 20) / (second + 1) + ((second % 7) << 19));
        assert!(flat.judge(time).is_ok());
        // A leak of a tenth over the whole time.
        let leak = watch(|second| (100 << 20) + second * (10 << 20) / 1000);
        let told = leak.judge(time).unwrap_err();
        assert!(told.contains("memory") && told.contains("more than 5 %"), "{told}");
        assert!(leak.judge(Duration::from_secs(60)).is_ok(), "too short to tell");
        // Nobody looked at the end.
        assert!(flat.judge(Duration::from_secs(2000)).is_err());
    }
}
