//! Wrong input and wrong use: each is refused with an error that says what is
//! wrong, nothing of it is applied, no name stays, and the database goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use selvedge::limits::{
    DOCUMENT_BYTES_MAX, DOCUMENT_DEPTH_MAX, EDGE_TYPES_MAX, HANDLE_LABEL_BYTES_MAX, LABELS_MAX,
    NAME_BYTES_MAX, NODE_KEY_BYTES_MAX, NODES_MAX, SAVEPOINTS_MAX, SNAPSHOTS_MAX,
};
use selvedge::prelude::*;
use selvedge::{
    Background, EdgeId, EdgeTypeId, EncodeError, ErrorKind, InputError, Result, Target, Timestamp,
    env::Env,
};

/// A small database, and what is in it.
struct Known {
    db: Db,
    alice: NodeId,
    bob: NodeId,
    knows: Edge,
    paid: Edge,
}

const MISSING: NodeId = NodeId::new(1 << 40);

fn known() -> Known {
    let (env, _) = Env::simulated(1);
    let db = Db::builder().background(Background::Manual).env(env).in_memory();
    let known = db.transaction(|ctx| {
        let document = doc! { "age": 31, "address": { "city": "Oslo", "lines": ["a"] } };
        let alice = ctx.insert_node("User", "alice", document)?;
        let bob = ctx.insert_node("User", "bob", doc! { "age": 32 })?;
        ctx.insert_node("City", "oslo", doc! {})?;
        ctx.define_edge_type("PAID", EdgeTypeDef::multi().from("User").to("User"))?;
        let knows = ctx.link_nodes(alice, "KNOWS", bob, doc! { "since": 2020 })?;
        let paid = ctx.link_nodes(alice, "PAID", bob, doc! { "amount": 10 })?;
        Ok::<_, Error>((alice, bob, knows, paid))
    });
    let (alice, bob, knows, paid) = known.expect("nothing is wrong");
    Known { db, alice, bob, knows, paid }
}

/// Everything that can be read.
fn image(reader: &impl Read) -> Vec<String> {
    let read = || {
        let mut image = vec![format!("{:?} {:?}", reader.labels()?, reader.edge_types()?)];
        image.push(format!("{} {}", reader.node_count()?, reader.edge_count()?));
        for name in reader.edge_types()? {
            image.push(format!("{name} {:?}", reader.edge_type_def(&name)?));
            image.push(format!("{}", reader.count_edges(&name)?));
        }
        for label in reader.labels()? {
            image.push(format!("{label} {}", reader.count(&label)?));
            for id in reader.scan(&label)? {
                let node = reader.node(id)?.expect("scanned");
                let holder =
                    node.key().map(|key| reader.get_node(&label, key)).transpose()?.flatten();
                image.push(format!("{id} {:?} {:?}", node.key(), holder.map(|node| node.id())));
                image.push(format!("{:?} {:?}", node.version(), node.document().to_document()));
                for edge in reader.edges(id, Direction::Both, None)? {
                    image.push(format!("{:?} {:?}", edge.edge(), edge.document().to_document()));
                }
            }
        }
        Ok::<_, Error>(image)
    };
    read().expect("reads")
}

impl Known {
    fn image(&self) -> Vec<String> {
        image(&self.db.snapshot().expect("few are open"))
    }

    /// Runs `wrong`, and demands that nothing came of it and the database works.
    fn nothing_comes_of<T>(&self, wrong: impl FnOnce() -> T) -> T {
        let (before, at) = (self.image(), self.db.timestamp());
        let result = wrong();
        assert_eq!(self.image(), before);
        assert_eq!(self.db.timestamp(), at, "nothing was committed");
        let statistics = self.db.statistics();
        assert_eq!((statistics.names_reserved, statistics.snapshots_open), (0, 0));
        self.works();
        result
    }

    fn works(&self) {
        let Self { db, alice, bob, .. } = self;
        let new = db.insert_node("User", "carol", doc! {}).expect("the database works");
        db.link_nodes(new, "KNOWS", *alice, doc! {}).expect("the database works");
        db.link_nodes(*bob, "PAID", new, doc! {}).expect("the database works");
        assert_eq!(db.delete_node(new).expect("the database works"), 2);
    }

    /// Demands that an operation is refused, on its own and in the middle of a
    /// transaction that goes on.
    fn refuses<T>(
        &self,
        expected: impl Fn(&InputError) -> bool,
        operation: impl Fn(&mut Transaction<'_>) -> Result<T>,
    ) {
        let judge = |error: &Error| {
            assert_eq!(error.kind(), ErrorKind::Input, "{error}");
            assert!(expected(error.input().expect("input")), "{error:?}");
            assert!(!error.to_string().is_empty() && !error.is_retryable());
        };
        self.nothing_comes_of(|| {
            let refused = self.db.transaction(|ctx| operation(ctx).map(drop));
            judge(&refused.expect_err("it is wrong"));
        });
        self.nothing_comes_of(|| {
            // Caught, and the transaction commits: with nothing in it.
            let done = self.db.transaction(|ctx| {
                let before = image(ctx);
                judge(&operation(ctx).map(drop).expect_err("it is wrong"));
                assert_eq!(image(ctx), before);
                Ok::<_, Error>(())
            });
            done.expect("nothing is wrong with the rest");
        });
        // Beside something that is right, which is kept.
        let done = self.db.transaction(|ctx| {
            let new = ctx.insert_node("User", "dave", doc! {})?;
            ctx.link_nodes(self.alice, "KNOWS", new, doc! { "n": 1 })?;
            let before = image(ctx);
            judge(&operation(ctx).map(drop).expect_err("it is wrong"));
            assert_eq!(image(ctx), before);
            Ok::<_, Error>(new)
        });
        let new = done.expect("nothing is wrong with the rest");
        assert_eq!(self.db.delete_node(new).expect("it is there"), 1);
        assert_eq!(self.db.statistics().names_reserved, 0);
    }
}

fn not_found(error: &InputError) -> bool {
    matches!(error, InputError::NotFound(_))
}

fn missing_endpoint(error: &InputError) -> bool {
    matches!(error, InputError::MissingEndpoint { missing, .. } if *missing == MISSING)
}

fn limit(actual: usize, limit: usize) -> impl Fn(&InputError) -> bool {
    let wanted = (actual as u64, limit as u64);
    move |error| matches!(error, InputError::Limit { actual, limit, .. } if (*actual, *limit) == wanted)
}

/// A document with maps inside one another, `depth` levels with itself.
fn nested(depth: usize) -> Document {
    let mut document = doc! { "end": true };
    for _ in 1..depth {
        let mut outer = Document::new();
        outer.set("in", document);
        document = outer;
    }
    document
}

/// Lists inside one another, `depth` levels.
fn nested_list(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |value, _| Value::List(vec![value]))
}

