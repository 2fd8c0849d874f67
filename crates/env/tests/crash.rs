//! What a crash of the simulated machine takes, and what it must leave.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use selvedge_env::{Env, File, FileSystem, OpenMode, SimulatedFiles};

const SECTOR: usize = 512;

/// Seeds enough for everything that is promised to happen sometimes.
const SEEDS: u64 = 300;

fn path(path: &str) -> &Path {
    Path::new(path)
}

/// A machine with two directories.
fn machine(seed: u64) -> SimulatedFiles {
    let files = SimulatedFiles::new(seed);
    files.create_dir(path("db")).expect("no fault is planned");
    files.create_dir(path("other")).expect("no fault is planned");
    files
}

fn create(files: &SimulatedFiles, name: &str) -> Arc<dyn File> {
    files.open(path(name), OpenMode::Create).expect("the name is free")
}

/// A file whose name and bytes are durable.
fn create_durable(files: &SimulatedFiles, name: &str, bytes: &[u8]) -> Arc<dyn File> {
    let file = create(files, name);
    file.write_all_at(bytes, 0).expect("no fault is planned");
    file.sync_data().expect("no fault is planned");
    files.sync_dir(path(name).parent().expect("in a directory")).expect("no fault is planned");
    file
}

/// The bytes of a file, if it is there.
fn read(files: &dyn FileSystem, name: &str) -> Option<Vec<u8>> {
    let file = match files.open(path(name), OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => panic!("{error}"),
    };
    let mut bytes = vec![0; file.len().expect("no fault is planned") as usize];
    file.read_exact_at(&mut bytes, 0).expect("no fault is planned");
    Some(bytes)
}

/// How often each outcome of a crash was seen, over the seeds.
fn outcomes<T: Ord>(run: impl Fn(&SimulatedFiles) -> T) -> BTreeMap<T, usize> {
    let mut seen = BTreeMap::new();
    for seed in 0..SEEDS {
        *seen.entry(run(&machine(seed))).or_default() += 1;
    }
    seen
}

fn all<T: Ord>(seen: BTreeMap<T, usize>) -> BTreeSet<T> {
    seen.into_keys().collect()
}

#[test]
fn what_is_synced_survives_every_crash() {
    for seed in 0..SEEDS {
        let files = machine(seed);
        let mut rng = fastrand::Rng::with_seed(seed);
        let file = create_durable(&files, "a", &[]);
        let mut expected = Vec::new();
        for _ in 0..rng.usize(..20) {
            let bytes: Vec<_> = (0..rng.usize(1..3000)).map(|_| rng.u8(..)).collect();
            let offset = rng.usize(..5000);
            expected.resize(expected.len().max(offset + bytes.len()), 0);
            expected[offset..offset + bytes.len()].copy_from_slice(&bytes);
            file.write_all_at(&bytes, offset as u64).unwrap();
            if rng.bool() {
                let len = rng.usize(..6000);
                expected.resize(len, 0);
                file.set_len(len as u64).unwrap();
            }
        }
        file.sync_data().unwrap();
        for _ in 0..3 {
            files.crash();
            assert_eq!(read(&files, "a").unwrap(), expected, "seed {seed}");
        }
        // And what comes later elsewhere in the file does not touch it.
        let sectors = expected.len() / SECTOR;
        let file = files.open(path("a"), OpenMode::Write).unwrap();
        file.write_all_at(&[9; 2000], (sectors * SECTOR) as u64).unwrap();
        files.crash();
        let bytes = read(&files, "a").unwrap();
        assert_eq!(bytes[..sectors * SECTOR], expected[..sectors * SECTOR], "seed {seed}");
    }
}

/// The sectors of a file of whole sectors, each of one byte repeated.
fn sectors(bytes: &[u8]) -> Vec<u8> {
    let value = |sector: &[u8]| {
        assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is never torn");
        sector[0]
    };
    bytes.chunks(SECTOR).map(value).collect()
}

