//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

/// How it is called.
pub(crate) const USAGE: &str = "\
usage: crash [--kills N] [--powercuts N] [--control] [--seed S] [--allow-no-powercuts]

  --kills N              rounds that end with SIGKILL (default 20)
  --powercuts N          rounds that end with a power cut (default 10); needs root,
                         mkfs.ext4, losetup and mount; runs the control as well
  --control              only the control: unsynced commits must get lost
  --allow-no-powercuts   where power cuts are impossible, do without
  --seed S               repeats the choices of an earlier run";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Help,
    Run(Plan),
    Load(Load),
    Inspect(Inspection),
}

/// What a whole run consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) kills: u32,
    pub(crate) power_cuts: u32,
    pub(crate) control: bool,
    pub(crate) allow_no_power_cuts: bool,
    pub(crate) seed: u64,
}

/// The database that a child opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) database: PathBuf,
    pub(crate) segment_bytes: u64,
    pub(crate) checkpoint_bytes: u64,
}

/// What a child that commits does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) target: Target,
    pub(crate) seed: u64,
    /// Whether its commits, but for one thread's, wait for the disk.
    pub(crate) waits: bool,
}

/// How a database is looked at after a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inspection {
    pub(crate) target: Target,
    pub(crate) mode: Mode,
}

/// What an inspection leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// What it found: it only reads.
    ReadOnly,
    /// What opening made of it.
    Drop,
    /// A checkpoint.
    Close,
}

impl Mode {
    const ALL: [(Self, &'static str); 3] =
        [(Self::ReadOnly, "read-only"), (Self::Drop, "drop"), (Self::Close, "close")];

    fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(mode, _)| *mode == self);
        found.expect("all modes have a name").1
    }
}

/// Takes the command line apart.
pub(crate) fn parse(words: &[String]) -> Result<Task, String> {
    match words.split_first() {
        Some((first, rest)) if first == "load" => parse_load(rest).map(Task::Load),
        Some((first, rest)) if first == "inspect" => parse_inspection(rest).map(Task::Inspect),
        _ => parse_run(words),
    }
}

fn parse_run(words: &[String]) -> Result<Task, String> {
    let mut words = words.iter();
    let (mut kills, mut power_cuts, mut seed) = (None, None, None);
    let (mut control, mut allow_no_power_cuts) = (false, false);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--kills" => kills = Some(number(words.next(), word)?),
            "--powercuts" => power_cuts = Some(number(words.next(), word)?),
            "--seed" => seed = Some(number(words.next(), word)?),
            "--control" => control = true,
            "--allow-no-powercuts" => allow_no_power_cuts = true,
            "--help" | "-h" => return Ok(Task::Help),
            _ => return Err(format!("{word} is no option")),
        }
    }
    if control && (kills.is_some() || power_cuts.is_some()) {
        return Err("--control runs alone, and as part of every run with power cuts".to_owned());
    }
    Ok(Task::Run(Plan {
        kills: kills.unwrap_or(if control { 0 } else { 20 }),
        power_cuts: power_cuts.unwrap_or(if control { 0 } else { 10 }),
        control,
        allow_no_power_cuts,
        seed: seed.unwrap_or_else(|| fastrand::u64(..)),
    }))
}

fn number<T: FromStr>(word: Option<&String>, name: &str) -> Result<T, String> {
    let word = word.ok_or_else(|| format!("{name} wants a number"))?;
    word.parse().map_err(|_| format!("{name}: {word} is not a number in range"))
}

fn parse_target(words: &[String]) -> Result<Target, String> {
    Ok(Target {
        database: words.first().ok_or("where is the database?")?.into(),
        segment_bytes: number(words.get(1), "bytes of a segment")?,
        checkpoint_bytes: number(words.get(2), "bytes between checkpoints")?,
    })
}

fn parse_load(words: &[String]) -> Result<Load, String> {
    let waits = match words.get(4).map(String::as_str) {
        Some("waits") => true,
        Some("goes-on") => false,
        other => return Err(format!("waits or goes-on, not {other:?}")),
    };
    Ok(Load { target: parse_target(words)?, seed: number(words.get(3), "seed")?, waits })
}

fn parse_inspection(words: &[String]) -> Result<Inspection, String> {
    let found = Mode::ALL.iter().find(|(_, name)| words.get(3).is_some_and(|word| word == name));
    let (mode, _) = found.ok_or("how shall it be left?")?;
    Ok(Inspection { target: parse_target(words)?, mode: *mode })
}

impl Target {
    fn words(&self) -> Vec<String> {
        let path = self.database.to_string_lossy().into_owned();
        vec![path, self.segment_bytes.to_string(), self.checkpoint_bytes.to_string()]
    }
}

impl Load {
    /// The command line that says so.
    pub(crate) fn words(&self) -> Vec<String> {
        let waits = if self.waits { "waits" } else { "goes-on" };
        let rest = vec![self.seed.to_string(), waits.to_owned()];
        [vec!["load".to_owned()], self.target.words(), rest].concat()
    }
}

impl Inspection {
    /// The command line that says so.
    pub(crate) fn words(&self) -> Vec<String> {
        let rest = vec![self.mode.name().to_owned()];
        [vec!["inspect".to_owned()], self.target.words(), rest].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Task, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_plan_is_read() {
        let plan =
            Plan { kills: 3, power_cuts: 0, control: false, allow_no_power_cuts: true, seed: 7 };
        let line = "--kills 3 --powercuts 0 --seed 7 --allow-no-powercuts";
        assert_eq!(parse_line(line), Ok(Task::Run(plan)));
        for wrong in
            ["--kills", "--kills x", "--kill 3", "--control --kills 3", "load", "inspect a 1 2"]
        {
            assert!(parse_line(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn children_understand_what_they_are_told() {
        let target = Target { database: "a b".into(), segment_bytes: 4096, checkpoint_bytes: 1 };
        for waits in [true, false] {
            let load = Load { target: target.clone(), seed: u64::MAX, waits };
            assert_eq!(parse(&load.words()), Ok(Task::Load(load)));
        }
        for (mode, _) in Mode::ALL {
            let inspection = Inspection { target: target.clone(), mode };
            assert_eq!(parse(&inspection.words()), Ok(Task::Inspect(inspection)));
        }
    }
}
