//! Databases on disk: what is kept, and how.

use std::path::PathBuf;

use selvedge::prelude::*;

/// A directory for a database, removed in the end.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("db.selvedge")
    }
}

fn fill(db: &Db, nodes: usize) -> Vec<NodeId> {
    db.transaction(|ctx| {
        let ids: Vec<_> = (0..nodes)
            .map(|n| {
                let text = "x".repeat(n % 300);
                ctx.insert("N", format!("n{n}").as_str(), doc! { "n": n as i64, "text": text })
            })
            .collect::<Result<_, _>>()?;
        for pair in ids.windows(2) {
            ctx.link(pair[0], "NEXT", pair[1], doc! { "weight": 1 })?;
        }
        Ok::<_, Error>(ids)
    })
    .unwrap()
}

fn expect_filled(db: &Db, ids: &[NodeId]) {
    let snapshot = db.snapshot().unwrap();
    assert_eq!(snapshot.count("N").unwrap(), ids.len() as u64);
    for (n, id) in ids.iter().enumerate() {
        let node = snapshot.node(*id).unwrap().expect("kept");
        assert_eq!(node.typed::<i64>("n").unwrap(), Some(n as i64));
        assert_eq!(node.get("text").unwrap().as_str().unwrap().len(), n % 300);
        let by_key = snapshot.get("N", &format!("n{n}")).unwrap().expect("kept");
        assert_eq!(by_key.id(), *id);
    }
    assert_eq!(snapshot.count_edges("NEXT").unwrap(), ids.len() as u64 - 1);
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
}

#[test]
fn what_was_committed_is_there_after_closing() {
    let place = Place::new();
    let db = Db::open(place.path()).unwrap();
    let ids = fill(&db, 3000);
    expect_filled(&db, &ids);
    db.close().unwrap();
    let db = Db::open(place.path()).unwrap();
    expect_filled(&db, &ids);
    let storage = db.statistics().storage.unwrap();
    assert_eq!(storage.recovery.commits, 0, "a checkpoint was written on close");
    drop(db);
    expect_filled(&Db::open(place.path()).unwrap(), &ids);
}

#[test]
fn what_was_committed_is_there_without_closing() {
    let place = Place::new();
    let db = Db::open(place.path()).unwrap();
    let ids = fill(&db, 2000);
    drop(db);
    let db = Db::open(place.path()).unwrap();
    assert_eq!(db.statistics().storage.unwrap().recovery.commits, 1);
    expect_filled(&db, &ids);
    db.checkpoint().unwrap();
    expect_filled(&db, &ids);
    db.set(ids[7], "n", 7).unwrap();
    db.checkpoint().unwrap();
    expect_filled(&db, &ids);
    drop(db);
    expect_filled(&Db::open(place.path()).unwrap(), &ids);
}