#[test]
fn one_write_survives_whole_or_torn_or_not_at_all() {
    let seen = all(outcomes(|files| {
        let file = create_durable(files, "a", &[1; 4 * SECTOR]);
        file.write_all_at(&[2; 4 * SECTOR], 0).unwrap();
        files.crash();
        sectors(&read(files, "a").unwrap())
    }));
    assert!(seen.contains(&vec![1; 4]), "lost");
    assert!(seen.contains(&vec![2; 4]), "there");
    assert!(seen.contains(&vec![1, 1, 2, 1]), "torn, though sectors before it are lost");
    assert_eq!(seen.len(), 16, "every sector by itself");
}

#[test]
fn writes_are_reordered() {
    let seen = outcomes(|files| {
        let file = create_durable(files, "a", &[0; 8 * SECTOR]);
        for sector in 0..8 {
            file.write_all_at(&[1; SECTOR], (sector * SECTOR) as u64).unwrap();
        }
        files.crash();
        sectors(&read(files, "a").unwrap())
    });
    assert!(seen.contains_key([1, 0, 0, 0, 0, 0, 0, 0].as_slice()));
    assert!(
        seen.keys().any(|bytes| bytes[0] == 0 && bytes[7] == 1),
        "a later one without an earlier one"
    );
}

/// Coins for every sector would hardly ever leave a long run whole and nothing
/// behind it, which is what most crashes do.
#[test]
fn some_crashes_cut_time_at_one_point() {
    const WRITES: usize = 32;
    let seen = all(outcomes(|files| {
        let file = create_durable(files, "a", &[0; 4 * WRITES * SECTOR]);
        for write in 0..WRITES {
            file.write_all_at(&[1; 4 * SECTOR], (write * 4 * SECTOR) as u64).unwrap();
        }
        files.crash();
        let survivors = sectors(&read(files, "a").unwrap());
        survivors.chunks(4).map(|write| write.iter().sum::<u8>()).collect::<Vec<_>>()
    }));
    let is_cut = |survivors: &&Vec<u8>| {
        let whole = survivors.iter().take_while(|sectors| **sectors == 4).count();
        let is_deep = (8..24).contains(&whole);
        is_deep && survivors.iter().skip(whole + 1).all(|sectors| *sectors == 0)
    };
    let cuts: Vec<_> = seen.iter().filter(is_cut).collect();
    assert!(cuts.len() > 10, "{}", cuts.len());
    let is_torn = |survivors: &&Vec<u8>| survivors.iter().any(|sectors| (1..4).contains(sectors));
    assert!(cuts.iter().any(is_torn), "the write at the cut is torn");
}

#[test]
fn many_crashes_take_everything_or_nothing() {
    let seen = outcomes(|files| {
        let file = create_durable(files, "a", &[0; 64 * SECTOR]);
        for sector in 0..64 {
            file.write_all_at(&[1; SECTOR], sector * SECTOR as u64).unwrap();
        }
        files.crash();
        sectors(&read(files, "a").unwrap()).iter().filter(|byte| **byte == 1).count()
    });
    assert!(seen[&0] > SEEDS as usize / 12 && seen[&64] > SEEDS as usize / 12, "{seen:?}");
}

#[test]
fn names_may_survive_all_together_without_any_bytes() {
    let seen = outcomes(|files| {
        for name in 'a'..='p' {
            let file = create(files, &format!("db/{name}"));
            file.write_all_at(b"bytes", 0).unwrap();
        }
        files.crash();
        let lens = files.files();
        (lens.len(), lens.iter().filter(|(_, len)| *len > 0).count())
    });
    assert!(seen.contains_key(&(16, 16)) && seen.contains_key(&(0, 0)));
    assert!(seen[&(16, 0)] > 2, "the worst case is not a rare one: {seen:?}");
}

