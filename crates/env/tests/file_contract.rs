//! What every file system promises, asked of the real and of the simulated one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use selvedge_env::{File, FileSystem, OpenMode, RealFiles, SimulatedFiles};

/// A directory that goes with the test.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("selvedge-env-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        RealFiles.create_dir(&path).expect("the system has room for a directory");
        Self(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // What remains is in a folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a test on both file systems, in an empty directory.
fn on_both(test: fn(&dyn FileSystem, &Path)) {
    let dir = TempDir::new();
    test(&RealFiles, &dir.0);
    let simulated = SimulatedFiles::new(1);
    simulated.create_dir(Path::new("/db")).expect("no fault is planned");
    test(&simulated, Path::new("/db"));
    test(&*SimulatedFiles::new(1).process(), Path::new(""));
}

fn create(files: &dyn FileSystem, path: &Path, bytes: &[u8]) -> Arc<dyn File> {
    let file = files.open(path, OpenMode::Create).expect("the name is free");
    file.write_all_at(bytes, 0).expect("there is room");
    file
}

fn read(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0; file.len().expect("it is open") as usize];
    file.read_exact_at(&mut bytes, 0).expect("as long as it says");
    bytes
}

fn read_at_path(files: &dyn FileSystem, path: &Path) -> Vec<u8> {
    read(&*files.open(path, OpenMode::Read).expect("it is there"))
}

fn error<T>(result: std::io::Result<T>) -> ErrorKind {
    result.err().expect("it is refused").kind()
}

#[test]
fn modes_ask_for_what_must_be_there() {
    on_both(|files, dir| {
        let path = dir.join("a");
        assert_eq!(error(files.open(&path, OpenMode::Read)), ErrorKind::NotFound);
        assert_eq!(error(files.open(&path, OpenMode::Write)), ErrorKind::NotFound);
        let file = create(files, &path, b"one");
        assert_eq!(error(files.open(&path, OpenMode::Create)), ErrorKind::AlreadyExists);
        assert_eq!(read(&*file), b"one", "created for reading, too");
        let again = files.open(&path, OpenMode::Write).unwrap();
        again.write_all_at(b"two", 0).unwrap();
        assert_eq!(read(&*file), b"two", "two handles, one file");
        let reader = files.open(&path, OpenMode::Read).unwrap();
        assert!(reader.write_all_at(b"no", 0).is_err());
        assert!(reader.set_len(0).is_err());
        assert_eq!(read(&*reader), b"two");
    });
}

#[test]
fn a_path_must_lead_through_directories() {
    on_both(|files, dir| {
        create(files, &dir.join("file"), b"");
        files.create_dir(&dir.join("dir")).unwrap();
        let create = |name: &str| error(files.open(&dir.join(name), OpenMode::Create));
        assert_eq!(create("none/a"), ErrorKind::NotFound);
        assert_eq!(create("file/a"), ErrorKind::NotADirectory);
        assert_eq!(create("dir"), ErrorKind::AlreadyExists);
        for mode in [OpenMode::Read, OpenMode::Write] {
            assert_eq!(error(files.open(&dir.join("dir"), mode)), ErrorKind::IsADirectory);
        }
        files.open(&dir.join("./dir/../dir/./a"), OpenMode::Create).unwrap();
        assert_eq!(files.list(&dir.join("dir")).unwrap(), ["a"]);
    });
}

#[test]
fn positions_are_absolute() {
    on_both(|files, dir| {
        let file = create(files, &dir.join("a"), b"0123456789");
        let mut buffer = [0; 4];
        assert_eq!(file.read_at(&mut buffer, 3).unwrap(), 4);
        assert_eq!(&buffer, b"3456");
        assert_eq!(file.read_at(&mut buffer, 8).unwrap(), 2);
        assert_eq!(&buffer[..2], b"89");
        assert_eq!(file.read_at(&mut buffer, 10).unwrap(), 0, "the end");
        assert_eq!(file.read_at(&mut buffer, 1 << 40).unwrap(), 0, "far behind the end");
        assert_eq!(error(file.read_exact_at(&mut buffer, 7)), ErrorKind::UnexpectedEof);
        file.read_exact_at(&mut [], 1 << 40).unwrap();
        assert_eq!(error(file.read_at(&mut buffer, u64::MAX)), ErrorKind::InvalidInput);
        assert_eq!(error(file.write_all_at(&buffer, u64::MAX)), ErrorKind::InvalidInput);
        assert!(file.set_len(u64::MAX).is_err());
        assert_eq!(read(&*file), b"0123456789", "as it was");
    });
}

