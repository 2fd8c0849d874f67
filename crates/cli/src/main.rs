//! The command line: `selvedge serve`.
#![deny(missing_docs)]

mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Selvedge: an embedded graph and document database with snapshot isolation.
#[derive(Parser)]
#[command(name = "selvedge", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a database over the network.
    Serve(serve::Serve),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(serve) => serve.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
