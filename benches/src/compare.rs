//! Runs two sides by turns and sets them against each other.

use crate::Outcome;
use crate::measure::{Done, Sample, Spread};

/// Which sides run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sides {
    /// Both, by turns.
    Both,
    /// Selvedge alone, for a profiler.
    Ours,
}

/// How comparisons run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How often each side runs.
    pub rounds: u64,
    /// Only comparisons whose name contains this.
    pub only: Option<String>,
    /// Which sides run.
    pub sides: Sides,
}

/// A side of a comparison: given the number of the round, does its work.
pub type Side<'a> = &'a mut dyn FnMut(u64) -> Outcome<Done>;

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    name: String,
    limit_name: &'static str,
    aim: &'static str,
    threads: f64,
    ours: Vec<Sample>,
    limit: Vec<Sample>,
}

/// What is compared, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Title<'a> {
    /// The workload.
    pub name: &'a str,
    /// What the limit is.
    pub limit: &'static str,
    /// What we aim at, in words.
    pub aim: &'static str,
    /// Threads that work at the same time: rates are per CPU second of one,
    /// times this.
    pub threads: u32,
    /// Whether both sides must come to the same checksum.
    pub same: bool,
}

impl<'a> Title<'a> {
    /// A comparison on one thread whose sides must agree.
    #[must_use]
    pub fn new(name: &'a str, limit: &'static str, aim: &'static str) -> Self {
        Self { name, limit, aim, threads: 1, same: true }
    }

    /// On so many threads.
    #[must_use]
    pub fn threads(self, threads: u32) -> Self {
        Self { threads, ..self }
    }

    /// The sides do not do comparable things, so their checksums differ.
    #[must_use]
    pub fn unlike(self) -> Self {
        Self { same: false, ..self }
    }
}

impl Plan {
    /// Whether a comparison with a name that begins so may be wanted.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }

    /// Runs both sides by turns, and prints the line.
    ///
    /// # Errors
    /// Those of the sides.
    ///
    /// # Panics
    /// If the sides disagree on the checksum.
    pub fn compare(
        &self,
        lines: &mut Vec<Line>,
        title: Title<'_>,
        ours: Side<'_>,
        limit: Side<'_>,
    ) -> Outcome<()> {
        if !self.wants(title.name) {
            return Ok(());
        }
        let mut line = Line {
            name: title.name.to_owned(),
            limit_name: title.limit,
            aim: title.aim,
            threads: f64::from(title.threads),
            ours: Vec::new(),
            limit: Vec::new(),
        };
        for round in 0..self.rounds {
            if self.sides == Sides::Ours {
                line.ours.push(Sample::of(|| ours(round))?);
                continue;
            }
            // Who comes first changes, so that neither has the warmer caches.
            let (ours, limit) = if round % 2 == 0 {
                let ours = Sample::of(|| ours(round))?;
                (ours, Sample::of(|| limit(round))?)
            } else {
                let limit = Sample::of(|| limit(round))?;
                (Sample::of(|| ours(round))?, limit)
            };
            if title.same {
                assert_eq!(ours.done.check, limit.done.check, "{}: the sides disagree", title.name);
            }
            line.ours.push(ours);
            line.limit.push(limit);
        }
        eprintln!("{}", line.row());
        lines.push(line);
        Ok(())
    }
}

impl Line {
    fn rate(&self, sample: &Sample) -> f64 {
        sample.cpu_rate() * self.threads
    }

    /// The line as a row of a table in Markdown.
    #[must_use]
    pub fn row(&self) -> String {
        let rates = |samples: &[Sample]| {
            let spread = Spread::of(samples.iter().map(|sample| self.rate(sample)));
            format!("{} ({}-{})", short(spread.median), short(spread.min), short(spread.max))
        };
        let ratio = |ratio: fn(&Sample) -> f64| {
            Spread::of(self.ours.iter().zip(&self.limit).map(|(a, b)| ratio(a) / ratio(b)))
        };
        let (cpu, wall) = (ratio(Sample::cpu_rate), ratio(Sample::wall_rate));
        format!(
            "| {} | {} | {} | {} | **{:.3}** ({:.3}-{:.3}) | {:.3} | {} |",
            self.name,
            rates(&self.ours),
            self.limit_name,
            rates(&self.limit),
            cpu.median,
            cpu.min,
            cpu.max,
            wall.median,
            self.aim
        )
    }
}

/// The head of the table.
pub const HEAD: &str = "\
| workload | selvedge /s (min-max) | limit | limit /s (min-max) | ratio (min-max) | ratio of wall time | aim |
|---|---|---|---|---|---|---|";

/// A number in few characters.
#[must_use]
pub fn short(number: f64) -> String {
    let (scaled, unit) = match number {
        number if number >= 1e9 => (number / 1e9, " G"),
        number if number >= 1e6 => (number / 1e6, " M"),
        number if number >= 1e3 => (number / 1e3, " k"),
        number => (number, ""),
    };
    let digits = if scaled >= 100.0 {
        0
    } else if scaled >= 10.0 {
        1
    } else {
        2
    };
    format!("{scaled:.digits$}{unit}")
}
