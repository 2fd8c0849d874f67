//! What the store promises while nothing goes wrong.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use selvedge_base::Timestamp;
use selvedge_env::{FileSystem, OpenMode, RealFiles, SimulatedFiles};
use selvedge_storage::{
    CheckpointStatistics, FileNumber, Identity, LogStart, StorageError, Store, document_checksum,
};

use crate::model::{IDENTITY, Model, all_places, assert_sound, create, key, numbers, open, places};
use crate::temp_dir::TempDir;

/// Runs with real and with simulated files.
fn with_files(test: impl Fn(&Arc<dyn FileSystem>, &Path)) {
    let dir = TempDir::new();
    let real: Arc<dyn FileSystem> = Arc::new(RealFiles);
    test(&real, &dir.path().join("db.selvedge"));
    test(&SimulatedFiles::new(1).process(), Path::new("db.selvedge"));
}

fn keys<const N: usize>(keys: [(u8, u64); N]) -> BTreeSet<selvedge_storage::BlockKey> {
    keys.into_iter().map(|(table, leaf)| key(table, leaf)).collect()
}

/// Two leaves, one of them large.
fn sample() -> Model {
    let mut model = Model::default();
    for slot in 0..10 {
        model.set(key(0, 0), slot, &[slot as u8; 333]);
    }
    model.set(key(1, 7), 3, b"small");
    model
}

#[test]
fn a_new_database_is_empty_and_durable() {
    with_files(|files, dir| {
        assert!(Store::open(files.clone(), dir).unwrap().is_none(), "no directory");
        assert!(Store::open_read_only(files.clone(), dir).unwrap().is_none());
        let store = create(files, dir).unwrap();
        assert_sound(&**files, &store);
        drop(store);
        let store = open(files, dir).unwrap();
        let contents = store.contents();
        let manifest = contents.manifest();
        assert_eq!(manifest.identity, IDENTITY);
        assert_eq!((manifest.generation, manifest.timestamp), (0, Timestamp::ZERO));
        assert_eq!((manifest.log, manifest.incarnation), (LogStart::default(), 0));
        assert!(contents.blocks().is_empty() && manifest.engine.is_empty());
        assert_eq!(store.remove_leftovers(), Ok(0));
    });
}

#[test]
fn what_is_published_is_read_back_now_and_later() {
    with_files(|files, dir| {
        let mut store = create(files, dir).unwrap();
        let model = sample();
        let published = model.checkpoint(&store, &keys([(0, 0), (1, 7)]), 1).unwrap();
        assert!(published.died.is_empty());
        assert!(Arc::ptr_eq(&published.contents, &store.contents()));
        let file_bytes = store.contents().files()[0].len();
        let expected = CheckpointStatistics {
            documents: 11,
            document_bytes: 3335,
            blocks: 2,
            block_bytes: 11 * 32,
            directory_bytes: 2 * (40 + 16),
            file_bytes,
        };
        assert_eq!(published.statistics, expected);
        assert_eq!(file_bytes, 32 + 10 * 336 + 8 + (8 + 320) + (8 + 32) + (8 + 112));
        for _ in 0..2 {
            assert_eq!(Model::read(&store.contents()), Ok(model.clone()));
            assert_sound(&**files, &store);
            let contents = store.contents();
            let (manifest, facts) = (contents.manifest(), Model::facts(1));
            assert_eq!(manifest.generation, 1);
            assert_eq!((manifest.timestamp, manifest.log), (facts.timestamp, facts.log));
            assert_eq!((manifest.incarnation, &manifest.engine), (1, &facts.engine));
            drop(store);
            store = open(files, dir).unwrap();
        }
    });
}

