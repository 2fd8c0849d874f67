//! What was measured, as a table and as JSON.

use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{Table, presets};
use serde::Serialize;

/// Operations, rows or edges for each second by the clock.
pub const PER_SECOND: &str = "per_second";
/// The same for each second of CPU time of all threads of the process together, those
/// in the background included; beside a writer, of the reading thread alone.
pub const PER_CPU_SECOND: &str = "per_cpu_second";
/// Synced commits for each `fdatasync` of a bare loop that runs just before and behind them.
pub const PER_FDATASYNC: &str = "per_fdatasync";
/// Time by the clock.
pub const SECONDS: &str = "seconds";
/// Increments that were acknowledged and are not there.
pub const LOST: &str = "lost_updates";
/// Versions: of a record, the newest included; or that stay though nobody can see them.
pub const VERSIONS: &str = "versions";
/// CPU time of a read, of a transaction.
pub const READ_NANOS: &str = "read_ns";
pub const RMW_NANOS: &str = "rmw_ns";
/// Memory of one thing.
pub const BYTES: &str = "bytes";
/// Memory.
pub const MIB: &str = "mib";

/// One engine at one workload.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub workload: String,
    pub engine: String,
    pub metric: String,
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub rounds: usize,
}

/// All of them.
#[derive(Default)]
pub struct Figures(Vec<Figure>);

impl Figures {
    /// Adds what the rounds gave. Workloads, engines and metrics are whatever the
    /// caller says: the three together name a figure.
    pub fn add(&mut self, workload: &str, engine: &str, metric: &str, mut rounds: Vec<f64>) {
        rounds.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (rounds.first(), rounds.last()) else { return };
        self.0.push(Figure {
            workload: workload.to_owned(),
            engine: engine.to_owned(),
            metric: metric.to_owned(),
            median: rounds[rounds.len() / 2],
            min: *min,
            max: *max,
            rounds: rounds.len(),
        });
    }

    /// The median of one of them.
    pub fn median(&self, workload: &str, engine: &str, metric: &str) -> Option<f64> {
        let named = |figure: &&Figure| {
            figure.workload == workload && figure.engine == engine && figure.metric == metric
        };
        self.0.iter().find(named).map(|figure| figure.median)
    }

    /// All of them, in the order in which they were measured.
    pub fn all(&self) -> &[Figure] {
        &self.0
    }

    /// Every figure as a row, with the ratio of selvedge to each other engine.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        table.set_header(["workload", "metric", "engine", "median", "min", "max", "selvedge / it"]);
        for figure in &self.0 {
            let ours = self.median(&figure.workload, "selvedge", &figure.metric);
            let ratio = ours.map(|ours| format!("{:.3}", ours / figure.median));
            table.add_row([
                figure.workload.clone(),
                figure.metric.clone(),
                figure.engine.clone(),
                short(figure.median),
                short(figure.min),
                short(figure.max),
                ratio.filter(|_| figure.engine != "selvedge").unwrap_or_default(),
            ]);
        }
        table
    }

    /// Writes an array of all figures.
    pub fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(&self.0)?;
        std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))
    }
}

/// A number in few characters.
pub fn short(number: f64) -> String {
    match number {
        number if number >= 1e9 => format!("{:.2} G", number / 1e9),
        number if number >= 1e6 => format!("{:.2} M", number / 1e6),
        number if number >= 1e3 => format!("{:.1} k", number / 1e3),
        number if number >= 10.0 => format!("{number:.1}"),
        number => format!("{number:.4}"),
    }
}
