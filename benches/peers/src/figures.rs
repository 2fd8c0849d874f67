//! What was measured, as a table and as JSON.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{Table, presets};
use serde::Serialize;

/// One engine at one workload.
#[derive(Serialize)]
pub struct Figure {
    workload: String,
    engine: String,
    metric: String,
    median: f64,
    min: f64,
    max: f64,
    rounds: usize,
}

/// All of them.
#[derive(Default)]
pub struct Figures(Vec<Figure>);

impl Figures {
    /// Adds what the rounds gave.
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

    /// Prints a line for each workload, with the ratio of selvedge to each peer.
    pub fn print(&self) {
        let mut by_workload: BTreeMap<(&str, &str), Vec<&Figure>> = BTreeMap::new();
        for figure in &self.0 {
            by_workload.entry((&figure.workload, &figure.metric)).or_default().push(figure);
        }
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        table.set_header(["workload", "metric", "engine", "median", "min", "max", "selvedge / it"]);
        for ((workload, metric), figures) in by_workload {
            let ours = figures.iter().find(|figure| figure.engine == "selvedge");
            for figure in &figures {
                let ratio = ours.map(|ours| ours.median / figure.median);
                table.add_row([
                    workload.to_owned(),
                    metric.to_owned(),
                    figure.engine.clone(),
                    told(figure.median),
                    told(figure.min),
                    told(figure.max),
                    ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                ]);
            }
        }
        println!("{table}");
    }

    /// Writes an array of all figures.
    pub fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(&self.0)?;
        std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))
    }
}

fn told(rate: f64) -> String {
    match rate {
        rate if rate >= 1e6 => format!("{:.2} M", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.1} k", rate / 1e3),
        rate => format!("{rate:.1}"),
    }
}