#[test]
fn of_a_sector_any_version_survives_but_no_mixture() {
    let seen = all(outcomes(|files| {
        let file = create_durable(files, "a", b"------");
        file.write_all_at(b"1", 0).unwrap();
        file.write_all_at(b"22", 2).unwrap();
        file.write_all_at(b"3", 5).unwrap();
        files.crash();
        String::from_utf8(read(files, "a").unwrap()).unwrap()
    }));
    let versions = ["------", "1-----", "1-22--", "1-22-3"].map(str::to_owned);
    assert_eq!(seen, BTreeSet::from(versions));
}

#[test]
fn a_file_that_grew_has_any_length_on_the_way() {
    let seen = all(outcomes(|files| {
        let file = create_durable(files, "a", &[7; 100]);
        file.write_all_at(&[7; 3 * SECTOR], 100).unwrap();
        files.crash();
        let bytes = read(files, "a").unwrap();
        assert!(bytes[..100].iter().all(|byte| *byte == 7), "synced");
        (bytes.len(), bytes.contains(&0))
    }));
    let lens = seen.iter().map(|(len, _)| *len).collect::<BTreeSet<_>>();
    assert_eq!(lens, BTreeSet::from([100, SECTOR, 2 * SECTOR, 3 * SECTOR, 3 * SECTOR + 100]));
    assert!(seen.contains(&(3 * SECTOR + 100, true)), "the length without the bytes");
    assert!(seen.contains(&(3 * SECTOR + 100, false)));
}

#[test]
fn a_cut_survives_or_not_and_leaves_no_other_bytes() {
    let seen = all(outcomes(|files| {
        let file = create_durable(files, "a", &[1; 2 * SECTOR]);
        file.set_len(0).unwrap();
        file.set_len(2 * SECTOR as u64).unwrap();
        file.write_all_at(&[2; SECTOR], 0).unwrap();
        files.crash();
        sectors(&read(files, "a").unwrap())
    }));
    assert!(seen.contains([].as_slice()) && seen.contains([1, 1].as_slice()));
    assert!(seen.contains([2, 0].as_slice()));
    let known = [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]].map(Vec::from);
    assert!(seen.iter().all(|bytes| bytes.is_empty() || known.contains(bytes)), "{seen:?}");
}

#[test]
fn a_cut_that_is_synced_is_final() {
    for seed in 0..SEEDS {
        let files = machine(seed);
        let file = create_durable(&files, "a", &[1; 3 * SECTOR]);
        file.set_len(10).unwrap();
        file.sync_data().unwrap();
        file.set_len(3 * SECTOR as u64).unwrap();
        files.crash();
        let bytes = read(&files, "a").unwrap();
        assert_eq!(bytes[..10], [1; 10]);
        assert!(bytes[10..].iter().all(|byte| *byte == 0), "seed {seed}");
    }
}

#[test]
fn a_crash_decides_once() {
    for seed in 0..SEEDS {
        let files = machine(seed);
        let file = create_durable(&files, "a", &[1; 8 * SECTOR]);
        file.write_all_at(&[2; 10 * SECTOR], 0).unwrap();
        create(&files, "b");
        files.crash();
        let state = |files: &SimulatedFiles| (read(files, "a"), read(files, "b"), files.files());
        let first = state(&files);
        files.crash();
        assert_eq!(state(&files), first, "seed {seed}: what survived is durable");
        let file = files.open(path("a"), OpenMode::Write).unwrap();
        file.write_all_at(&[3; SECTOR], 0).unwrap();
        file.sync_data().unwrap();
        files.crash();
        assert_eq!(read(&files, "a").unwrap()[..SECTOR], [3; SECTOR], "seed {seed}: life goes on");
    }
}