#[test]
fn reading_what_does_not_exist_finds_nothing() -> Result<()> {
    let known = known();
    known.nothing_comes_of(|| {
        let snapshot = known.db.snapshot()?;
        for id in [MISSING, NodeId::new(0), NodeId::new(u64::MAX)] {
            assert!(snapshot.node(id)?.is_none() && !snapshot.contains(id)?);
            for direction in [Direction::Out, Direction::In, Direction::Both] {
                assert_eq!(snapshot.neighbours(id, direction, None)?.count(), 0);
                assert_eq!(snapshot.edges(id, direction, "KNOWS")?.count(), 0);
                assert_eq!(snapshot.degree(id, direction, None)?, 0);
            }
            assert_eq!(snapshot.traverse(id)?.depth(0..=9).count(), 0);
            assert_eq!(snapshot.shortest_path(id, id)?.find(), None);
            assert_eq!(snapshot.shortest_path(known.alice, id)?.find(), None);
            assert!(snapshot.edge(known.alice, "KNOWS", id)?.is_none());
        }
        for name in ["nobody", "", "alice\0"] {
            assert!(snapshot.get_node("User", name)?.is_none());
            assert!(snapshot.get_node(name, "alice")?.is_none());
            assert_eq!((snapshot.count(name)?, snapshot.scan(name)?.count()), (0, 0));
            assert_eq!((snapshot.count_edges(name)?, snapshot.edge_type_def(name)?), (0, None));
            assert_eq!(snapshot.degree(known.alice, Direction::Out, name)?, 0);
            assert!(snapshot.edges_between(known.alice, name, known.bob)?.is_empty());
            let walk = snapshot.traverse(known.alice)?.edge_type(name).depth(1..=9);
            assert_eq!(walk.count(), 0);
        }
        // A range that is empty yields nothing, and ends.
        #[expect(clippy::reversed_empty_ranges, reason = "the point of the test")]
        let backwards = snapshot.traverse(known.alice)?.depth(3..=1);
        assert_eq!(backwards.count(), 0);
        Ok::<_, Error>(())
    })
}

#[test]
fn writing_to_what_does_not_exist_is_refused() {
    let known = known();
    let (alice, bob) = (known.alice, known.bob);
    known.refuses(not_found, |ctx| ctx.set(MISSING, "x", 1));
    known.refuses(not_found, |ctx| ctx.set_many(MISSING, doc! { "x": 1 }));
    known.refuses(not_found, |ctx| ctx.set_path(MISSING, "x.y", 1));
    known.refuses(not_found, |ctx| ctx.unset(MISSING, "x"));
    known.refuses(not_found, |ctx| ctx.replace(MISSING, doc! {}));
    known.refuses(not_found, |ctx| ctx.delete_node(MISSING));
    known.refuses(missing_endpoint, |ctx| ctx.link_nodes(alice, "NEW", MISSING, doc! {}));
    known.refuses(missing_endpoint, |ctx| ctx.link_nodes(MISSING, "NEW", alice, doc! {}));
    known.refuses(missing_endpoint, |ctx| ctx.link_nodes(MISSING, "KNOWS", MISSING, doc! {}));
    known.nothing_comes_of(|| {
        assert_eq!(known.db.unlink_nodes(alice, "NEW", bob).expect("nothing to do"), 0);
        assert_eq!(known.db.unlink_nodes(MISSING, "KNOWS", bob).expect("nothing to do"), 0);
    });
    // A version that is not there is found out at the commit.
    known.nothing_comes_of(|| {
        for (node, expected) in
            [(MISSING, Some(Timestamp::new(1))), (alice, None), (bob, Some(Timestamp::new(9)))]
        {
            let failed = known.db.transaction(|ctx| {
                ctx.set(alice, "x", 1)?;
                ctx.check(node, expected);
                Ok::<_, Error>(())
            });
            let failed = failed.expect_err("expected otherwise");
            assert_eq!(failed.kind(), ErrorKind::Expectation);
        }
    });
}

#[test]
fn a_link_to_a_node_that_the_same_transaction_deleted_is_refused() {
    let known = known();
    for (source, target) in [(known.alice, known.bob), (known.bob, known.alice)] {
        known.nothing_comes_of(|| {
            let refused = known.db.transaction(|ctx| {
                ctx.delete_node(known.bob)?;
                ctx.link_nodes(source, "KNOWS", target, doc! {})
            });
            let error = refused.expect_err("bob is gone");
            let gone = |error: &InputError| {
                matches!(error, InputError::MissingEndpoint { missing, .. } if *missing == known.bob)
            };
            assert!(error.input().is_some_and(gone), "{error}");
        });
        // Inserted and deleted again: as if it had never been.
        known.nothing_comes_of(|| {
            let refused = known.db.transaction(|ctx| {
                let new = ctx.insert_node("User", "new", doc! {})?;
                ctx.delete_node(new)?;
                ctx.link_nodes(source, "KNOWS", new, doc! {})
            });
            assert!(refused.is_err());
        });
    }
}