#[test]
fn a_document_that_did_not_change_stays_where_it_is() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        let mut model = sample();
        model.checkpoint(&store, &keys([(0, 0), (1, 7)]), 1).unwrap();
        let before = places(&store.contents(), key(0, 0)).unwrap();
        model.set(key(0, 0), 4, b"new");
        let published = model.checkpoint(&store, &keys([(0, 0)]), 2).unwrap();
        assert_eq!(published.statistics.documents, 1);
        assert_eq!(numbers(&published.contents).len(), 2);
        for (slot, place) in places(&published.contents, key(0, 0)).unwrap() {
            assert_eq!(before.get(&slot) == Some(&place), slot != 4);
        }
        assert_eq!(Model::read(&store.contents()), Ok(model));
        assert_sound(&**files, &store);
    });
}

#[test]
fn a_file_that_is_mostly_dead_is_emptied_and_removed() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        let mut model = sample();
        let all = keys([(0, 0), (1, 7)]);
        model.checkpoint(&store, &all, 1).unwrap();
        let first = numbers(&store.contents())[0];
        let held = store.contents();
        let document = held.document(places(&held, key(1, 7)).unwrap()[&3]).unwrap();
        for slot in 0..6 {
            model.set(key(0, 0), slot, &[99; 333]);
        }
        model.checkpoint(&store, &keys([(0, 0)]), 2).unwrap();
        assert!(numbers(&store.contents()).contains(&first), "four documents of ten are in it");

        let writer = store.begin().unwrap();
        assert!(writer.is_leaving(first));
        assert_eq!(BTreeSet::from_iter(writer.keys_leaving()), all);
        drop(writer);
        model.set(key(2, 2), 2, b"something else");
        let published = model.checkpoint(&store, &keys([(2, 2)]), 3).unwrap();
        let died: Vec<_> = published.died.iter().map(|file| file.number()).collect();
        assert_eq!(died, [first]);
        assert_eq!(Model::read(&store.contents()), Ok(model));
        assert_sound(&**files, &store);
        // What went is there for those who hold it.
        assert_eq!(document, b"small");
        assert!(store.contents().place_of(document).is_none());
        assert_eq!(held.place_of(document).map(|(file, _)| file), Some(first));
    });
}

#[test]
fn a_file_that_a_block_goes_on_to_use_stays() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        let mut model = sample();
        model.checkpoint(&store, &keys([(0, 0), (1, 7)]), 1).unwrap();
        for slot in 0..8 {
            model.set(key(0, 0), slot, &[99; 333]);
        }
        model.checkpoint(&store, &keys([(0, 0)]), 2).unwrap();
        let first = numbers(&store.contents())[0];
        let mut writer = store.begin().unwrap();
        assert!(writer.is_leaving(first));
        // Nothing of what leaves is written again.
        let place = writer.document(b"more").unwrap();
        writer.block(key(3, 3), &place.to_bytes(), [place]).unwrap();
        let published = store.publish(writer.finish().unwrap(), Model::facts(3)).unwrap();
        assert!(published.died.is_empty());
        assert!(numbers(&published.contents).contains(&first));
        assert_eq!(published.contents.check().finish().problems, []);
    });
}

#[test]
fn a_checkpoint_without_changes_writes_a_manifest_alone() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        let model = sample();
        for number in 1..=2 {
            let published = model.checkpoint(&store, &BTreeSet::new(), number).unwrap();
            assert_eq!(published.statistics, CheckpointStatistics::default());
            assert!(published.contents.files().is_empty() && published.died.is_empty());
        }
        model.checkpoint(&store, &keys([(0, 0), (1, 7)]), 3).unwrap();
        let published = model.checkpoint(&store, &BTreeSet::new(), 4).unwrap();
        assert_eq!(published.statistics, CheckpointStatistics::default());
        assert_eq!(numbers(&published.contents).len(), 1);
        // Documents that no block refers to are no change.
        let mut writer = store.begin().unwrap();
        writer.document(b"for nothing").unwrap();
        writer.remove(key(9, 9));
        let finished = writer.finish().unwrap();
        assert_eq!(store.publish(finished, Model::facts(5)).unwrap().statistics.file_bytes, 0);
        assert_sound(&**files, &store);
        drop(store);
        let store = open(files, dir).unwrap();
        assert_eq!(Model::read(&store.contents()), Ok(model));
        assert_eq!(store.contents().manifest().generation, 5);
    });
}

