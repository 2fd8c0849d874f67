//! Real crashes on a real disk: builds and runs the test kit's `crash`, which is
//! where everything about them is explained.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// Becomes that program: a signal meant for it reaches it, and its answer is this
/// one's.
pub(crate) fn run(root: &Path, arguments: &[OsString]) -> Result<Infallible> {
    let error = Command::new("cargo")
        .current_dir(root)
        .args(["run", "--quiet", "--release", "-p", "selvedge-testkit", "--bin", "crash", "--"])
        .args(arguments)
        .exec();
    Err(error).context("cannot run cargo")
}