#[test]
fn edge_handles_that_name_no_edge_are_refused() {
    let known = known();
    let Known { alice, bob, knows, paid, .. } = known;
    let reversed = Edge { source: bob, target: alice, ..knows };
    let id = Some(EdgeId::new(77));
    let wrong = [
        reversed,
        Edge { edge_type: EdgeTypeId::new(9), ..knows },
        Edge { edge_type: paid.edge_type, ..knows },
        Edge { target: MISSING, ..knows },
        Edge { source: MISSING, ..knows },
        Edge { id, ..paid },
        Edge { source: bob, target: alice, ..paid },
        // Edges of a unique type have no id, those of a multi type have one.
        Edge { id, ..knows },
        Edge { id: paid.id, ..knows },
        Edge { id: Some(EdgeId::new(1)), ..knows },
        Edge { id: Some(EdgeId::new(0)), ..knows },
        Edge { id: None, ..paid },
        Edge { id: Some(EdgeId::new(0)), ..paid },
    ];
    for edge in wrong {
        known.refuses(not_found, |ctx| ctx.unlink_edge(edge));
        known.refuses(not_found, |ctx| ctx.set_edge(edge, doc! { "x": 1 }));
        known.refuses(not_found, |ctx| ctx.unset_edge(edge, "since"));
        known.refuses(not_found, |ctx| ctx.replace_edge(edge, doc! {}));
    }
    // An edge ends once.
    let done = known.db.transaction(|ctx| {
        ctx.unlink_edge(paid)?;
        ctx.unlink_edge(knows)?;
        for edge in [paid, knows] {
            assert!(ctx.unlink_edge(edge).is_err() && ctx.replace_edge(edge, doc! {}).is_err());
        }
        Ok::<_, Error>(())
    });
    done.expect("both are there");
    assert_eq!(known.db.snapshot().expect("few").edge_count().expect("reads"), 0);
}

#[test]
fn a_key_is_given_once() {
    let known = known();
    let taken = |error: &InputError| {
        matches!(error, InputError::KeyExists { label, key, existing }
            if (label.as_str(), key.as_str(), *existing) == ("User", "alice", known.alice))
    };
    known.refuses(taken, |ctx| ctx.insert_node("User", "alice", doc! {}));
    known.nothing_comes_of(|| {
        let twice = known.db.transaction(|ctx| {
            ctx.insert_node("User", "new", doc! {})?;
            ctx.insert_node("User", "new", doc! {})
        });
        assert!(matches!(twice.expect_err("twice").input(), Some(InputError::KeyExists { .. })));
    });
    // The same key under another label is another key; a deleted one is free.
    let done = known.db.transaction(|ctx| {
        ctx.insert_node("City", "alice", doc! {})?;
        ctx.delete_node(known.alice)?;
        ctx.insert_node("User", "alice", doc! {})
    });
    assert_ne!(done.expect("it is free"), known.alice);
}

#[test]
fn types_are_checked_in_paths_and_typed_reads() {
    let known = known();
    let alice = known.alice;
    let mismatch = |error: &InputError| matches!(error, InputError::TypeMismatch(_));
    known.refuses(mismatch, |ctx| ctx.set_path(alice, "age.years", 1));
    known.refuses(mismatch, |ctx| ctx.set_path(alice, "address.city.name", "x"));
    known.refuses(mismatch, |ctx| ctx.set_path(alice, "address.lines.first", "x"));
    let element = |error: &InputError| {
        matches!(error, InputError::Document { source: EncodeError::ListElement { .. }, .. })
    };
    known.refuses(element, |ctx| ctx.set_path(alice, "address.lines[0]", "x"));
    known.nothing_comes_of(|| {
        let snapshot = known.db.snapshot().expect("few are open");
        let node = snapshot.node(alice).expect("reads").expect("there");
        let error = node.typed::<String>("age").expect_err("it is a number");
        assert_eq!(error.to_string(), "`age` is i64, expected string");
        let error = Error::from(error);
        assert_eq!((error.kind(), error.input().is_some()), (ErrorKind::Input, true));
        assert!(node.typed::<u8>("address").is_err());
        assert!(node.typed::<Vec<f32>>("age").is_err());
        assert_eq!(node.typed::<i64>("height"), Ok(None));
    });
    // A closure may end with the mismatch itself.
    known.nothing_comes_of(|| {
        let read = known.db.transaction(|ctx| {
            ctx.set(alice, "age", 1)?;
            let node = ctx.node(alice)?.expect("there");
            Ok::<_, Error>(node.typed::<String>("age")?)
        });
        assert!(read.is_err());
    });
}

