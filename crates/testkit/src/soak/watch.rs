//! What is watched all the time: memory, files, versions; and the verdict.

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
/// Growth takes some time to be told from chance.
const JUDGED_FROM: Duration = Duration::from_secs(120);
const MEBIBYTE: f64 = (1 << 20) as f64;

/// One look.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    memory: u64,
    files: u64,
}

/// All looks.
#[derive(Debug)]
pub(super) struct Watch {
    began: Instant,
    samples: Vec<Sample>,
    versions_max: u64,
    files_max: u64,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), samples: Vec::new(), versions_max: 0, files_max: 0 }
    }

    /// Looks; what is beyond all bounds is told at once.
    pub(super) fn look(&mut self, db: &Db, dir: &Path) -> Told {
        let statistics = db.statistics();
        let (versions, open) = (statistics.versions_retained, statistics.snapshots_open);
        // Those of a snapshot that has ended go a little later.
        if versions > RECORDS_MAX * (open + 4) {
            return Err(format!("{versions} versions are retained for {open} snapshots"));
        }
        let sample =
            Sample { at: self.began.elapsed(), memory: anonymous_memory()?, files: bytes_in(dir) };
        if sample.files > FILES_MAX {
            return Err(format!("the files have {} bytes", sample.files));
        }
        self.versions_max = self.versions_max.max(versions);
        self.files_max = self.files_max.max(sample.files);
        self.samples.push(sample);
        Ok(())
    }

    /// Whether memory and files stay within bounds.
    pub(super) fn judge(&self, time: Duration) -> Told<Report> {
        let mut told = vec![format!(
            "at most {} versions retained, {:.1} MiB of files",
            self.versions_max,
            self.files_max as f64 / MEBIBYTE
        )];
        if time < JUDGED_FROM {
            told.push(format!("growth is not judged below {} s", JUDGED_FROM.as_secs()));
            return Ok(Report(told));
        }
        for (what, of, growth_max) in [
            ("memory", (|sample| sample.memory) as fn(&Sample) -> u64, MEMORY_GROWTH_MAX),
            ("files", |sample| sample.files, FILES_GROWTH_MAX),
        ] {
            let (first, last) = self.first_and_last(time, of)?;
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

    /// The medians of the first and the last fifth of the time behind the warm-up.
    fn first_and_last(&self, time: Duration, of: fn(&Sample) -> u64) -> Told<(f64, f64)> {
        let fifth = time.mul_f64((1.0 - WARM_UP) / 5.0);
        let starts = [time.mul_f64(WARM_UP), time - fifth];
        let [first, last] = starts.map(|start| {
            let within = |sample: &&Sample| sample.at >= start && sample.at < start + fifth;
            let mut values: Vec<_> = self.samples.iter().filter(within).map(of).collect();
            values.sort_unstable();
            values.get(values.len() / 2).map(|median| *median as f64)
        });
        first.zip(last).ok_or_else(|| "a fifth of the time went by without a look".to_owned())
    }
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
        let sample = |second: u64| Sample {
            at: Duration::from_secs(second),
            memory: memory(second),
            files: 1 << 20,
        };
        Watch { samples: (0..1000).map(sample).collect(), ..Watch::new() }
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
