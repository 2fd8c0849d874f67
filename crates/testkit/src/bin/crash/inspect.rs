//! The child that opens the database after a crash and reads everything.

use std::process::ExitCode;

use selvedge::Db;

use crate::arguments::{Inspection, Mode};
use crate::failure::{Failure, Result};
use crate::load::{EXIT_BROKEN, open, report_opening};
use crate::message::{Message, Reporter};
use crate::workload;

/// Looks at everything and reports it.
pub(crate) fn run(inspection: &Inspection) -> ExitCode {
    match inspect(inspection) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("inspect: {failure}");
            ExitCode::from(EXIT_BROKEN)
        }
    }
}

fn inspect(inspection: &Inspection) -> Result<()> {
    let system = |error| Failure::system("reporting", &error);
    let reporter = Reporter::stdout().map_err(system)?;
    let report = |message: Message| reporter.report(&message).map_err(system);
    let db = open(&inspection.target, inspection.mode == Mode::ReadOnly)?;
    let lasts = report_opening(&db, &reporter)?;
    for problem in problems(&db, &lasts)? {
        report(Message::Problem(problem))?;
    }
    match inspection.mode {
        Mode::Close => db.close()?,
        Mode::ReadOnly | Mode::Drop => drop(db),
    }
    report(Message::End)
}

fn problems(db: &Db, lasts: &workload::Lasts) -> Result<Vec<String>> {
    let mut problems: Vec<_> = db.check()?.iter().map(|line| format!("check: {line}")).collect();
    let snapshot = db.snapshot()?;
    if snapshot_is_made(&snapshot)? {
        problems.extend(workload::problems(&snapshot, lasts)?);
    }
    Ok(problems)
}

/// Whether there is anything: the first child may have been killed before that.
fn snapshot_is_made(snapshot: &selvedge::Snapshot<'_>) -> Result<bool> {
    use selvedge::Read as _;
    Ok(snapshot.node_count()? > 0)
}