#[test]
fn names_and_keys_are_limited() {
    let known = known();
    let (alice, bob) = (known.alice, known.bob);
    let empty = |error: &InputError| matches!(error, InputError::EmptyName { .. });
    known.refuses(empty, |ctx| ctx.insert_node("", "key", doc! {}));
    known.refuses(empty, |ctx| ctx.upsert_node("", "key", doc! {}));
    known.refuses(empty, |ctx| ctx.link_nodes(alice, "", bob, doc! {}));
    known.refuses(empty, |ctx| ctx.define_edge_type("", EdgeTypeDef::multi()));
    known.refuses(empty, |ctx| ctx.define_edge_type("NEW", EdgeTypeDef::multi().from("")));
    known.refuses(empty, |ctx| ctx.define_edge_type("NEW", EdgeTypeDef::multi().to("")));

    let (name, long) = ("n".repeat(NAME_BYTES_MAX), "n".repeat(NAME_BYTES_MAX + 1));
    let over = || limit(NAME_BYTES_MAX + 1, NAME_BYTES_MAX);
    known.refuses(over(), |ctx| ctx.insert_node(&long, None, doc! {}));
    known.refuses(over(), |ctx| ctx.upsert_node(&long, "key", doc! {}));
    known.refuses(over(), |ctx| ctx.link_nodes(alice, &long, bob, doc! {}));
    known.refuses(over(), |ctx| ctx.define_edge_type(&long, EdgeTypeDef::multi()));
    known.refuses(over(), |ctx| ctx.define_edge_type("NEW", EdgeTypeDef::multi().to(&*long)));
    let over = |error: &InputError| {
        matches!(error, InputError::Document { source: EncodeError::NameTooLong { .. }, .. })
    };
    let field = |name: &str| Document::from([(name, 1)]);
    known.refuses(over, |ctx| ctx.insert_node("User", None, field(&long)));
    known.refuses(over, |ctx| ctx.set(alice, &long, 1));
    known.refuses(over, |ctx| ctx.set_path(alice, &format!("address.{long}"), 1));
    known.refuses(over, |ctx| ctx.set_many(alice, field(&long)));
    known.refuses(over, |ctx| ctx.replace(alice, field(&long)));
    known.refuses(over, |ctx| ctx.link_nodes(alice, "NEW", bob, field(&long)));
    known.refuses(over, |ctx| ctx.set_edge(known.knows, field(&long)));

    let (key, long_key) = ("k".repeat(NODE_KEY_BYTES_MAX), "k".repeat(NODE_KEY_BYTES_MAX + 1));
    let over = || limit(NODE_KEY_BYTES_MAX + 1, NODE_KEY_BYTES_MAX);
    known.refuses(over(), |ctx| ctx.insert_node("User", &*long_key, doc! {}));
    known.refuses(over(), |ctx| ctx.upsert_node("User", &long_key, doc! {}));
    known.refuses(over(), |ctx| ctx.insert_node("New label", &*long_key, doc! {}));

    // What meets the limits is taken. The empty key is a key.
    let met = known.db.transaction(|ctx| {
        let new = ctx.insert_node(&name, &*key, field(&name))?;
        ctx.set(alice, &name, 1)?;
        ctx.link_nodes(alice, &name, new, field(&name))?;
        let unnamed = ctx.insert_node(&name, "", doc! {})?;
        assert!(ctx.insert_node(&name, "", doc! {}).is_err());
        Ok::<_, Error>((new, unnamed))
    });
    let (new, unnamed) = met.expect("within the limits");
    let snapshot = known.db.snapshot().expect("few are open");
    let holder = |key: &str| snapshot.get_node(&name, key).expect("reads").map(|node| node.id());
    assert_eq!((holder(&key), holder(""), holder("k")), (Some(new), Some(unnamed), None));
    assert_eq!(snapshot.count_edges(&name).expect("reads"), 1);
}

#[test]
fn documents_are_limited_in_depth() {
    let known = known();
    let (alice, bob) = (known.alice, known.bob);
    let over = |error: &InputError| {
        matches!(error, InputError::Document { source: EncodeError::TooDeep { .. }, .. })
    };
    for depth in [DOCUMENT_DEPTH_MAX + 1, 5_000] {
        known.refuses(over, |ctx| ctx.insert_node("New", None, nested(depth)));
        known.refuses(over, |ctx| ctx.replace(alice, nested(depth)));
        known.refuses(over, |ctx| ctx.set_many(alice, nested(depth)));
        known.refuses(over, |ctx| ctx.set(alice, "x", nested(depth - 1)));
        known.refuses(over, |ctx| ctx.set(alice, "x", nested_list(depth)));
        known.refuses(over, |ctx| ctx.set_path(alice, "address.x", nested_list(depth - 1)));
        known.refuses(over, |ctx| ctx.link_nodes(alice, "NEW", bob, nested(depth)));
        known.refuses(over, |ctx| ctx.set_edge(known.knows, nested(depth)));
    }
    let path = vec!["x"; DOCUMENT_DEPTH_MAX + 1].join(".");
    known.refuses(over, |ctx| ctx.set_path(alice, &path, 1));
    let met = known.db.transaction(|ctx| {
        ctx.replace(alice, nested(DOCUMENT_DEPTH_MAX))?;
        ctx.set(bob, "list", nested_list(DOCUMENT_DEPTH_MAX - 1))?;
        ctx.set_path(bob, &path[2..], 1)?;
        ctx.set_edge(known.knows, nested(DOCUMENT_DEPTH_MAX))
    });
    met.expect("within the limit");
    let snapshot = known.db.snapshot().expect("few are open");
    let stored = snapshot.node(alice).expect("reads").expect("there").document().to_document();
    assert_eq!(stored, nested(DOCUMENT_DEPTH_MAX));
}

/// Refusing does not follow the nesting down. Dropping what the caller built
/// does, as the documentation of `Value` says: hence a large stack.
#[test]
fn a_document_nested_absurdly_deep_is_refused() {
    let work = || {
        let (known, depth) = (known(), 100_000);
        known.nothing_comes_of(|| {
            let (db, alice) = (&known.db, known.alice);
            for result in [
                db.replace(alice, nested(depth)),
                db.set(alice, "x", nested_list(depth)),
                db.insert_node("New", None, nested(depth)).map(drop),
                db.link_nodes(alice, "NEW", known.bob, nested(depth)).map(drop),
            ] {
                let error = result.expect_err("too deep");
                assert!(error.to_string().len() < 1_000, "{error}");
            }
        });
    };
    let large = std::thread::Builder::new().stack_size(256 << 20).spawn(work);
    large.expect("a thread").join().expect("no panic");
}