#[test]
fn a_database_that_is_emptied_has_no_files() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        let all = keys([(0, 0), (1, 7)]);
        sample().checkpoint(&store, &all, 1).unwrap();
        let published = Model::default().checkpoint(&store, &all, 2).unwrap();
        assert_eq!(published.died.len(), 1);
        assert_eq!(published.contents.manifest().directory, None);
        assert_sound(&**files, &store);
        drop(store);
        assert_eq!(Model::read(&open(files, dir).unwrap().contents()), Ok(Model::default()));
    });
}

#[test]
fn an_idle_database_with_a_large_directory_is_left_alone() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        let mut model = Model::default();
        let mut number = 0;
        let mut checkpoint = |model: &Model, changed: &BTreeSet<_>| {
            number += 1;
            model.checkpoint(&store, changed, number).unwrap().statistics.file_bytes
        };
        for leaf in 0..200 {
            model.set(key(0, leaf), 0, b"");
            if leaf % 20 == 19 {
                let changed = (leaf - 19..=leaf).map(|leaf| key(0, leaf)).collect();
                assert!(checkpoint(&model, &changed) > 0);
            }
        }
        // What leaves is moved, and then there is nothing more to do.
        checkpoint(&model, &BTreeSet::new());
        for _ in 0..5 {
            assert_eq!(checkpoint(&model, &BTreeSet::new()), 0);
        }
        assert_eq!(Model::read(&store.contents()), Ok(model));
    });
}

#[test]
fn a_checkpoint_that_is_dropped_leaves_nothing() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        let model = sample();
        let mut writer = store.begin().unwrap();
        model.write(&mut writer, &keys([(0, 0)])).unwrap();
        assert_eq!(files.list(dir).unwrap().len(), 3);
        drop(writer);
        assert_sound(&**files, &store);
        drop(model.finish(&store, &keys([(0, 0)])).unwrap());
        assert_sound(&**files, &store);
        model.checkpoint(&store, &keys([(0, 0), (1, 7)]), 1).unwrap();
        assert_eq!(Model::read(&store.contents()), Ok(model));
    });
}

#[test]
fn large_documents_and_blocks_lie_at_multiples_of_eight() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        let mut model = Model::default();
        for (slot, len) in
            [1, 7, 8, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20, 3].into_iter().enumerate()
        {
            let document: Vec<u8> = (0..len).map(|at| (at / 3) as u8 ^ slot as u8).collect();
            model.set(key(0, slot as u64 % 2), slot as u64, &document);
        }
        // More than a buffer of entries.
        for slot in 0..40_000 {
            model.set(key(1, 0), slot, b"");
        }
        model.checkpoint(&store, &keys([(0, 0), (0, 1), (1, 0)]), 1).unwrap();
        assert!(Model::read(&store.contents()).unwrap() == model);
        assert_sound(&**files, &store);
        drop(store);
        assert!(Model::read(&open(files, dir).unwrap().contents()).unwrap() == model);
    });
}

#[test]
fn a_database_is_opened_once_at_a_time() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        let locked = StorageError::Locked { path: dir.to_owned() };
        assert_eq!(create(files, dir).unwrap_err(), locked);
        assert_eq!(Store::open(files.clone(), dir).unwrap_err(), locked);
        assert_eq!(Store::open_read_only(files.clone(), dir).unwrap_err(), locked);
        store.release();
        let other = open(files, dir).unwrap();
        assert_eq!(store.begin().unwrap_err(), StorageError::Closed);
        assert_eq!(store.remove_leftovers().unwrap_err(), StorageError::Closed);
        assert!(store.contents().blocks().is_empty(), "what it had can be read");
        assert_eq!(create(files, dir).unwrap_err(), locked);
        drop(other);
        assert_eq!(create(files, dir).unwrap_err(), StorageError::Exists { path: dir.to_owned() });
    });
}