#[test]
fn files_grow_and_new_bytes_are_zero() {
    on_both(|files, dir| {
        let file = create(files, &dir.join("a"), b"");
        assert!(file.is_empty().unwrap());
        file.write_all_at(b"end", 2000).unwrap();
        assert_eq!(file.len().unwrap(), 2003);
        let bytes = read(&*file);
        assert!(bytes[..2000].iter().all(|byte| *byte == 0));
        assert_eq!(&bytes[2000..], b"end");
        file.write_all_at(b"", 9000).unwrap();
        assert_eq!(file.len().unwrap(), 2003, "nothing written, nothing grown");
        file.set_len(2001).unwrap();
        file.set_len(2600).unwrap();
        let bytes = read(&*file);
        assert_eq!(bytes.len(), 2600);
        assert_eq!(bytes[2000], b'e');
        assert!(bytes[2001..].iter().all(|byte| *byte == 0), "what was cut does not return");
        file.sync_data().unwrap();
        assert!(!file.is_empty().unwrap());
    });
}

#[test]
fn a_rename_replaces() {
    on_both(|files, dir| {
        let (a, b) = (dir.join("a"), dir.join("b"));
        let moved = create(files, &a, b"new");
        let replaced = create(files, &b, b"old");
        files.rename(&a, &b).unwrap();
        assert_eq!(files.list(dir).unwrap(), ["b"]);
        assert_eq!(read_at_path(files, &b), b"new");
        assert_eq!(read(&*replaced), b"old", "open files do not change");
        moved.write_all_at(b"!", 3).unwrap();
        assert_eq!(read_at_path(files, &b), b"new!", "and go on under another name");
        files.rename(&b, &b).unwrap();
        assert_eq!(read_at_path(files, &b), b"new!");
        assert_eq!(error(files.rename(&a, &b)), ErrorKind::NotFound);
        assert_eq!(error(files.rename(&b, &dir.join("none/b"))), ErrorKind::NotFound);
        files.create_dir(&dir.join("dir")).unwrap();
        assert_eq!(error(files.rename(&b, &dir.join("dir"))), ErrorKind::IsADirectory);
        files.rename(&b, &dir.join("dir/c")).unwrap();
        assert_eq!(files.list(dir).unwrap(), ["dir"]);
        assert_eq!(read_at_path(files, &dir.join("dir/c")), b"new!");
    });
}

#[test]
fn who_has_a_removed_file_keeps_it() {
    on_both(|files, dir| {
        let path = dir.join("a");
        let file = create(files, &path, b"bytes");
        let mapping = file.map().unwrap();
        files.remove(&path).unwrap();
        assert_eq!(error(files.open(&path, OpenMode::Read)), ErrorKind::NotFound);
        assert_eq!(error(files.remove(&path)), ErrorKind::NotFound);
        assert_eq!(read(&*file), b"bytes");
        let other = create(files, &path, b"other");
        drop(file);
        assert_eq!(mapping.bytes(), b"bytes");
        assert_eq!(read(&*other), b"other");
        files.create_dir(&dir.join("dir")).unwrap();
        assert!(files.remove(&dir.join("dir")).is_err(), "not a file");
    });
}

#[test]
fn a_list_is_sorted_and_whole() {
    on_both(|files, dir| {
        assert!(files.list(dir).unwrap().is_empty());
        for name in ["b", "c", "a", "B"] {
            create(files, &dir.join(name), b"");
        }
        files.create_dir(&dir.join("bb/below")).unwrap();
        assert_eq!(files.list(dir).unwrap(), ["B", "a", "b", "bb", "c"]);
        assert_eq!(files.list(&dir.join("bb")).unwrap(), ["below"]);
        assert_eq!(error(files.list(&dir.join("none"))), ErrorKind::NotFound);
        assert_eq!(error(files.list(&dir.join("a"))), ErrorKind::NotADirectory);
        files.sync_dir(dir).unwrap();
        assert_eq!(error(files.sync_dir(&dir.join("none"))), ErrorKind::NotFound);
    });
}

#[test]
fn directories_are_made_with_those_above() {
    on_both(|files, dir| {
        let deep = dir.join("one/two/three");
        files.create_dir(&deep).unwrap();
        create(files, &deep.join("a"), b"kept");
        files.create_dir(&deep).unwrap();
        assert_eq!(read_at_path(files, &deep.join("a")), b"kept");
        assert_eq!(error(files.create_dir(&deep.join("a"))), ErrorKind::AlreadyExists);
        assert!(files.create_dir(&deep.join("a/b")).is_err());
    });
}

