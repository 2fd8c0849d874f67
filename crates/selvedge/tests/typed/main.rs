//! Structs as nodes and edges: what is stored of them, the operations on them, and what is
//! refused.

#![allow(clippy::unwrap_used, reason = "tests")]

mod batch;
mod defined;
mod definitions;
mod edges;
mod migrations;
mod nodes;
mod queries;
mod refusals;

use selvedge::prelude::*;
use serde::{Deserialize, Serialize};

/// With a key, an option and a default of serde's.
#[derive(Serialize, Deserialize, Node, Clone, PartialEq, Debug)]
struct User {
    #[node(key)]
    name: String,
    #[node(max = 150)]
    age: u8,
    #[node(length = 1..=10)]
    nick: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

impl User {
    fn new(name: &str, age: u8) -> Self {
        Self { name: name.to_owned(), age, nick: None, tags: Vec::new() }
    }
}

/// With a key that is a number.
#[derive(Serialize, Deserialize, Node, Clone, PartialEq, Debug)]
struct Account {
    #[node(key)]
    number: u64,
    balance: i64,
}

/// Without a key.
#[derive(Serialize, Deserialize, Node, Clone, PartialEq, Debug)]
#[node(label = "Login")]
struct Event {
    at: u64,
}

#[derive(Serialize, Deserialize, Edge, Clone, PartialEq, Debug)]
#[edge(from = User, to = User)]
struct Knows {
    since: u16,
    note: Option<String>,
}

impl Knows {
    fn since(since: u16) -> Self {
        Self { since, note: None }
    }
}

#[derive(Serialize, Deserialize, Edge, Clone, PartialEq, Debug)]
#[edge(type = "PAID", from = Account, to = Account, multi)]
struct Payment {
    amount: u32,
}

/// Without fields, and to whatever there is.
#[derive(Serialize, Deserialize, Edge, Clone, Copy, PartialEq, Debug)]
#[edge(from = User)]
struct DidSee;

/// A database with Alice and Bob.
fn people() -> (Db, NodeId, NodeId) {
    let db = Db::in_memory();
    let ids = db.insert_many([User::new("alice", 31), User::new("bob", 40)]).unwrap();
    (db, ids[0], ids[1])
}
