//! Bars of the rates, one picture for each kind of work.

use std::fs;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::figures::{Figure, Figures, PER_CPU_SECOND, PER_SECOND, short};

/// Pictures: the file, the title, what the names of workloads begin with, the metric.
const PICTURES: [(&str, &str, &str, &str); 7] = [
    ("kv-read.svg", "Reads per second of CPU time", "kv/read", PER_CPU_SECOND),
    ("kv-rmw.svg", "Transactions per second of CPU time", "kv/rmw", PER_CPU_SECOND),
    ("kv-scan.svg", "Rows per second of CPU time", "kv/scan", PER_CPU_SECOND),
    ("graph.svg", "Edges, nodes or paths per second of CPU time", "graph/", PER_CPU_SECOND),
    ("sync.svg", "Synced commits per second", "sync/", PER_SECOND),
    ("threads.svg", "Operations per second, selvedge alone", "own/mix", PER_SECOND),
    ("group-commit.svg", "Synced commits per second, by clients", "own/group-commit", PER_SECOND),
];

const WIDTH: u32 = 900;
const BAR: u32 = 14;
/// Room for the title above, and the names at the left and the numbers at the right.
const HEAD: u32 = 40;
const LEFT: i32 = 320;
const RIGHT: i32 = 90;
const OURS: RGBColor = RGBColor(20, 110, 180);
const PEER: RGBColor = RGBColor(170, 170, 170);
const LIMIT: RGBColor = RGBColor(220, 160, 70);

/// Writes those pictures of which there are figures.
pub fn write(figures: &Figures, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    for (file, title, prefix, metric) in PICTURES {
        let of_it = |figure: &&Figure| {
            figure.metric == metric && figure.workload.starts_with(prefix) && figure.median > 0.0
        };
        let bars: Vec<_> = figures.all().iter().filter(of_it).collect();
        if !bars.is_empty() {
            let path = dir.join(file);
            draw(&path, title, &bars).map_err(|error| anyhow!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

fn draw(path: &Path, title: &str, bars: &[&Figure]) -> Drawn {
    let workloads = bars.windows(2).filter(|pair| pair[0].workload != pair[1].workload).count();
    let rows = bars.len() as u32 + workloads as u32;
    let area = SVGBackend::new(path, (WIDTH, HEAD + (rows + 1) * BAR)).into_drawing_area();
    area.fill(&WHITE)?;
    let title_style = ("sans-serif", 16).into_font().color(&BLACK);
    area.draw(&Text::new(format!("{title}, logarithmic"), (8, 10), title_style))?;
    let most = bars.iter().map(|bar| bar.median).fold(f64::MIN, f64::max).log10();
    let least = bars.iter().map(|bar| bar.median).fold(f64::MAX, f64::min).log10().floor();
    let scale = f64::from(WIDTH as i32 - LEFT - RIGHT) / (most - least).max(1e-9);
    let (mut top, mut before) = (HEAD as i32, "");
    for bar in bars {
        if !before.is_empty() && before != bar.workload {
            top += BAR as i32;
        }
        let is_first = before != bar.workload;
        before = &bar.workload;
        draw_bar(&area, bar, is_first, top, ((bar.median.log10() - least) * scale) as i32)?;
        top += BAR as i32;
    }
    area.present()?;
    Ok(())
}

fn draw_bar(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    bar: &Figure,
    is_first: bool,
    top: i32,
    length: i32,
) -> Drawn {
    let small = || ("sans-serif", 11).into_font().color(&BLACK);
    if is_first {
        area.draw(&Text::new(bar.workload.clone(), (8, top), small()))?;
    }
    area.draw(&Text::new(bar.engine.clone(), (200, top), small()))?;
    let colour = match bar.engine.as_str() {
        engine if engine.starts_with("selvedge") => OURS,
        engine if engine.starts_with("limit") => LIMIT,
        _ => PEER,
    };
    let right = LEFT + length.max(1);
    area.draw(&Rectangle::new([(LEFT, top), (right, top + BAR as i32 - 2)], colour.filled()))?;
    area.draw(&Text::new(short(bar.median), (right + 4, top), small()))?;
    Ok(())
}
