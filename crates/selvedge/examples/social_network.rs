//! A social network of typed nodes and edges: what is defined is kept by all who write.
//!
//! ```text
//! cargo run --release --example social_network
//! ```
//!
//! Structs are people, cities and how they belong together. Their definitions are stored,
//! so that a person of 200 years is refused, whoever writes it and in whatever way. Eight
//! threads make friends at once; each friendship is made once.

use std::process::ExitCode;
use std::thread;

use selvedge::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Node, Clone, Debug)]
#[serde(rename_all = "camelCase")]
struct Person {
    #[node(key, length = 1..=40)]
    name: String,
    #[node(max = 150)]
    age: u8,
    nick_name: Option<String>,
    #[node(default)]
    languages: Vec<String>,
}

#[derive(Serialize, Deserialize, Node, Debug)]
struct City {
    #[node(key)]
    code: u32,
    name: String,
}

#[derive(Serialize, Deserialize, Edge, Debug)]
#[edge(from = Person, to = Person)]
struct Knows {
    #[edge(min = 1900)]
    since: u16,
}

#[derive(Serialize, Deserialize, Edge, Clone, Copy, Debug)]
#[edge(from = Person, to = City)]
struct LivesIn;

const THREADS: usize = 8;
const PEOPLE: usize = 40;
const OSLO: u32 = 47;

fn name(number: usize) -> String {
    format!("person {number}")
}

fn person(number: usize) -> Person {
    let age = 20 + u8::try_from(number).unwrap_or(0);
    Person { name: name(number), age, nick_name: None, languages: vec!["en".to_owned()] }
}

/// Everybody comes to know the next three, again and again, from all threads.
fn make_friends(db: &Db) -> Result<(), Error> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    for step in 0..PEOPLE * 3 {
                        let (who, next) = ((step / 3 + thread * 5) % PEOPLE, step % 3 + 1);
                        let (from, to) = (name(who), name((who + next) % PEOPLE));
                        db.transaction_retry(RetryPolicy::default(), |ctx| {
                            if ctx.get_edge::<Knows>(&from, &to)?.is_none() {
                                ctx.link(&from, Knows { since: 2026 }, &to)?;
                            }
                            Ok::<_, Error>(())
                        })?;
                    }
                    Ok::<_, Error>(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })
}

fn run() -> Result<(), Error> {
    let db = Db::in_memory();
    db.define([
        Define::node::<Person>(),
        Define::node::<City>(),
        Define::edge::<Knows>(),
        Define::edge::<LivesIn>(),
    ])?;

    db.insert(&City { code: OSLO, name: "Oslo".to_owned() })?;
    db.insert_many((0..PEOPLE).map(person))?;
    db.batch((0..PEOPLE).step_by(2).map(|number| Op::link(name(number), LivesIn, OSLO)))?;
    make_friends(&db)?;

    db.update::<Person>("person 0").set("nickName", "Zero").set("age", 21).execute()?;
    let refused = db.update::<Person>("person 0").set("age", 200).execute();
    let refused = refused.expect_err("nobody is that old").to_string();
    println!("refused: {refused}");
    let misspelt = db.update::<Person>("person 0").set("nickname", "0").execute();
    println!("refused: {}", misspelt.expect_err("no such field"));

    let snapshot = db.snapshot()?;
    let zero = snapshot.get::<Person>("person 0")?.expect("inserted");
    println!("{} ({}) is {}", zero.name, zero.nick_name.as_deref().unwrap_or("-"), zero.age);
    for friend in snapshot.out_nodes::<Knows>(&zero)? {
        let friend = friend?;
        let city = snapshot.out_nodes::<LivesIn>(&friend)?.next().transpose()?;
        let city = city.map_or("nowhere".to_owned(), |city| city.into_value().name);
        println!("  knows {}, who lives in {city}", friend.name);
    }

    let known = snapshot.count_edges(Knows::TYPE)?;
    assert_eq!(known, 3 * PEOPLE as u64, "each friendship is made once");
    assert_eq!(snapshot.in_::<LivesIn>(OSLO)?.len(), PEOPLE / 2);
    assert_eq!(zero.age, 21, "what was refused has changed nothing");
    let ages: u64 = snapshot
        .all::<Person>()?
        .map(|person| person.map(|person| u64::from(person.age)))
        .sum::<Result<_, _>>()?;
    println!("{PEOPLE} people, {known} friendships, {ages} years");
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
