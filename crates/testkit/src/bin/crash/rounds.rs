//! What happens: rounds of commits that end with a crash, several of them on one
//! database before the next starts empty.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use crate::arguments::{Inspection, Load, Mode, Plan, Target};
use crate::child::{Child, Ended};
use crate::disk::Disk;
use crate::failure::{Failure, Result};
use crate::judge::{Judge, Tally};
use crate::message::Message;
use crate::place::{Place, copy_files};
use crate::system;

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    Kill,
    PowerCut,
}

/// Rounds that the control may take to lose something.
const CONTROL_ROUNDS_MAX: u32 = 10;
/// Rounds on one database.
const SERIES_ROUNDS: std::ops::RangeInclusive<u32> = 3..=8;
/// How long most children run before the crash.
const RUN_MILLISECONDS: std::ops::RangeInclusive<u64> = 10..=400;
/// How long the others do: they open the database, and hardly more.
const OPENING_MILLISECONDS: std::ops::RangeInclusive<u64> = 1..=25;
/// Segments of the log. The documents of a commit may need many small ones.
const SEGMENT_BYTES: [u64; 3] = [4 << 10, 64 << 10, 512 << 10];
/// So little that checkpoints are written all the time.
const CHECKPOINT_BYTES: [u64; 3] = [32 << 10, 128 << 10, 1 << 20];
/// One breach shows in many places.
const PROBLEMS_TOLD_MAX: usize = 8;
/// An inspection takes a fraction of a second.
const INSPECTION_MAX: Duration = Duration::from_secs(60);

/// Runs the plan and says how it went.
pub(crate) fn run(plan: &Plan) -> ExitCode {
    let start = Instant::now();
    println!("seed {}", plan.seed);
    system::note_signals();
    let mut campaign = match Place::make() {
        Ok(place) => Campaign {
            place,
            random: fastrand::Rng::with_seed(plan.seed),
            tally: Tally::default(),
            databases: 0,
        },
        Err(failure) => {
            eprintln!("FAILED: {failure}");
            return ExitCode::FAILURE;
        }
    };
    let result = campaign.run(plan);
    let took = start.elapsed().as_secs_f64();
    match result {
        Ok(()) => {
            println!("OK in {took:.1} s");
            ExitCode::SUCCESS
        }
        Err(Failure::Interrupted) => {
            println!("interrupted after {took:.1} s");
            ExitCode::from(130)
        }
        Err(failure) => {
            println!("FAILED after {took:.1} s, seed {}: {failure}", plan.seed);
            if campaign.databases > 0 {
                campaign.place.keep();
                let path = campaign.place.path().display();
                println!("left behind: {path} (disk.ext4 can be mounted with `mount -o loop`)");
            }
            ExitCode::FAILURE
        }
    }
}

/// All rounds.
struct Campaign {
    place: Place,
    random: fastrand::Rng,
    tally: Tally,
    databases: u32,
}

/// A database through several crashes.
struct Series {
    directory: PathBuf,
    target: Target,
    judge: Judge,
    /// Power cuts need a disk of their own.
    disk: Option<Disk>,
    waits: bool,
}

impl Campaign {
    fn run(&mut self, plan: &Plan) -> Result<()> {
        let wants_power_cuts = plan.power_cuts > 0 || plan.control;
        let power_cuts = wants_power_cuts && can_cut_power(plan.allow_no_power_cuts)?;
        if power_cuts {
            self.control()?;
        }
        self.rounds(Crash::Kill, plan.kills)?;
        if power_cuts {
            self.rounds(Crash::PowerCut, plan.power_cuts)?;
        }
        Ok(())
    }

    /// Commits that do not wait for the disk must get lost in a power cut.
    fn control(&mut self) -> Result<()> {
        let start = Instant::now();
        let mut series = self.begin(Crash::PowerCut, false)?;
        let before = std::mem::take(&mut self.tally);
        for round in 1..=CONTROL_ROUNDS_MAX {
            self.crash(&mut series, Crash::PowerCut)?;
            self.inspect(&mut series)?;
            let lost = self.tally.unsynced_lost;
            if lost > 0 {
                let took = start.elapsed().as_secs_f64();
                println!(
                    "control: {lost} unsynced commits lost after {round} power cuts, the rest \
                     a consistent prefix; {took:.1} s"
                );
                self.tally = before;
                return series.finish();
            }
        }
        let what = format!("{CONTROL_ROUNDS_MAX} power cuts lost nothing: they do not cut");
        Err(Failure::System(what))
    }