#[test]
fn documents_are_limited_in_size() {
    let known = known();
    let alice = known.alice;
    // A name of one byte with its length, a tag, the end with its width.
    let text = |bytes: usize| doc! { "t": "x".repeat(bytes) };
    let overhead = 2 + 1 + 4 + 1;
    let met = text(DOCUMENT_BYTES_MAX - overhead);
    known.db.replace(alice, met.clone()).expect("exactly the limit");
    let stored = |document: &Document| {
        let snapshot = known.db.snapshot().expect("few are open");
        let node = snapshot.node(alice).expect("reads").expect("there");
        assert!(node.document().to_document() == *document);
        assert_eq!(node.document().as_bytes().len(), DOCUMENT_BYTES_MAX);
    };
    stored(&met);
    let over = |error: &InputError| {
        matches!(
            error,
            InputError::Document { source: EncodeError::DocumentTooLong { .. }, .. }
                | InputError::Limit { .. }
        )
    };
    let too_long = text(DOCUMENT_BYTES_MAX - overhead + 1);
    let refused = |result: Result<()>| {
        assert!(over(result.expect_err("too long").input().expect("input")));
    };
    refused(known.db.replace(alice, too_long.clone()));
    refused(known.db.insert_node("New", None, too_long.clone()).map(drop));
    refused(known.db.link_nodes(alice, "NEW", known.bob, too_long).map(drop));
    refused(known.db.set(alice, "u", 1));
    refused(known.db.transaction(|ctx| ctx.set_path(alice, "u.v", 1)));
    stored(&met);
    assert_eq!(known.db.statistics().names_reserved, 0);
    known.works();
}

#[test]
fn edge_types_keep_their_definition() {
    let known = known();
    let (alice, db) = (known.alice, &known.db);
    let oslo =
        db.snapshot().expect("few").get_node("City", "oslo").expect("reads").expect("there").id();
    let against = |error: &InputError| matches!(error, InputError::EdgeType { .. });
    for def in [
        EdgeTypeDef::unique(),
        EdgeTypeDef::multi(),
        EdgeTypeDef::multi().from("User"),
        EdgeTypeDef::multi().from("User").to("City"),
    ] {
        known.refuses(against, |ctx| ctx.define_edge_type("PAID", def.clone()));
    }
    known.refuses(against, |ctx| ctx.define_edge_type("KNOWS", EdgeTypeDef::multi()));
    known.refuses(against, |ctx| ctx.link_nodes(alice, "PAID", oslo, doc! {}));
    known.refuses(against, |ctx| ctx.link_nodes(oslo, "PAID", alice, doc! {}));
    known.nothing_comes_of(|| {
        let twice = db.transaction(|ctx| {
            ctx.define_edge_type("NEW", EdgeTypeDef::unique())?;
            ctx.define_edge_type("NEW", EdgeTypeDef::multi())
        });
        assert!(twice.is_err());
    });
    known.nothing_comes_of(|| {
        let same = EdgeTypeDef::multi().from("User").to("User");
        db.define_edge_type("PAID", same).expect("the same again");
    });
    // Two that define the same name at once, differently: the second conflicts.
    let begin = || db.begin(&TransactionOptions::new()).expect("few are open");
    let (mut first, mut second, mut third) = (begin(), begin(), begin());
    first.define_edge_type("NEW", EdgeTypeDef::multi()).expect("new");
    second.link_nodes(alice, "NEW", known.bob, doc! {}).expect("new to it, too: unique");
    third.define_edge_type("NEW", EdgeTypeDef::multi()).expect("as the first");
    first.commit().expect("first");
    assert!(second.commit().is_err_and(|error| error.is_retryable()));
    third.commit().expect("the same definition is no conflict");
    assert_eq!(db.snapshot().expect("few").count_edges("NEW").expect("reads"), 0);
    assert_eq!(db.statistics().names_reserved, 0);
}

#[test]
fn a_batch_applies_all_or_nothing() {
    let known = known();
    let right = || {
        [
            Op::insert_node("New label", "new", doc! { "n": 1 }),
            Op::set(known.alice, "x", 1),
            Op::link_nodes(known.alice, "NEW", Target::Inserted(0), doc! {}),
            Op::upsert_node("User", "bob", doc! {}),
            Op::unset(("User", "alice"), "age"),
            Op::unlink_nodes(known.alice, "KNOWS", known.bob),
            Op::delete_node(("City", "oslo")),
        ]
    };
    let wrong = [
        Op::set(MISSING, "x", 1),
        Op::insert_node("User", "alice", doc! {}),
        Op::insert_node("", None, doc! {}),
        Op::link_nodes(known.bob, "NEWER", MISSING, doc! {}),
        Op::delete_node(("User", "nobody")),
        Op::replace(("No label", "key"), doc! {}),
        Op::set(Target::Inserted(99), "x", 1),
        Op::link_nodes(known.bob, "PAID", Target::Inserted(1_000), doc! {}),
        Op::insert_node("Newest label", None, nested(DOCUMENT_DEPTH_MAX + 1)),
    ];
    for wrong in wrong {
        for at in 0..=right().len() {
            known.nothing_comes_of(|| {
                let mut ops = right().to_vec();
                // What refers to a place behind is moved with it.
                if at == 0 {
                    ops.remove(2);
                }
                let at = at.min(ops.len());
                ops.insert(at, wrong.clone());
                let error = known.db.batch(ops).expect_err("one is wrong");
                assert!(matches!(error, Error::Batch { index, .. } if index == at), "{error:?}");
                assert_eq!((error.kind(), error.input().is_some()), (ErrorKind::Input, true));
            });
        }
    }
    known.nothing_comes_of(|| {
        assert!(known.db.batch([]).expect("nothing to do").is_empty());
        // Only what an operation inserted can be referred to as inserted.
        let ops = [Op::delete_node(known.bob), Op::set(Target::Inserted(0), "x", 1)];
        let error = known.db.batch(ops).expect_err("deleted, not inserted");
        assert!(matches!(error.input(), Some(InputError::NoInsert { place: 0 })));
    });
    assert_eq!(known.db.batch(right()).expect("all are right").len(), right().len());
}