#[test]
fn a_lock_has_one_holder() {
    on_both(|files, dir| {
        let path = dir.join("lock");
        let lock = files.lock(&path).unwrap();
        assert_eq!(files.list(dir).unwrap(), ["lock"], "made if need be");
        assert_eq!(error(files.lock(&path)), ErrorKind::WouldBlock);
        assert_eq!(error(files.lock(&path)), ErrorKind::WouldBlock, "still, after a refusal");
        let other = files.lock(&dir.join("other")).unwrap();
        std::thread::scope(|scope| {
            let try_lock = || error(files.lock(&path));
            assert_eq!(scope.spawn(try_lock).join().unwrap(), ErrorKind::WouldBlock);
        });
        drop(lock);
        let again = files.lock(&path).unwrap();
        drop(other);
        assert_eq!(error(files.lock(&path)), ErrorKind::WouldBlock, "another lock's end");
        drop(again);
        assert_eq!(error(files.lock(&dir.join("none/lock"))), ErrorKind::NotFound);
        // Opening and closing a locked file does not disturb the lock.
        let lock = files.lock(&path).unwrap();
        drop(files.open(&path, OpenMode::Write).unwrap());
        assert_eq!(error(files.lock(&path)), ErrorKind::WouldBlock);
        drop(lock);
        files.create_dir(&dir.join("dir")).unwrap();
        assert_eq!(error(files.lock(&dir.join("dir"))), ErrorKind::IsADirectory);
    });
}

#[test]
fn a_mapping_shows_the_whole_file_until_it_is_dropped() {
    on_both(|files, dir| {
        let bytes: Vec<_> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
        let file = create(files, &dir.join("a"), &bytes);
        let mapping = file.map().unwrap();
        drop(file);
        assert_eq!(mapping.bytes(), bytes);
        files.rename(&dir.join("a"), &dir.join("b")).unwrap();
        create(files, &dir.join("a"), b"another");
        assert_eq!(mapping.bytes(), bytes);
        let read_only = files.open(&dir.join("b"), OpenMode::Read).unwrap();
        assert_eq!(read_only.map().unwrap().bytes(), bytes);
        let empty = create(files, &dir.join("empty"), b"");
        assert!(empty.map().unwrap().bytes().is_empty());
    });
}

/// Set for a test that runs as the other process.
const LOCK_OF_CHILD: &str = "SELVEDGE_ENV_TEST_LOCK";

/// The other process of the test below: takes the lock, says so, and waits to be
/// killed.
#[test]
fn child_that_holds_a_lock() {
    let Some(path) = std::env::var_os(LOCK_OF_CHILD) else { return };
    let lock = RealFiles.lock(Path::new(&path)).unwrap();
    std::fs::write(PathBuf::from(path).with_extension("taken"), b"").unwrap();
    // Ends by itself if the parent is gone.
    std::thread::sleep(std::time::Duration::from_secs(30));
    drop(lock);
}

#[test]
fn a_real_lock_holds_against_other_processes_until_they_are_killed() {
    let dir = TempDir::new();
    let path = dir.0.join("lock");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_holds_a_lock"])
        .env(LOCK_OF_CHILD, &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !path.with_extension("taken").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the child has failed");
        std::thread::yield_now();
    }
    assert_eq!(error(RealFiles.lock(&path)), ErrorKind::WouldBlock);
    child.kill().unwrap();
    child.wait().unwrap();
    RealFiles.lock(&path).unwrap();
}

/// A lock on a file that has lost its name would lock nobody out.
#[cfg(unix)]
#[test]
fn a_real_lock_is_one_though_its_holders_remove_the_file() {
    let dir = TempDir::new();
    let path = dir.0.join("lock");
    let (holders, taken) = (AtomicU64::new(0), AtomicU64::new(0));
    let contend = || {
        for _ in 0..2000 {
            let Ok(lock) = RealFiles.lock(&path) else { continue };
            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two holders");
            taken.fetch_add(1, Ordering::Relaxed);
            std::thread::yield_now();
            holders.fetch_sub(1, Ordering::SeqCst);
            // From here on it may be made and locked anew.
            RealFiles.remove(&path).unwrap();
            drop(lock);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(contend);
        }
    });
    assert!(taken.load(Ordering::Relaxed) > 0);
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_are_not_listed() {
    use std::os::unix::ffi::OsStrExt;
    let dir = TempDir::new();
    create(&RealFiles, &dir.0.join("a"), b"");
    let odd = std::ffi::OsStr::from_bytes(b"\xff");
    if std::fs::write(dir.0.join(odd), b"").is_err() {
        return; // Not every file system takes such a name.
    }
    assert_eq!(RealFiles.list(&dir.0).unwrap(), ["a"]);
    assert_eq!(
        error(SimulatedFiles::new(1).open(Path::new(odd), OpenMode::Create)),
        ErrorKind::InvalidInput
    );
}