    /// Rounds of one kind, on one database after the other.
    fn rounds(&mut self, crash: Crash, rounds: u32) -> Result<()> {
        let start = Instant::now();
        let (mut done, databases_before) = (0, self.databases);
        let before = std::mem::take(&mut self.tally);
        while done < rounds {
            let mut series = self.begin(crash, true)?;
            let length = self.random.u32(SERIES_ROUNDS).min(rounds - done);
            for round in 1..=length {
                if crash == Crash::PowerCut && self.random.u8(..3) == 0 {
                    // What it leaves in the system's cache the next one accepts, and
                    // must make durable.
                    self.crash(&mut series, Crash::Kill)?;
                }
                self.crash(&mut series, crash)?;
                // Otherwise the next child finds the crash just as it is.
                if round == length || self.random.u8(..4) > 0 {
                    self.inspect(&mut series)?;
                }
            }
            series.finish()?;
            done += length;
        }
        let name = match crash {
            Crash::Kill => "kills",
            Crash::PowerCut => "power cuts",
        };
        if rounds > 0 {
            let databases = self.databases - databases_before;
            println!("{name}: {rounds} on {databases} databases, {}", summary(&self.tally, start));
        }
        self.tally = before;
        Ok(())
    }

    /// A new, empty database.
    fn begin(&mut self, crash: Crash, waits: bool) -> Result<Series> {
        self.databases += 1;
        let directory = self.place.path().join(format!("series-{}", self.databases));
        std::fs::create_dir(&directory)
            .map_err(|error| Failure::system(directory.display(), &error))?;
        let disk = match crash {
            Crash::Kill => None,
            Crash::PowerCut => Some(Disk::make(&directory)?),
        };
        let below = disk.as_ref().map_or(&*directory, Disk::mount_point);
        let target = Target {
            database: below.join("crash.selvedge"),
            segment_bytes: self.choose(SEGMENT_BYTES, waits),
            checkpoint_bytes: self.choose(CHECKPOINT_BYTES, waits),
        };
        Ok(Series { directory, target, judge: Judge::default(), disk, waits })
    }

    /// One of three; the last for the control: every new segment and checkpoint
    /// makes durable what it hopes to lose.
    fn choose(&mut self, among: [u64; 3], waits: bool) -> u64 {
        if waits { among[self.random.usize(..among.len())] } else { among[2] }
    }

    /// Lets a child commit for a while, then ends it.
    fn crash(&mut self, series: &mut Series, crash: Crash) -> Result<()> {
        let load =
            Load { target: series.target.clone(), seed: self.random.u64(..), waits: series.waits };
        let child = Child::start(&load.words(), &series.log())?;
        let opens_only = series.waits && self.random.u8(..4) == 0;
        let run = if opens_only { OPENING_MILLISECONDS } else { RUN_MILLISECONDS };
        pause(self.random.u64(run))?;
        let ended = if let (Crash::PowerCut, Some(disk)) = (crash, &mut series.disk) {
            if series.waits && self.random.bool() {
                disk.write_out_parts(&series.target.database, &mut self.random);
            }
            disk.cut()?;
            // Time for it to notice, and to acknowledge what it should not.
            thread::sleep(Duration::from_millis(self.random.u64(..20)));
            let ended = child.kill()?;
            disk.restart()?;
            ended
        } else {
            child.kill()?
        };
        series.judge_load(&ended, crash, &mut self.tally)
    }

