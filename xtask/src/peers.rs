//! selvedge beside other databases: builds and runs `benches/peers`, which explains
//! itself. A workspace of its own, so that only this compiles the others.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// Becomes that program. Files are named from where this was called.
pub(crate) fn run(root: &Path, arguments: &[OsString]) -> Result<Infallible> {
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--release", "--locked", "--manifest-path"]);
    cargo.arg(root.join("benches/peers/Cargo.toml")).arg("--").args(arguments);
    Err(cargo.exec()).context("cannot run cargo")
}