#[test]
fn names_and_bytes_are_durable_apart() {
    let seen = all(outcomes(|files| {
        let file = create(files, "a");
        file.write_all_at(b"bytes", 0).unwrap();
        file.sync_data().unwrap();
        files.crash();
        read(files, "a")
    }));
    assert_eq!(seen, BTreeSet::from([None, Some(b"bytes".to_vec())]), "a name not synced");
    let seen = all(outcomes(|files| {
        let file = create(files, "a");
        file.write_all_at(b"bytes", 0).unwrap();
        files.sync_dir(path("")).unwrap();
        files.crash();
        read(files, "a").expect("the name is durable")
    }));
    let versions = [b"".to_vec(), b"bytes".to_vec(), vec![0; 5]];
    assert_eq!(seen, BTreeSet::from(versions), "bytes not synced");
}

#[test]
fn a_rename_happens_or_not() {
    let seen = outcomes(|files| {
        create_durable(files, "db/MANIFEST", b"old");
        create_durable(files, "db/MANIFEST.new", b"new");
        files.rename(path("db/MANIFEST.new"), path("db/MANIFEST")).unwrap();
        files.crash();
        (files.list(path("db")).unwrap(), read(files, "db/MANIFEST").unwrap())
    });
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.contains_key(&(vec!["MANIFEST".to_owned()], b"new".to_vec())));
}

#[test]
fn changes_of_a_directory_survive_in_order() {
    let seen = all(outcomes(|files| {
        create(files, "db/a");
        create(files, "db/b");
        files.rename(path("db/a"), path("db/c")).unwrap();
        files.remove(path("db/b")).unwrap();
        files.crash();
        files.list(path("db")).unwrap().concat()
    }));
    assert_eq!(seen, ["", "a", "ab", "bc", "c"].map(str::to_owned).into());
}

