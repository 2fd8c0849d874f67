//! Whatever happens to the bytes on the disk: it is told, or it does not matter.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selvedge_env::{FileSystem, OpenMode, RealFiles, SimulatedFiles};
use selvedge_storage::{Contents, StorageError, Store, document_checksum};

use crate::model::{IDENTITY, Model, all_places, create, key, open};
use crate::temp_dir::TempDir;

const DIR: &str = "db";

/// A database with two data files, as bytes by name.
struct Sample {
    model: Model,
    files: BTreeMap<String, Vec<u8>>,
}

impl Sample {
    fn new() -> Self {
        let files = SimulatedFiles::new(1).process();
        let store = create(&files, Path::new(DIR)).expect("no fault is planned");
        let mut model = Model::default();
        for slot in 0..4 {
            model.set(key(0, 0), slot, &[slot as u8 + 1; 50]);
        }
        model.set(key(1, 0), 0, b"a document");
        model.checkpoint(&store, &[key(0, 0), key(1, 0)].into(), 1).expect("no fault is planned");
        model.set(key(0, 0), 1, b"another");
        model.checkpoint(&store, &[key(0, 0)].into(), 2).expect("no fault is planned");
        drop(store);
        let names = files.list(Path::new(DIR)).expect("no fault is planned");
        let names = names.into_iter().filter(|name| name != "lock");
        let files: BTreeMap<_, _> =
            names.map(|name| (name.clone(), read(&*files, &Path::new(DIR).join(name)))).collect();
        assert_eq!(files.len(), 3);
        Self { model, files }
    }

    /// A machine with the database on its disk.
    fn machine(&self) -> SimulatedFiles {
        let machine = SimulatedFiles::new(1);
        let files = machine.process();
        files.create_dir(Path::new(DIR)).expect("no fault is planned");
        for (name, bytes) in &self.files {
            write(&*files, &Path::new(DIR).join(name), bytes);
        }
        files.sync_dir(Path::new(DIR)).expect("no fault is planned");
        machine
    }

    fn with(&self, name: &str, bytes: Vec<u8>) -> Self {
        let mut files = self.files.clone();
        files.insert(name.to_owned(), bytes);
        Self { model: self.model.clone(), files }
    }

    /// What comes of opening and reading everything.
    fn outcome(&self) -> Outcome {
        outcome(&self.machine().process(), &self.model)
    }
}

fn read(files: &dyn FileSystem, path: &Path) -> Vec<u8> {
    let file = files.open(path, OpenMode::Read).expect("no fault is planned");
    let mut bytes = vec![0; file.len().expect("no fault is planned") as usize];
    file.read_exact_at(&mut bytes, 0).expect("no fault is planned");
    bytes
}

fn write(files: &dyn FileSystem, path: &Path, bytes: &[u8]) {
    let file = files.open(path, OpenMode::Create).expect("no fault is planned");
    file.write_all_at(bytes, 0).expect("no fault is planned");
    file.sync_data().expect("no fault is planned");
}

#[derive(PartialEq, Eq, Debug)]
enum Outcome {
    /// Everything is as it was written.
    Intact,
    /// Opening was refused.
    Refused(StorageError),
    /// Something could not be read.
    Unreadable(StorageError),
}

fn outcome(files: &Arc<dyn FileSystem>, model: &Model) -> Outcome {
    let store = match Store::open_read_only(files.clone(), Path::new(DIR)) {
        Ok(store) => store.expect("a database is never overlooked"),
        Err(error) => return Outcome::Refused(error),
    };
    let contents = store.contents();
    match Model::read(&contents) {
        Ok(read) => assert_eq!(read, *model, "what is read is what was written"),
        Err(error) => return Outcome::Unreadable(error),
    }
    Outcome::Intact
}

fn is_corrupt(error: &StorageError, path: &Path) -> bool {
    matches!(error, StorageError::Corrupt { path: found, .. } if found == path)
}

/// The bytes of a data file that anything depends on.
fn used(contents: &Contents, name: &str) -> Vec<Range<u64>> {
    let blocks = contents.blocks().iter().map(|(_, entry)| entry.place());
    // A block is preceded by its length and checksum; the directory must fill its
    // file, and so must its padding.
    let blocks = blocks.map(|place| (place, place.offset - 8..place.offset + u64::from(place.len)));
    let directory = contents.manifest().directory;
    let directory =
        directory.map(|place| (place, place.offset - 8..place.offset + place.footprint()));
    let documents = all_places(contents).into_iter();
    let documents =
        documents.map(|place| (place, place.offset..place.offset + u64::from(place.len)));
    let used = blocks.chain(directory).chain(documents);
    let used = used.filter(|(place, _)| place.file.to_string() == name);
    std::iter::once(0..32).chain(used.map(|(_, range)| range)).collect()
}