/// Stages a bit of everything.
fn stage(known: &Known, ctx: &mut Transaction<'_>) -> Result<()> {
    let new = ctx.insert_node("New label", "new", doc! {})?;
    ctx.link_nodes(known.alice, "NEW", new, doc! { "n": 1 })?;
    ctx.set(known.bob, "age", 1)?;
    ctx.define_edge_type("NEWER", EdgeTypeDef::multi())?;
    ctx.delete_node(known.alice)?;
    Ok(())
}

#[test]
fn a_closure_that_panics_or_fails_leaves_no_trace() {
    let known = known();
    #[derive(Debug, PartialEq)]
    enum Own {
        Refused,
        Database(Error),
    }
    impl From<Error> for Own {
        fn from(error: Error) -> Self {
            Self::Database(error)
        }
    }
    known.nothing_comes_of(|| {
        let failed = known.db.transaction(|ctx| {
            stage(&known, ctx)?;
            Err::<(), _>(Own::Refused)
        });
        assert_eq!(failed, Err(Own::Refused));
    });
    known.nothing_comes_of(|| {
        let mut runs = 0;
        let failed = known.db.transaction_retry(RetryPolicy::default(), |ctx| {
            runs += 1;
            stage(&known, ctx)?;
            Err::<(), _>(Own::Refused)
        });
        assert_eq!((failed, runs), (Err(Own::Refused), 1), "not a conflict: not again");
    });
    for retrying in [false, true] {
        known.nothing_comes_of(|| {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let work = |ctx: &mut Transaction<'_>| -> Result<()> {
                    stage(&known, ctx)?;
                    panic!("on purpose");
                };
                if retrying {
                    known.db.transaction_retry(RetryPolicy::default(), work)
                } else {
                    known.db.transaction(work)
                }
            }));
            assert!(panicked.is_err());
        });
        known.nothing_comes_of(|| {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                known.db.view(|_| -> Result<()> { panic!("on purpose") })
            }));
            assert!(panicked.is_err());
        });
    }
}

#[test]
fn a_transaction_inside_a_closure_is_refused_on_the_same_database() {
    let known = known();
    let db = &known.db;
    let other = Db::in_memory();
    let nested = |result: Result<()>| {
        let error = result.expect_err("nested");
        assert_eq!((error.clone(), error.kind()), (Error::NestedTransaction, ErrorKind::Usage));
    };
    known.nothing_comes_of(|| {
        let outer = db.transaction(|_| {
            nested(db.transaction(|_| Ok(())));
            nested(db.clone().transaction(|_| Ok(())));
            nested(db.transaction_retry(RetryPolicy::default(), |_| Ok(())));
            nested(db.insert_node("New", None, doc! {}).map(drop));
            nested(db.batch([Op::insert_node("New", None, doc! {})]).map(drop));
            // Reading, and transactions that do not hide inside a closure.
            assert_eq!(db.view(|snapshot| snapshot.count("User"))?, 2);
            assert_eq!(db.snapshot()?.count("User")?, 2);
            let mut explicit = db.begin(&TransactionOptions::new())?;
            explicit.insert_node("New", None, doc! {})?;
            explicit.rollback();
            // Another database, and this one from another thread.
            other.transaction(|ctx| {
                nested(db.transaction(|_| Ok(())));
                nested(other.transaction(|_| Ok(())));
                ctx.insert_node("New", None, doc! {}).map(drop)
            })?;
            std::thread::scope(|scope| {
                scope.spawn(|| db.transaction(|_| Ok::<_, Error>(()))).join().expect("no panic")
            })
        });
        outer.expect("only what is inside is refused");
    });
    assert_eq!(other.snapshot().expect("few").count("New").expect("reads"), 1);
    // After a panic, and after an error, closures run again.
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        db.transaction(|_| db.transaction(|_| -> Result<()> { panic!("never run") }))
    }));
    nested(panicked.expect("the inner closure never runs"));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        db.transaction(|_| -> Result<()> { panic!("on purpose") })
    }));
    assert!(panicked.is_err());
    known.works();
}

