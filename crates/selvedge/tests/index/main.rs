//! Property indexes: what they give, and that they always say what documents say.

mod building;
mod concurrent;
mod durable;
mod queries;
mod reading;
mod writing;

use selvedge::prelude::*;
use selvedge::{FieldDef, FieldType, IndexDef, IndexScan, NodeDef};

/// Users with a unique mail address, indexed by age, by city and age, and by tags.
fn users() -> NodeDef {
    NodeDef::new("User")
        .fields([
            FieldDef::string("email").optional().unique(),
            FieldDef::new("age", FieldType::Any).optional().indexed(),
            FieldDef::map("address").optional(),
            FieldDef::new("tags", FieldType::list(FieldType::String)).optional(),
        ])
        .index(IndexDef::on(["address.city", "age"]).named("city_age"))
        .index(IndexDef::on(["tags[]"]).named("tags"))
}

fn with_users() -> Result<Db, Error> {
    let db = Db::in_memory();
    db.define([users()])?;
    let people: [(&str, i64, &str, &[&str]); 5] = [
        ("alice", 31, "Oslo", &["red", "blue"]),
        ("bob", 25, "Oslo", &["red"]),
        ("carol", 40, "Rome", &[]),
        ("dave", 25, "Rome", &["green", "red", "green"]),
        ("erin", -3, "Paris", &["blue"]),
    ];
    for (name, age, city, tags) in people {
        let tags: Vec<Value> = tags.iter().map(|tag| Value::from(*tag)).collect();
        let email = format!("{name}@example.org");
        let address = doc! { "city": city };
        let document = doc! { "email": email, "age": age, "address": address, "tags": tags };
        db.insert_node("User", name, document)?;
    }
    Ok(db)
}

/// The keys of the nodes that a scan gives, in its order.
fn keys(scan: IndexScan<'_>) -> Result<Vec<String>, Error> {
    scan.nodes()?.map(|node| Ok(node?.key().unwrap_or_default().to_owned())).collect()
}

/// No check of the database finds anything wrong.
fn assert_sound(db: &Db) {
    assert_eq!(db.check().expect("it can be checked"), Vec::<String>::new());
}
