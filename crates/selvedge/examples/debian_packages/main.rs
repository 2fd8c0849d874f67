//! Debian's packages as a graph: real data, tens of thousands of documents and
//! hundreds of thousands of edges.
//!
//! ```text
//! apt-get update
//! cargo run --release -p selvedge --example debian_packages
//! cargo run --release -p selvedge --example debian_packages -- path/to/Packages.xz
//! ```
//!
//! It finds and unpacks the indexes (`index_file.rs`), parses them (`stanza.rs`,
//! `relation.rs`, `version.rs`), loads them (`load.rs` says what becomes a node
//! and what an edge, `model.rs` how they are defined), compares the graph with a second, plain count of the same
//! files (`census.rs`), and asks it some questions (`questions.rs`).
//!
//! The exit status is not 0 if there is no index, if it has too few packages, or
//! if the graph and the count disagree.

mod census;
mod index_file;
mod load;
mod memory;
mod model;
mod options;
mod questions;
mod relation;
mod stanza;
mod version;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use selvedge::prelude::*;
use selvedge::query::{exists, sum};

use census::{Census, LARGE_KIB};
use load::Loaded;
use memory::Memory;
use model::{DependsOn, Package, Recommends, Virtual};
use options::Options;

/// Anything that goes wrong here; a database error turns into it by `?`.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let done = options::parse(std::env::args().skip(1))
        .and_then(|options| options.map_or(Ok(()), |options| run(&options)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("debian_packages: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let texts = read(options)?;
    let census = census::count(&texts);
    if census.packages < options.packages_min {
        return Err(format!(
            "the index describes {} packages, {} are expected: run `apt-get update` for the \
             whole index, give the path of another one, or lower --min-packages",
            census.packages, options.packages_min
        )
        .into());
    }
    println!("memory before the load: {}", Memory::now());
    let db = Db::in_memory();
    db.define(model::definitions())?;
    let loaded = load::load(&db, &texts, census.package_lines)?;
    drop(texts);
    let snapshot = db.snapshot()?;
    report(&snapshot, &loaded)?;
    compare(&snapshot, &loaded, &census)?;
    questions::ask(&snapshot)
}

fn read(options: &Options) -> Result<Vec<String>, Failure> {
    let of_the_system = options.files.is_empty();
    let files = if of_the_system { index_file::of_the_system()? } else { options.files.clone() };
    let began = Instant::now();
    let mut texts = Vec::new();
    for file in &files {
        let text = index_file::read(file)?;
        let name = file.file_name().unwrap_or(file.as_os_str()).display();
        println!("{:>5.1} MB  {name}", text.len() as f64 / 1e6);
        texts.push(text);
    }
    println!("read and unpacked in {:.1?}", began.elapsed());
    Ok(texts)
}

fn report(snapshot: &Snapshot<'_>, loaded: &Loaded) -> Result<(), Failure> {
    let rate = |number: u64, time: Duration| number as f64 / time.as_secs_f64();
    let (packages, virtuals) = (snapshot.count(Package::LABEL)?, snapshot.count(Virtual::LABEL)?);
    let edges = snapshot.edge_count()?;
    let (nodes_time, edges_time) = (loaded.nodes_time, loaded.edges_time);
    println!("memory after the load:  {}", Memory::now());
    println!("\n{:<10} {:>9} {:>10} {:>12}", "loaded", "number", "time", "per second");
    let whole = packages + loaded.duplicates;
    println!(
        "{:<10} {packages:>9} {nodes_time:>10.1?} {:>12.0}",
        "packages",
        rate(whole, nodes_time)
    );
    println!("{:<10} {edges:>9} {edges_time:>10.1?} {:>12.0}", "edges", rate(edges, edges_time));
    println!(
        "{virtuals} virtual or missing packages, {} duplicates left out, {} transactions",
        loaded.duplicates, loaded.transactions
    );
    Ok(())
}

/// The graph against the plain count, and against itself.
fn compare(snapshot: &Snapshot<'_>, loaded: &Loaded, census: &Census) -> Result<(), Failure> {
    let packages = snapshot.count(Package::LABEL)?;
    let scanned = |label| Ok::<_, Failure>(snapshot.scan(label)?.count() as u64);
    let virtuals = snapshot.count(Virtual::LABEL)?;
    let (depends, recommends) =
        (snapshot.count_edges(DependsOn::TYPE)?, snapshot.count_edges(Recommends::TYPE)?);
    let sizes = snapshot.query().from_label(Package::LABEL);
    let bytes = sizes.aggregate([sum("size")])?[0].as_u64().unwrap_or(0);
    let large = snapshot.index(Package::LABEL, "installed_size")?.range(LARGE_KIB..).count()?;
    let sections = as_counted(snapshot, "section", &census.sections)?;
    let maintainers = as_counted(snapshot, "maintainer", &census.maintainers)?;
    let into = edges_by_target(snapshot)?;
    println!("\n{:<52} {:>9} {:>9}", "checked", "graph", "expected");
    let mut disagree = Vec::new();
    for (what, found, expected) in [
        (
            "packages and duplicates == lines with Package:",
            packages + loaded.duplicates,
            census.package_lines,
        ),
        ("packages == plain count", packages, census.packages),
        ("scan of packages == their count", scanned(Package::LABEL)?, packages),
        ("scan of virtual packages == their count", scanned(Virtual::LABEL)?, virtuals),
        ("DEPENDS_ON == plain count of pairs", depends, census.depends),
        ("RECOMMENDS == plain count of pairs", recommends, census.recommends),
        ("edges found from their targets == their count", into, depends + recommends),
        ("sections with as many packages", sections, census.sections.len() as u64),
        ("maintainers with as many packages", maintainers, census.maintainers.len() as u64),
        ("packages in the upper range of sizes", large, census.large),
        ("bytes of all archives", bytes, census.bytes),
    ] {
        println!("{what:<52} {found:>9} {expected:>9}");
        if found != expected {
            disagree.push(format!("{what}: {found}, not {expected}"));
        }
    }
    if disagree.is_empty() {
        return Ok(());
    }
    Err(format!("the graph and the plain count disagree:\n{}", disagree.join("\n")).into())
}

/// How many values of a field the plain count and the index have with the same number of
/// packages; a group that was not counted counts, too.
fn as_counted(
    snapshot: &Snapshot<'_>,
    field: &str,
    counted: &BTreeMap<String, u64>,
) -> Result<u64, Failure> {
    let index = snapshot.index(Package::LABEL, field)?;
    let mut same = 0;
    for (value, count) in counted {
        same += u64::from(index.equal(&**value).count()? == *count);
    }
    let groups = snapshot.query().from_label(Package::LABEL).has(field, exists());
    let others = groups.group_count(field)?.into_iter();
    let is_other = |value: &Value| !value.as_str().is_some_and(|text| counted.contains_key(text));
    Ok(same + others.filter(|(value, _)| value.as_ref().is_some_and(is_other)).count() as u64)
}

fn edges_by_target(snapshot: &Snapshot<'_>) -> Result<u64, Failure> {
    let mut sum = 0;
    for label in [Package::LABEL, Virtual::LABEL] {
        for id in snapshot.scan(label)? {
            sum += snapshot.degree(id, Direction::In, None)?;
        }
    }
    Ok(sum)
}
