//! Real crashes on a real disk: a process that commits is killed, or the file
//! system below it is cut off from its disk, again and again; whatever was
//! acknowledged must be there afterwards.
//!
//! ```text
//! this process             load (a child)                 inspect (a child)
//!   spawn -------------->  open, report what was found
//!                          commit, report, commit, ..
//!   SIGKILL, or power cut  x
//!   read the reports left in the pipe
//!   spawn ------------------------------------------------> open, read everything
//!   judge: reports against what was found  <---------------
//! ```
//!
//! A killed process leaves everything that it wrote in the system's cache, so a
//! missing sync does not show. A power cut does show it: the database lies in an
//! ext4 image behind a loop device; the file system is told to shut down without
//! writing anything more, and is mounted again, which runs its own recovery. As a
//! control the same is done to commits that did not wait for the disk: if none of
//! them is ever lost, the power cut does not cut.
//!
//! Reading order: [`rounds`] (what happens), [`workload`] (what a commit does, as a
//! function of thread and sequence), [`load`], [`inspect`], [`judge`] (what must
//! survive); then [`message`], [`child`], [`disk`], [`place`], [`system`].

mod arguments;
mod child;
mod disk;
mod failure;
mod inspect;
mod judge;
mod load;
mod message;
mod place;
mod rounds;
mod system;
mod workload;

use std::process::ExitCode;

use arguments::Task;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match arguments::parse(&words) {
        Ok(Task::Help) => {
            println!("{}", arguments::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Task::Run(plan)) => rounds::run(&plan),
        Ok(Task::Load(load)) => load::run(&load),
        Ok(Task::Inspect(inspection)) => inspect::run(&inspection),
        Err(reason) => {
            eprintln!("{reason}\n\n{}", arguments::USAGE);
            ExitCode::from(2)
        }
    }
}