#[test]
fn opening_for_reading_changes_nothing() {
    let machine = SimulatedFiles::new(1);
    let (files, dir) = (machine.process(), Path::new("db"));
    let store = create(&files, dir).unwrap();
    let model = sample();
    model.checkpoint(&store, &keys([(0, 0), (1, 7)]), 1).unwrap();
    drop(store);
    files.open(&dir.join("data-00000000000000ff"), OpenMode::Create).unwrap();
    files.open(&dir.join("MANIFEST.new"), OpenMode::Create).unwrap();
    let (before, operations) = (machine.files(), machine.operations().len());

    let store = Store::open_read_only(files.clone(), dir).unwrap().unwrap();
    assert_eq!(Model::read(&store.contents()), Ok(model));
    assert_eq!(store.begin().unwrap_err(), StorageError::Closed);
    assert_eq!(store.remove_leftovers().unwrap_err(), StorageError::Closed);
    let changes =
        machine.operations()[operations..].iter().filter(|one| one.kind.is_change()).count();
    assert_eq!(changes, 1, "the lock");
    drop(store);
    // A copy without a lock file is read without a lock.
    files.remove(&dir.join("lock")).unwrap();
    assert!(Store::open_read_only(files.clone(), dir).unwrap().is_some());
    assert_eq!(machine.files().len(), before.len() - 1);
}

#[test]
fn leftovers_are_removed_when_told_to_and_before_a_checkpoint() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        let model = sample();
        model.checkpoint(&store, &keys([(0, 0), (1, 7)]), 1).unwrap();
        drop(store);
        let leave = || {
            for name in ["data-00000000000000ff", "MANIFEST.new"] {
                let file = files.open(&dir.join(name), OpenMode::Create).unwrap();
                file.write_all_at(b"half of something", 0).unwrap();
            }
            files.open(&dir.join("notes.txt"), OpenMode::Create).unwrap();
        };
        leave();
        let store = open(files, dir).unwrap();
        assert_eq!(files.list(dir).unwrap().len(), 6, "opening alone removes nothing");
        assert_eq!(store.remove_leftovers(), Ok(2));
        assert_eq!(store.remove_leftovers(), Ok(0));
        files.remove(&dir.join("notes.txt")).unwrap();
        assert_sound(&**files, &store);
        leave();
        files.remove(&dir.join("notes.txt")).unwrap();
        let published = model.checkpoint(&store, &keys([(0, 0)]), 2).unwrap();
        assert_sound(&**files, &store);
        assert!(!numbers(&published.contents).contains(&FileNumber::new(0xFF)));
    });
}

#[test]
fn numbers_of_files_do_not_come_again_while_they_are_there() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        drop(store);
        files.open(&dir.join("data-00000000000000ff"), OpenMode::Create).unwrap();
        let store = open(files, dir).unwrap();
        let published = sample().checkpoint(&store, &keys([(0, 0)]), 1).unwrap();
        assert_eq!(numbers(&published.contents), [FileNumber::new(0x100)]);
        drop(store);
        files.open(&dir.join("data-ffffffffffffffff"), OpenMode::Create).unwrap();
        let store = open(files, dir).unwrap();
        assert!(matches!(store.begin(), Err(StorageError::Corrupt { .. })));
        assert!(Model::read(&store.contents()).is_ok());
    });
}

#[test]
fn a_directory_that_lost_its_manifest_is_not_taken_for_an_empty_one() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        sample().checkpoint(&store, &keys([(0, 0)]), 1).unwrap();
        drop(store);
        files.remove(&dir.join("MANIFEST")).unwrap();
        for error in [
            Store::open(files.clone(), dir).map(drop),
            Store::open_read_only(files.clone(), dir).map(drop),
            create(files, dir).map(drop),
        ] {
            assert!(matches!(error, Err(StorageError::Corrupt { .. })), "{error:?}");
        }
        files.remove(&dir.join("data-0000000000000001")).unwrap();
        let log = files.open(&dir.join("log-0000000000000000"), OpenMode::Create).unwrap();
        assert!(create(files, dir).is_err(), "a log is something to lose as well");
        drop(log);
        files.remove(&dir.join("log-0000000000000000")).unwrap();
        assert!(Store::open(files.clone(), dir).unwrap().is_none());
        assert!(create(files, dir).is_ok());
    });
}

