//! WordNet as a graph of typed nodes and edges: a dictionary by meaning, 117,659
//! synsets, 147,306 words and what relates them.
//!
//! ```text
//! apt-get install wordnet-base
//! cargo run --release -p selvedge --example wordnet
//! cargo run --release -p selvedge --example wordnet -- path/to/dict
//! ```
//!
//! `model.rs` says what is a node and what an edge; `files.rs` parses the files of
//! WordNet 3.0, and `load.rs` loads them. `census.rs` counts the same files a second
//! time, as plainly as can be, and makes a graph of petgraph from them: the database
//! must agree with the count (`compare.rs`), and its algorithms with petgraph's
//! (`same_as_petgraph.rs`). `questions.rs` asks what one would ask a dictionary.
//!
//! The exit status is not 0 if there are no files, or if anything disagrees.

mod census;
mod compare;
mod files;
mod load;
mod model;
mod questions;
mod same_as_petgraph;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use selvedge::prelude::*;

/// Anything that goes wrong here; a database error turns into it by `?`.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where Debian's package puts the files, and who says that they are elsewhere.
const DEBIAN: &str = "/usr/share/wordnet";
const VARIABLE: &str = "WNSEARCHDIR";

fn main() -> ExitCode {
    match folder().and_then(|folder| run(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wordnet: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the files: the argument, or the variable, or Debian's.
fn folder() -> Result<PathBuf, Failure> {
    let mut arguments = env::args_os().skip(1);
    let folder = arguments.next().or_else(|| env::var_os(VARIABLE));
    match arguments.next() {
        None => Ok(folder.map_or_else(|| PathBuf::from(DEBIAN), PathBuf::from)),
        Some(_) => Err("usage: wordnet [FOLDER], the folder of data.noun and index.noun".into()),
    }
}

fn run(folder: &Path) -> Result<(), Failure> {
    let texts = files::read(folder)?;
    let db = Db::in_memory();
    let began = Instant::now();
    db.define(model::definitions())?;
    load::load(&db, &texts)?;
    let snapshot = db.snapshot()?;
    let (nodes, edges) = (snapshot.node_count()?, snapshot.edge_count()?);
    println!("{nodes} nodes and {edges} edges loaded in {:.1?}", began.elapsed());

    let census = census::count(&texts)?;
    compare::counts(&snapshot, &census)?;
    let began = Instant::now();
    same_as_petgraph::check(&snapshot, &census)?;
    println!("in {:.1?}", began.elapsed());
    questions::ask(&snapshot)
}
