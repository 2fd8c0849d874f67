//! The command line.

use std::path::PathBuf;

use crate::Failure;

/// The main archive of a Debian release holds more than this; less means that
/// the index is not whole.
const SYSTEM_PACKAGES_MIN: u64 = 50_000;

const USAGE: &str = "\
usage: debian_packages [--min-packages N] [PACKAGES-FILE]...

Loads Debian package indexes (plain, gz, xz or lz4) into a graph. Without a file
it takes those that `apt-get update` left on this system, which must describe
50000 packages at least, unless --min-packages says otherwise.";

pub(crate) struct Options {
    /// The indexes to load; those of the system if there are none.
    pub(crate) files: Vec<PathBuf>,
    /// Fewer packages than this are an error.
    pub(crate) packages_min: u64,
}

/// Reads the arguments; `None` if only help was asked for, which is printed.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Options>, Failure> {
    let (mut files, mut packages_min) = (Vec::new(), None);
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => {
                println!("{USAGE}");
                return Ok(None);
            }
            "--min-packages" => {
                let number = arguments.next().ok_or("--min-packages needs a number")?;
                let parsed = number.parse::<u64>();
                packages_min =
                    Some(parsed.map_err(|error| format!("--min-packages {number}: {error}"))?);
            }
            option if option.starts_with('-') => {
                return Err(format!("there is no option {option}\n{USAGE}").into());
            }
            file => files.push(PathBuf::from(file)),
        }
    }
    let of_the_system = if files.is_empty() { SYSTEM_PACKAGES_MIN } else { 1 };
    Ok(Some(Options { files, packages_min: packages_min.unwrap_or(of_the_system) }))
}