#[test]
fn every_bit_that_flips_is_told_unless_nothing_depends_on_it() {
    let sample = Sample::new();
    let machine = sample.machine();
    let files = machine.process();
    assert_eq!(outcome(&files, &sample.model), Outcome::Intact);
    let contents = open(&files, Path::new(DIR)).unwrap().contents();
    for (name, bytes) in &sample.files {
        let path = Path::new(DIR).join(name);
        let used = used(&contents, name);
        let is_manifest = name == "MANIFEST";
        for (offset, bit) in (0..bytes.len() as u64).flat_map(|at| (0..8).map(move |bit| (at, bit)))
        {
            machine.flip_bit(&path, offset, bit).unwrap();
            let matters = is_manifest || used.iter().any(|range| range.contains(&offset));
            match outcome(&files, &sample.model) {
                Outcome::Intact => assert!(!matters, "bit {bit} of byte {offset} of {name}"),
                Outcome::Refused(error) | Outcome::Unreadable(error) => {
                    assert!(is_corrupt(&error, &path), "byte {offset} of {name}: {error}");
                    assert!(matters, "byte {offset} of {name}: {error}");
                }
            }
            machine.flip_bit(&path, offset, bit).unwrap();
        }
    }
}

#[test]
fn damage_to_manifest_header_and_directory_shows_at_opening() {
    let sample = Sample::new();
    let contents = open(&sample.machine().process(), Path::new(DIR)).unwrap().contents();
    let directory = contents.manifest().directory.unwrap();
    let directory_start = directory.offset as usize - 8;
    for (name, bytes) in &sample.files {
        let (header, directory) = match name.as_str() {
            "MANIFEST" => (bytes.len(), bytes.len()),
            name if name == directory.file.to_string() => (32, directory_start),
            _ => (32, bytes.len()),
        };
        for offset in (0..header).chain(directory..bytes.len()) {
            let mut damaged = bytes.clone();
            damaged[offset] ^= 0x10;
            let outcome = sample.with(name, damaged).outcome();
            assert!(matches!(outcome, Outcome::Refused(_)), "byte {offset} of {name}: {outcome:?}");
        }
    }
}

#[test]
fn every_other_length_of_a_file_is_told() {
    let sample = Sample::new();
    for (name, bytes) in &sample.files {
        let path = Path::new(DIR).join(name);
        let longer = [bytes.len() + 1, bytes.len() + 8, bytes.len() * 2];
        for len in (0..bytes.len()).chain(longer) {
            let mut other = bytes.clone();
            other.resize(len, 0);
            match sample.with(name, other).outcome() {
                Outcome::Refused(error) => assert!(is_corrupt(&error, &path), "{name}: {error}"),
                outcome => panic!("{name} with {len} bytes: {outcome:?}"),
            }
        }
    }
}

#[test]
fn a_missing_file_is_told() {
    let sample = Sample::new();
    for name in sample.files.keys() {
        let files = sample.machine().process();
        files.remove(&Path::new(DIR).join(name)).unwrap();
        match outcome(&files, &sample.model) {
            Outcome::Refused(error) => {
                assert!(is_corrupt(&error, &Path::new(DIR).join(name)), "{error}");
            }
            outcome => panic!("without {name}: {outcome:?}"),
        }
    }
}

#[test]
fn files_under_wrong_names_are_told() {
    let sample = Sample::new();
    let names: Vec<_> = sample.files.keys().cloned().collect();
    for (one, other) in [(0, 1), (1, 2), (0, 2), (1, 0), (2, 1), (2, 0)] {
        let (name, bytes) = (&names[one], sample.files[&names[other]].clone());
        let outcome = sample.with(name, bytes).outcome();
        assert!(matches!(outcome, Outcome::Refused(StorageError::Corrupt { .. })), "{outcome:?}");
    }
}