#[test]
fn a_file_of_another_database_is_neither_read_nor_removed() {
    with_files(|files, dir| {
        let copy = |from: &Path, to: &Path| {
            let from = files.open(from, OpenMode::Read).unwrap();
            let mut bytes = vec![0; from.len().unwrap() as usize];
            from.read_exact_at(&mut bytes, 0).unwrap();
            let _ = files.remove(to);
            files.open(to, OpenMode::Create).unwrap().write_all_at(&bytes, 0).unwrap();
        };
        let other = dir.with_extension("other");
        let one = create(files, dir).unwrap();
        let identity = Identity { salt: 1, ..IDENTITY };
        let two = Store::create(files.clone(), &other, identity).unwrap();
        for store in [one, two] {
            sample().checkpoint(&store, &keys([(0, 0), (1, 7)]), 1).unwrap();
        }
        let name = "data-0000000000000001";
        copy(&dir.join(name), &dir.join("kept"));
        copy(&other.join(name), &dir.join(name));
        let error = Store::open(files.clone(), dir).map(drop);
        assert!(matches!(error, Err(StorageError::Corrupt { offset: 24, .. })), "{error:?}");

        // As a leftover it may be what the manifest should have named.
        copy(&dir.join("kept"), &dir.join(name));
        let foreign = dir.join("data-0000000000000009");
        copy(&other.join(name), &foreign);
        let store = open(files, dir).unwrap();
        let error = store.remove_leftovers();
        assert!(matches!(error, Err(StorageError::Corrupt { .. })), "{error:?}");
        drop(store.begin().unwrap());
        let header = |format: u32| {
            let foreign = files.open(&foreign, OpenMode::Write).unwrap();
            foreign.write_all_at(&format.to_le_bytes(), 8).unwrap();
            let mut header = [0; 28];
            foreign.read_exact_at(&mut header, 0).unwrap();
            foreign.write_all_at(&document_checksum(1, &header).to_le_bytes(), 28).unwrap();
        };
        header(2);
        let error = store.remove_leftovers();
        assert!(matches!(error, Err(StorageError::Format { found: 2, .. })), "{error:?}");
        header(1);
        assert!(matches!(store.remove_leftovers(), Err(StorageError::Corrupt { .. })));
    });
}

#[test]
fn a_place_is_told_of_bytes_in_files_and_of_no_others() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        let mut model = sample();
        model.checkpoint(&store, &keys([(0, 0), (1, 7)]), 1).unwrap();
        model.set(key(2, 0), 0, b"in another file");
        model.checkpoint(&store, &keys([(2, 0)]), 2).unwrap();
        let contents = store.contents();
        assert_eq!(contents.files().len(), 2);
        for place in all_places(&contents) {
            let document = contents.document(place).unwrap();
            assert_eq!(contents.place_of(document), Some((place.file, place.offset)));
            let inner = &document[1..];
            assert_eq!(contents.place_of(inner), Some((place.file, place.offset + 1)));
            assert_eq!(document_checksum(IDENTITY.salt, document), place.checksum);
            let copy = document.to_vec();
            assert_eq!(contents.place_of(&copy), None);
        }
        for file in contents.files() {
            assert_eq!(contents.place_of(&file.bytes()[..32]), None, "the header is no place");
            let last = &file.bytes()[file.bytes().len() - 1..];
            assert_eq!(contents.place_of(last), Some((file.number(), file.len() - 1)));
        }
        assert_eq!(contents.place_of(&[]), None);
        assert_eq!(contents.place_of(b"a constant"), None);
    });
}