#[test]
fn savepoints_end() -> Result<()> {
    let known = known();
    let ended = |result: Result<()>| {
        let error = result.expect_err("it has ended");
        assert!(matches!(error.input(), Some(InputError::SavepointEnded)), "{error}");
    };
    known.nothing_comes_of(|| {
        let mut other = known.db.begin(&TransactionOptions::new())?;
        let foreign = other.savepoint()?;
        let mut ctx = known.db.begin(&TransactionOptions::new())?;
        let before = image(&ctx);
        ended(ctx.rollback_to(foreign));
        ended(ctx.release(foreign));
        let first = ctx.savepoint()?;
        stage(&known, &mut ctx)?;
        let second = ctx.savepoint()?;
        let third = ctx.savepoint()?;
        ctx.release(second)?;
        ended(ctx.rollback_to(second));
        ended(ctx.rollback_to(third));
        ended(ctx.release(second));
        let staged = image(&ctx);
        ended(ctx.rollback_to(foreign));
        assert_eq!(image(&ctx), staged);
        let fourth = ctx.savepoint()?;
        ctx.rollback_to(first)?;
        ended(ctx.rollback_to(fourth));
        assert_eq!(image(&ctx), before);
        ctx.rollback_to(first)?;
        ctx.release(first)?;
        ended(ctx.rollback_to(first));
        // Nothing is left to commit.
        assert_eq!(ctx.commit()?, known.db.timestamp());
        Ok::<_, Error>(())
    })
}

#[test]
fn retries_end() {
    let known = known();
    let (db, alice) = (&known.db, known.alice);
    for attempts in [1, 2, 7] {
        let mut runs = 0;
        let policy = RetryPolicy::default().attempts_max(attempts);
        let failed = db.transaction_retry(policy, |ctx| {
            runs += 1;
            ctx.set(alice, "by", "me")?;
            ctx.insert_node("New label", None, doc! {})?;
            // Somebody is always faster.
            std::thread::scope(|scope| {
                let other = scope.spawn(|| db.set(alice, "by", runs));
                other.join().expect("no panic")
            })
        });
        let error = failed.expect_err("never lucky");
        assert!(matches!(error, Error::RetriesExhausted { attempts: n, .. } if n == attempts));
        assert_eq!((error.kind(), runs), (ErrorKind::Busy, attempts));
        assert!(error.conflict().is_some() && !error.is_retryable());
    }
    let snapshot = db.snapshot().expect("few are open");
    assert_eq!(snapshot.count("New label").expect("reads"), 0);
    assert_eq!(db.statistics().names_reserved, 0);
    assert_eq!(RetryPolicy::default().attempts_max(0).attempts(), 1, "once, at least");
}

#[test]
fn handles_are_limited_and_their_labels_too() -> Result<()> {
    let known = known();
    let db = &known.db;
    known.nothing_comes_of(|| {
        let mut open = Vec::new();
        for _ in 0..SNAPSHOTS_MAX {
            open.push(db.snapshot()?);
        }
        for result in [
            db.snapshot().map(drop),
            db.snapshot_labelled("one more").map(drop),
            db.begin(&TransactionOptions::new().label("one more")).map(drop),
            db.insert_node("New", None, doc! {}).map(drop),
            db.view(|_| Ok(())),
        ] {
            let error = result.expect_err("too many");
            assert_eq!((error.clone(), error.kind()), (Error::TooManySnapshots, ErrorKind::Busy));
        }
        assert_eq!(db.statistics().snapshots_open, SNAPSHOTS_MAX as u64);
        // One ends, and one can begin.
        open.swap_remove(SNAPSHOTS_MAX / 2);
        open.push(db.snapshot()?);
        assert!(db.snapshot().is_err());
        open.clear();
        while db.step(64) {}
        Ok::<_, Error>(())
    })?;
    // The label is cut at a character's border.
    let long = "é".repeat(HANDLE_LABEL_BYTES_MAX);
    let snapshot = db.snapshot_labelled(&long)?;
    let label = db.statistics().oldest_snapshot.and_then(|oldest| oldest.label);
    assert_eq!(label.as_deref(), Some(&long[..HANDLE_LABEL_BYTES_MAX - 1]));
    drop(snapshot);
    let exact = "e".repeat(HANDLE_LABEL_BYTES_MAX);
    let transaction = db.begin(&TransactionOptions::new().label(&*exact))?;
    let label = db.statistics().oldest_snapshot.and_then(|oldest| oldest.label);
    assert_eq!(label, Some(exact));
    drop(transaction);
    Ok(())
}

#[test]
fn savepoints_and_writes_of_a_transaction_are_limited() -> Result<()> {
    let known = known();
    let db = &known.db;
    known.nothing_comes_of(|| {
        let mut ctx = db.begin(&TransactionOptions::new())?;
        let mut last = ctx.savepoint()?;
        for _ in 1..SAVEPOINTS_MAX {
            last = ctx.savepoint()?;
        }
        let error = ctx.savepoint().expect_err("too many");
        assert!(limit(SAVEPOINTS_MAX + 1, SAVEPOINTS_MAX)(error.input().expect("input")));
        ctx.release(last)?;
        ctx.savepoint()?;
        assert!(ctx.savepoint().is_err());
        Ok::<_, Error>(())
    })?;
    // A limit of three: a node and two edges fill it.
    let few = TransactionOptions::new().writes_max(3);
    let full = |result: Result<()>| {
        let error = result.expect_err("full");
        assert!(matches!(error.input(), Some(InputError::Limit { limit: 3, .. })), "{error}");
    };
    known.nothing_comes_of(|| {
        let mut ctx = db.begin(&few)?;
        ctx.set(known.bob, "age", 1)?;
        // Alice has two edges: three writes more.
        let before = image(&ctx);
        full(ctx.delete_node(known.alice).map(drop));
        assert_eq!(image(&ctx), before);
        ctx.insert_node("User", None, doc! {})?;
        ctx.insert_node("User", None, doc! {})?;
        let before = image(&ctx);
        full(ctx.insert_node("New label", None, doc! {}).map(drop));
        full(ctx.upsert_node("New label", "key", doc! {}).map(drop));
        full(ctx.link_nodes(known.alice, "NEW", known.bob, doc! {}).map(drop));
        full(ctx.unlink_nodes(known.alice, "KNOWS", known.bob).map(drop));
        full(ctx.link_nodes(known.alice, "KNOWS", known.bob, doc! { "since": 2021 }).map(drop));
        full(ctx.link_nodes(known.alice, "PAID", known.bob, doc! {}).map(drop));
        for edge in [known.knows, known.paid] {
            full(ctx.set_edge(edge, doc! { "note": 1 }));
            full(ctx.unlink_edge(edge));
        }
        assert_eq!(image(&ctx), before);
        assert_eq!(db.statistics().names_reserved, 0);
        Ok::<_, Error>(())
    })
}