/// What an interrupted restore of a backup may leave.
#[test]
fn an_older_manifest_whose_files_are_gone_is_told_and_removes_nothing() {
    let files = SimulatedFiles::new(1).process();
    let dir = Path::new(DIR);
    let store = create(&files, dir).unwrap();
    let mut model = Model::default();
    model.set(key(0, 0), 0, b"one");
    model.checkpoint(&store, &[key(0, 0)].into(), 1).unwrap();
    let old = read(&*files, &dir.join("MANIFEST"));
    for number in 2..4 {
        model.set(key(0, 0), 0, b"two");
        model.checkpoint(&store, &[key(0, 0)].into(), number).unwrap();
    }
    drop(store);
    files.remove(&dir.join("MANIFEST")).unwrap();
    write(&*files, &dir.join("MANIFEST"), &old);
    let before = files.list(dir).unwrap();
    let error = Store::open(files.clone(), dir).map(drop);
    assert!(matches!(error, Err(StorageError::Corrupt { .. })), "{error:?}");
    assert_eq!(files.list(dir).unwrap(), before);
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let sample = Sample::new();
    for (name, bytes) in &sample.files {
        let mut newer = bytes.clone();
        newer[8] += 1;
        let sum = document_checksum(IDENTITY.salt, &newer[..28]);
        newer[28..32].copy_from_slice(&sum.to_le_bytes());
        let path = Path::new(DIR).join(name);
        let expected = StorageError::Format { path, found: 2, known: 1 };
        assert_eq!(sample.with(name, newer).outcome(), Outcome::Refused(expected));
    }
}

#[test]
fn a_manifest_of_any_size_takes_bounded_memory() {
    let dir = TempDir::new();
    let files: Arc<dyn FileSystem> = Arc::new(RealFiles);
    drop(create(&files, dir.path()).unwrap());
    let manifest = files.open(&dir.path().join("MANIFEST"), OpenMode::Write).unwrap();
    manifest.set_len(1 << 40).unwrap();
    let error = Store::open(files, dir.path()).map(drop);
    assert!(matches!(error, Err(StorageError::Corrupt { .. })), "{error:?}");
}

#[test]
fn a_check_finds_what_is_damaged_and_nothing_else() {
    let sample = Sample::new();
    let machine = sample.machine();
    let files = machine.process();
    let contents = open(&files, Path::new(DIR)).unwrap().contents();
    let places = all_places(&contents);
    let clean = report_of(&contents, &places);
    assert!(clean.is_clean(), "{clean:?}");
    assert_eq!((clean.blocks, clean.documents), (2, 5));
    assert_eq!(clean.document_bytes, 3 * 50 + 10 + 7);
    let block = contents.blocks().iter().next().unwrap().1.place();
    for place in [block, places[0], places[4]] {
        let path: PathBuf = Path::new(DIR).join(place.file.to_string());
        machine.flip_bit(&path, place.offset + 1, 3).unwrap();
        let store = open(&files, Path::new(DIR)).unwrap();
        let report = report_of(&store.contents(), &places);
        assert_eq!(report.problems.len(), 1, "{report:?}");
        assert!(is_corrupt(&report.problems[0], &path));
        machine.flip_bit(&path, place.offset + 1, 3).unwrap();
    }
    // A document that no block names, and one that the directory does not count.
    let fewer = report_of(&contents, &places[1..]);
    let twice = report_of(&contents, &[&places[..], &places[..1]].concat());
    for report in [fewer, twice] {
        assert_eq!(report.problems.len(), 1, "{report:?}");
    }
}

fn report_of(contents: &Contents, places: &[selvedge_storage::Place]) -> selvedge_storage::Report {
    let mut check = contents.check();
    check.documents(places.iter().copied());
    check.finish()
}

#[test]
fn a_check_lists_a_hundred_problems_and_counts_the_rest() {
    let sample = Sample::new();
    let contents = open(&sample.machine().process(), Path::new(DIR)).unwrap().contents();
    let place = all_places(&contents)[0];
    let wrong = selvedge_storage::Place { checksum: !place.checksum, ..place };
    let mut check = contents.check();
    check.documents(std::iter::repeat_n(wrong, 250));
    let report = check.finish();
    assert_eq!((report.problems.len(), report.problems_unlisted), (100, 152));
    assert_eq!(report.files.len(), 2);
    let live: BTreeSet<_> = report.files.iter().map(|file| file.live_bytes).collect();
    assert!(live.iter().all(|bytes| *bytes > 0));
}
