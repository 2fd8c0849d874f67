//! The test kit's own programs: builds and runs one of them, which explains itself.

use std::convert::Infallible;
use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// The flags that plant faults make another build, kept apart.
const MUTANTS: &str = "mutants";

/// Becomes that program: a signal meant for it reaches it, and its answer is this
/// one's.
pub(crate) fn run(root: &Path, program: &str, arguments: &[OsString]) -> Result<Infallible> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["run", "--quiet", "--release", "-p", "selvedge-testkit"]);
    if arguments.iter().any(|argument| argument == "--mutants") {
        let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        cargo.arg("--target-dir").arg(Path::new(&target).join(MUTANTS));
        cargo.env("RUSTFLAGS", "--cfg selvedge_mutants");
    }
    let error = cargo.args(["--bin", program, "--"]).args(arguments).exec();
    Err(error).context("cannot run cargo")
}