#[test]
fn labels_and_edge_types_are_limited() -> Result<()> {
    const PER_TRANSACTION: usize = 512;
    let known = known();
    let db = &known.db;
    let (labels, types) = {
        let snapshot = db.snapshot()?;
        (snapshot.labels()?.len(), snapshot.edge_types()?.len())
    };
    let mut new = (labels..LABELS_MAX).peekable();
    while new.peek().is_some() {
        db.transaction(|ctx| {
            new.by_ref()
                .take(PER_TRANSACTION)
                .try_for_each(|n| ctx.insert_node(&format!("label {n}"), None, doc! {}).map(drop))
        })?;
    }
    let mut new = (types..EDGE_TYPES_MAX).peekable();
    while new.peek().is_some() {
        db.transaction(|ctx| {
            new.by_ref()
                .take(PER_TRANSACTION)
                .try_for_each(|n| ctx.define_edge_type(&format!("type {n}"), EdgeTypeDef::unique()))
        })?;
    }
    let snapshot = db.snapshot()?;
    assert_eq!(snapshot.labels()?.len(), LABELS_MAX);
    assert_eq!(snapshot.edge_types()?.len(), EDGE_TYPES_MAX);
    drop(snapshot);
    let full = |result: Result<()>, most: usize| {
        let error = result.expect_err("full");
        assert!(limit(most + 1, most)(error.input().expect("input")), "{error}");
    };
    let at = db.timestamp();
    full(db.insert_node("one more", None, doc! {}).map(drop), LABELS_MAX);
    full(db.upsert_node("one more", "key", doc! {}).map(drop), LABELS_MAX);
    full(db.define_edge_type("one more", EdgeTypeDef::multi()), EDGE_TYPES_MAX);
    full(db.link_nodes(known.bob, "one more", known.alice, doc! {}).map(drop), EDGE_TYPES_MAX);
    assert_eq!((db.timestamp(), db.statistics().names_reserved), (at, 0));
    known.works();
    Ok(())
}

#[test]
fn a_name_given_back_at_the_limit_can_be_used() -> Result<()> {
    let db = Db::in_memory();
    let mut open = db.begin(&TransactionOptions::new())?;
    open.insert_node("A", None, doc! {})?;
    open.define_edge_type("E", EdgeTypeDef::multi())?;
    assert_eq!(db.statistics().names_reserved, 2);
    open.rollback();
    assert_eq!(db.statistics().names_reserved, 0);
    db.insert_node("B", None, doc! {})?;
    assert_eq!(db.snapshot()?.labels()?, ["B"]);
    Ok(())
}

#[test]
fn ids_end_and_are_never_given_twice() -> Result<()> {
    let db = Db::builder().first_node_id(NODES_MAX - 1).first_edge_id(NODES_MAX).in_memory();
    let a = db.insert_node("Node", "a", doc! { "n": 1 })?;
    let b = db.insert_node("Node", "b", doc! {})?;
    assert_eq!((a.get(), b.get()), (NODES_MAX - 1, NODES_MAX));
    db.define_edge_type("MULTI", EdgeTypeDef::multi())?;
    db.link_nodes(a, "MULTI", b, doc! { "n": 1 })?;
    let ended = |result: Result<()>| {
        let error = result.expect_err("no id is left");
        let ended = |error: &InputError| matches!(error, InputError::Limit { limit, .. } if *limit == NODES_MAX);
        assert!(error.input().is_some_and(ended), "{error}");
    };
    for _ in 0..3 {
        ended(db.insert_node("New label", "c", doc! {}).map(drop));
        ended(db.upsert_node("New label", "c", doc! {}).map(drop));
        ended(db.link_nodes(a, "MULTI", b, doc! {}).map(drop));
        ended(db.link_nodes(a, "NEW", b, doc! { "n": 1 }).map(drop));
    }
    assert_eq!(db.statistics().names_reserved, 0);
    // Refused in the middle of a transaction that goes on, it stages nothing.
    db.transaction(|ctx| {
        ctx.set(a, "n", 2)?;
        let before = image(ctx);
        ended(ctx.link_nodes(a, "MULTI", b, doc! {}).map(drop));
        ended(ctx.link_nodes(a, "NEW", b, doc! { "n": 1 }).map(drop));
        ended(ctx.insert_node("New label", None, doc! {}).map(drop));
        assert_eq!(image(ctx), before);
        Ok::<_, Error>(())
    })?;
    // An edge without a document needs no number.
    db.link_nodes(b, "PLAIN", a, doc! {})?;
    let snapshot = db.snapshot()?;
    assert!(snapshot.scan("Node")?.eq([a, b]));
    assert_eq!(snapshot.labels()?, ["Node"]);
    assert_eq!(snapshot.edge_types()?, ["MULTI", "PLAIN"]);
    assert_eq!(snapshot.neighbours(a, Direction::Both, None)?.collect::<Vec<_>>(), [b, b]);
    assert_eq!(snapshot.get_node("Node", "b")?.map(|node| node.id()), Some(b));
    drop(snapshot);
    assert_eq!(db.delete_node(a)?, 2);
    ended(db.insert_node("Node", None, doc! {}).map(drop));
    Ok(())
}
