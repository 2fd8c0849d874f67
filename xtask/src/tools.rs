//! Programs from outside that a check needs, in the versions it was written for:
//! installed where they are missing, and an error where that fails. A check never
//! goes on without its tool.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A subcommand of cargo from the public registry.
pub(crate) struct CargoTool {
    /// The package, which is also the program.
    pub(crate) package: &'static str,
    /// What is asked for its version.
    pub(crate) version_args: &'static [&'static str],
    pub(crate) version: &'static str,
}

impl CargoTool {
    /// Installs that version unless it is there.
    pub(crate) fn require(&self) -> Result<()> {
        let told = Command::new(self.package).args(self.version_args).output();
        let is_there = told.is_ok_and(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            output.status.success() && text.split_whitespace().any(|word| word == self.version)
        });
        if is_there {
            return Ok(());
        }
        println!("installing {} {}", self.package, self.version);
        let mut install = Command::new("cargo");
        install.args(["install", "--locked", "--force", "--version", self.version, self.package]);
        // The flags of a check are meant for the workspace.
        run(install.env_remove("RUSTFLAGS").env_remove("RUSTC_BOOTSTRAP"))
    }
}

/// Installs a package of Debian unless `program` is there. Takes root.
pub(crate) fn require_debian(program: &str, package: &str) -> Result<()> {
    if Command::new(program).arg("--version").output().is_ok_and(|told| told.status.success()) {
        return Ok(());
    }
    println!("installing {package}");
    run(Command::new("apt-get").args(["update", "-q"]))?;
    run(Command::new("apt-get")
        .args(["install", "-q", "-y", "--no-install-recommends", package])
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    let told = Command::new(program).arg("--version").output();
    ensure!(
        told.is_ok_and(|told| told.status.success()),
        "{program} is missing, though {package} is installed"
    );
    Ok(())
}

/// Runs a command whose failure is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    ensure!(status.success(), "{program} failed: {status}");
    Ok(())
}

/// Where cargo builds: checks keep what they build in folders of their own there.
pub(crate) fn target(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(target)
}

/// The major version of the LLVM that the compiler is built on.
pub(crate) fn llvm_major() -> Result<u32> {
    let told = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let told = String::from_utf8(told.stdout)?;
    let version = told.lines().find_map(|line| line.strip_prefix("LLVM version: "));
    let major = version.and_then(|version| version.split('.').next());
    major.and_then(|major| major.parse().ok()).context("rustc does not tell its LLVM")
}