#[test]
fn changes_of_several_directories_survive_in_any_order() {
    let seen = all(outcomes(|files| {
        create(files, "db/a");
        create(files, "other/b");
        files.crash();
        (files.list(path("db")).unwrap().concat(), files.list(path("other")).unwrap().concat())
    }));
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn a_rename_between_directories_happens_in_both_or_in_neither() {
    let seen = all(outcomes(|files| {
        create_durable(files, "db/a", b"a");
        create(files, "other/b");
        files.rename(path("db/a"), path("other/a")).unwrap();
        create(files, "db/c");
        files.crash();
        (files.list(path("db")).unwrap().concat(), files.list(path("other")).unwrap().concat())
    }));
    let known = [("a", ""), ("a", "b"), ("", "ab"), ("c", "ab")];
    assert_eq!(seen, known.map(|(db, other)| (db.to_owned(), other.to_owned())).into());
}

#[test]
fn syncing_a_directory_syncs_what_its_changes_depend_on_and_no_more() {
    let seen = all(outcomes(|files| {
        create(files, "db/a");
        files.rename(path("db/a"), path("other/a")).unwrap();
        create(files, "db/b");
        files.sync_dir(path("other")).unwrap();
        files.crash();
        assert_eq!(files.list(path("other")).unwrap(), ["a"]);
        files.list(path("db")).unwrap().concat()
    }));
    assert_eq!(seen, ["", "b"].map(str::to_owned).into());
}

#[test]
fn a_removed_file_may_come_back_until_its_directory_is_synced() {
    let seen = all(outcomes(|files| {
        create_durable(files, "db/a", b"bytes");
        files.remove(path("db/a")).unwrap();
        let other = create(files, "db/a");
        other.write_all_at(b"other", 0).unwrap();
        other.sync_data().unwrap();
        files.crash();
        read(files, "db/a")
    }));
    assert_eq!(seen, [None, Some(b"bytes".to_vec()), Some(b"other".to_vec())].into());
    let seen = all(outcomes(|files| {
        create_durable(files, "db/a", b"bytes");
        files.remove(path("db/a")).unwrap();
        files.sync_dir(path("db")).unwrap();
        files.crash();
        read(files, "db/a")
    }));
    assert_eq!(seen, [None].into());
}

#[test]
fn directories_are_durable_once_they_are_made() {
    for seed in 0..SEEDS {
        let files = machine(seed);
        files.create_dir(path("db/below/deep")).unwrap();
        files.crash();
        files.list(path("db/below/deep")).unwrap();
    }
}

#[test]
fn what_the_process_had_is_dead_after_a_crash() {
    let files = machine(1);
    let process = files.process();
    let file = create_durable(&files, "db/a", b"bytes");
    let mapping = file.map().unwrap();
    let lock = process.lock(path("db/lock")).unwrap();
    files.crash();
    let refused = |error: std::io::Error| {
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(error.to_string().contains("crashed"), "{error}");
    };
    refused(file.len().unwrap_err());
    refused(file.read_at(&mut [0], 0).unwrap_err());
    refused(file.write_all_at(b"x", 0).unwrap_err());
    refused(file.set_len(0).unwrap_err());
    refused(file.sync_data().unwrap_err());
    refused(file.map().unwrap_err());
    refused(process.create_dir(path("new")).unwrap_err());
    refused(process.list(path("db")).unwrap_err());
    refused(process.open(path("db/a"), OpenMode::Read).unwrap_err());
    refused(process.rename(path("db/a"), path("db/b")).unwrap_err());
    refused(process.remove(path("db/a")).unwrap_err());
    refused(process.sync_dir(path("db")).unwrap_err());
    refused(process.lock(path("db/lock")).unwrap_err());
    assert_eq!(mapping.bytes(), b"bytes", "still sound");
    assert_eq!(read(&files, "db/a").unwrap(), b"bytes", "nothing of that was done");
    // The end of the old lock is not the end of the new one.
    let again = files.lock(path("db/lock")).unwrap();
    drop((lock, file));
    assert_eq!(files.lock(path("db/lock")).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(again);
    files.lock(path("db/lock")).unwrap();
}

#[test]
fn a_killed_process_leaves_everything_but_makes_nothing_durable() {
    let seen = all(outcomes(|files| {
        let process = files.process();
        let file = process.open(path("db/a"), OpenMode::Create).unwrap();
        file.write_all_at(b"bytes", 0).unwrap();
        let lock = process.lock(path("db/lock")).unwrap();
        files.kill();
        assert_eq!(file.sync_data().unwrap_err().kind(), ErrorKind::Other);
        assert!(process.sync_dir(path("db")).is_err());
        files.lock(path("db/lock")).unwrap();
        drop(lock);
        assert_eq!(read(files, "db/a").unwrap(), b"bytes");
        files.crash();
        read(files, "db/a")
    }));
    assert_eq!(seen, [None, Some(vec![]), Some(vec![0; 5]), Some(b"bytes".to_vec())].into());
    // The next process can make it durable, though another wrote it.
    for seed in 0..SEEDS {
        let files = machine(seed);
        create(&files, "db/a").write_all_at(b"bytes", 0).unwrap();
        files.kill();
        files.open(path("db/a"), OpenMode::Read).unwrap().sync_data().unwrap();
        files.sync_dir(path("db")).unwrap();
        files.crash();
        assert_eq!(read(&files, "db/a").unwrap(), b"bytes");
    }
}

#[test]
fn an_environment_ends_with_its_process_and_the_disk_does_not() {
    let files = Arc::new(SimulatedFiles::new(1));
    let (first, _) = Env::simulated_on(&files, 1);
    first.files().create_dir(path("db")).unwrap();
    files.crash();
    assert!(first.files().list(path("db")).is_err());
    let (second, _) = Env::simulated_on(&files, 2);
    assert!(second.files().list(path("db")).unwrap().is_empty());
    let (fresh, _) = Env::simulated(1);
    assert_eq!(fresh.files().list(path("db")).unwrap_err().kind(), ErrorKind::NotFound);
    let shared = fresh.with_files(files);
    assert!(shared.files().list(path("db")).unwrap().is_empty());
}