#[test]
fn places_that_cannot_be_are_refused() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        sample().checkpoint(&store, &keys([(0, 0)]), 1).unwrap();
        let contents = store.contents();
        let place = all_places(&contents)[0];
        let len = contents.files()[0].len();
        let file = FileNumber::new(77);
        for wrong in [
            selvedge_storage::Place { file, ..place },
            selvedge_storage::Place { offset: 0, ..place },
            selvedge_storage::Place { offset: place.offset + 4, ..place },
            selvedge_storage::Place { offset: len, ..place },
            selvedge_storage::Place { offset: u64::MAX - 7, ..place },
            selvedge_storage::Place { len: u32::MAX, ..place },
        ] {
            let error = contents.document(wrong).unwrap_err();
            assert!(matches!(error, StorageError::Corrupt { .. }), "{error}");
        }
        let wrong = selvedge_storage::Place { checksum: !place.checksum, ..place };
        assert!(contents.document(wrong).is_ok(), "content is not looked at");
        assert!(contents.verified_document(wrong).is_err());
    });
}

#[test]
fn the_engine_cannot_keep_too_much_in_a_manifest() {
    with_files(|files, dir| {
        let store = create(files, dir).unwrap();
        let model = sample();
        let facts =
            |len| selvedge_storage::CheckpointFacts { engine: vec![7; len], ..Model::facts(1) };
        let most = selvedge_storage::manifest::ENGINE_BYTES_MAX;
        let finished = model.finish(&store, &keys([(0, 0)])).unwrap();
        assert!(matches!(store.publish(finished, facts(most + 1)), Err(StorageError::Io { .. })));
        assert_sound(&**files, &store);
        let finished = model.finish(&store, &keys([(0, 0), (1, 7)])).unwrap();
        store.publish(finished, facts(most)).unwrap();
        drop(store);
        let contents = open(files, dir).unwrap().contents();
        assert_eq!(contents.manifest().engine, facts(most).engine);
        assert_eq!(Model::read(&contents), Ok(model));
    });
}

#[test]
#[should_panic(expected = "checkpoints come one by one")]
fn two_checkpoints_at_a_time_are_refused() {
    let files = SimulatedFiles::new(1).process();
    let store = create(&files, Path::new("db")).unwrap();
    let _finished = sample().finish(&store, &keys([(0, 0)])).unwrap();
    let _ = store.begin();
}

#[test]
#[should_panic(expected = "a checkpoint of this store")]
fn a_checkpoint_of_another_store_is_refused() {
    let files = SimulatedFiles::new(1).process();
    let one = create(&files, Path::new("one")).unwrap();
    let two = create(&files, Path::new("two")).unwrap();
    let finished = sample().finish(&one, &keys([(0, 0)])).unwrap();
    let _ = two.publish(finished, Model::facts(1));
}

#[test]
#[should_panic(expected = "refers to")]
fn a_block_cannot_refer_to_a_file_that_is_not_there() {
    let files = SimulatedFiles::new(1).process();
    let store = create(&files, Path::new("db")).unwrap();
    let mut writer = store.begin().unwrap();
    let place = writer.document(b"here").unwrap();
    let wrong = selvedge_storage::Place { file: FileNumber::new(99), ..place };
    let _ = writer.block(key(0, 0), b"", [wrong]);
}

/// Readers keep reading, each a state that was published, while checkpoints come
/// and files go.
#[test]
fn readers_are_not_disturbed_by_checkpoints() {
    let dir = TempDir::new();
    let files: Arc<dyn FileSystem> = Arc::new(RealFiles);
    let store = create(&files, &dir.path().join("db")).unwrap();
    let rounds = 60_u64;
    let round = |number: u64| {
        let mut model = Model::default();
        for leaf in 0..4 {
            model.set(key(0, leaf), number % 7, &vec![number as u8; 100 * leaf as usize]);
        }
        model
    };
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut seen = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let contents = store.contents();
                    let number = contents.manifest().generation;
                    assert!(number >= seen, "generations go forward");
                    seen = number;
                    let expected = if number == 0 { Model::default() } else { round(number) };
                    assert_eq!(Model::read(&contents), Ok(expected));
                }
            });
        }
        for number in 1..=rounds {
            let changed = (0..4).map(|leaf| key(0, leaf)).collect();
            round(number).checkpoint(&store, &changed, number).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(store.contents().files().len(), 1);
    assert_sound(&*files, &store);
}