    /// Opens the database and looks at everything.
    fn inspect(&mut self, series: &mut Series) -> Result<()> {
        let mode = match self.random.u8(..8) {
            0..2 if series.judge.found_any() => Mode::ReadOnly,
            2 => Mode::Close,
            _ => Mode::Drop,
        };
        copy_files(&series.target.database, &series.directory.join("before"))?;
        let inspection = Inspection { target: series.target.clone(), mode };
        let child = Child::start(&inspection.words(), &series.log())?;
        let ended = child.wait(INSPECTION_MAX)?;
        let result = series.judge_inspection(&ended, &mut self.tally);
        if result.is_err() && series.disk.is_some() {
            copy_files(&series.target.database, &series.directory.join("after"))?;
        }
        result?;
        if system::interrupted() { Err(Failure::Interrupted) } else { Ok(()) }
    }
}

impl Series {
    /// What children wrote to standard error.
    fn log(&self) -> PathBuf {
        self.directory.join("children.log")
    }

    /// Nobody needs it any more.
    fn finish(self) -> Result<()> {
        drop(self.disk);
        let gone = std::fs::remove_dir_all(&self.directory);
        gone.map_err(|error| Failure::system(self.directory.display(), &error))
    }

    fn judge_load(&mut self, ended: &Ended, crash: Crash, tally: &mut Tally) -> Result<()> {
        let problems = self.judge.hear(&ended.messages, tally);
        // Without power a child may end any way it likes, but for lies.
        let as_planned = match crash {
            Crash::Kill => ended.was_killed(),
            Crash::PowerCut => !ended.saw_breach(),
        };
        self.verdict(problems, as_planned, ended)
    }

    fn judge_inspection(&mut self, ended: &Ended, tally: &mut Tally) -> Result<()> {
        let mut problems = self.judge.hear(&ended.messages, tally);
        if ended.messages.last() != Some(&Message::End) {
            problems.push("the inspection did not come to its end".to_owned());
        }
        self.verdict(problems, ended.status.success(), ended)
    }

    fn verdict(&self, problems: Vec<String>, as_planned: bool, ended: &Ended) -> Result<()> {
        if problems.is_empty() && as_planned {
            return Ok(());
        }
        let number = problems.len();
        let mut told: Vec<_> = problems.into_iter().take(PROBLEMS_TOLD_MAX).collect();
        if number > told.len() {
            told.push(format!(".. {number} in all"));
        }
        if !as_planned {
            told.push(format!("a child ended with {}: {}", ended.status, last_lines(&self.log())));
        }
        told.push(format!("{:?}", self.target));
        Err(Failure::Broken(told.join("\n  ")))
    }
}

/// The end of what children wrote to standard error.
fn last_lines(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n    ")
}

fn summary(tally: &Tally, start: Instant) -> String {
    let Tally { verified, lost, gap_max, unsynced_lost, openings, .. } = tally;
    let Tally { replayed, cuts, checkpoints, .. } = tally;
    let took = start.elapsed().as_secs_f64();
    format!(
        "{openings} openings compared: {verified} acknowledged commits verified, {lost} lost, \
         largest gap {gap_max}; {unsynced_lost} unsynced commits lost, as they may; \
         {replayed} commits replayed, log cut {cuts} times, {checkpoints} checkpoints; {took:.1} s"
    )
}

/// Sleeps, unless the run shall end.
fn pause(milliseconds: u64) -> Result<()> {
    thread::sleep(Duration::from_millis(milliseconds));
    if system::interrupted() { Err(Failure::Interrupted) } else { Ok(()) }
}

/// Whether power cuts are possible here; if not, that is a failure unless allowed.
fn can_cut_power(allow_not: bool) -> Result<bool> {
    let refusal = if !system::is_root() {
        "power cuts need root".to_owned()
    } else {
        match system::own_mounts() {
            Ok(()) => match probe() {
                Ok(()) => return Ok(true),
                Err(failure) => failure.to_string(),
            },
            Err(error) => format!("no mounts of its own: {error}"),
        }
    };
    if allow_not {
        println!("power cuts SKIPPED: {refusal}");
        return Ok(false);
    }
    let hint = "(--allow-no-powercuts does without)";
    Err(Failure::System(format!("no power cuts possible: {refusal} {hint}")))
}

/// Makes a disk, cuts its power, and starts it again.
fn probe() -> Result<()> {
    let place = Place::make()?;
    let mut disk = Disk::make(place.path())?;
    disk.cut()?;
    disk.restart()
}
