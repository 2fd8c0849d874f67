//! Whether what is on the disk is what was written, and adds up.

use std::collections::BTreeMap;

use crate::block::PREFIX_BYTES;
use crate::contents::Contents;
use crate::error::StorageError;
use crate::header::FileHeader;
use crate::place::{FileNumber, Place};

/// Problems listed in a report; more are counted.
const PROBLEMS_LISTED: usize = 100;

/// How much of a data file is in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileReport {
    /// The file.
    pub file: FileNumber,
    /// Its length.
    pub bytes: u64,
    /// What newest blocks and their documents take of it.
    pub live_bytes: u64,
}

/// What a check found.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Report {
    /// The data files, in the order of their numbers.
    pub files: Vec<FileReport>,
    /// Blocks looked at.
    pub blocks: u64,
    /// Their bytes.
    pub block_bytes: u64,
    /// Documents looked at.
    pub documents: u64,
    /// Their bytes.
    pub document_bytes: u64,
    /// What is wrong: the first hundred.
    pub problems: Vec<StorageError>,
    /// What else is wrong: only its number.
    pub problems_unlisted: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.problems_unlisted == 0
    }

    fn note(&mut self, problem: StorageError) {
        if self.problems.len() < PROBLEMS_LISTED {
            self.problems.push(problem);
        } else {
            self.problems_unlisted += 1;
        }
    }
}

/// A check of [`Contents`]. It reads every block, and every document that it is
/// told of.
#[derive(Debug)]
pub struct Check<'a> {
    contents: &'a Contents,
    report: Report,
}

impl Contents {
    /// Checks the directory, every block, and that no file holds more than its
    /// length. Documents are for those to tell who can read blocks:
    /// [`Check::documents`].
    #[must_use]
    pub fn check(&self) -> Check<'_> {
        let mut check = Check { contents: self, report: Report::default() };
        check.directory();
        check.blocks();
        check.files();
        check
    }
}

impl Check<'_> {
    fn directory(&mut self) {
        match self.contents.read_directory() {
            Ok(blocks) if blocks == **self.contents.blocks() => {}
            Ok(_) => self.report.note(
                self.contents.directory_problem("the directory is not the one that was read"),
            ),
            Err(problem) => self.report.note(problem),
        }
    }

    fn blocks(&mut self) {
        for (key, entry) in self.contents.blocks().iter() {
            self.report.blocks += 1;
            self.report.block_bytes += u64::from(entry.place().len);
            if let Err(problem) = self.contents.block(key) {
                self.report.note(problem);
            }
        }
    }

    fn files(&mut self) {
        for file in self.contents.files() {
            let (number, bytes) = (file.number(), file.len());
            let live_bytes = self.contents.blocks().live_bytes(number);
            self.report.files.push(FileReport { file: number, bytes, live_bytes });
            let directory = self.contents.manifest().directory;
            let directory = directory.filter(|place| place.file == number);
            let directory_bytes = directory.map_or(0, |place| PREFIX_BYTES + place.footprint());
            let needed = (FileHeader::BYTES as u64 + directory_bytes).saturating_add(live_bytes);
            if needed > bytes {
                let what = format!("{needed} of {bytes} bytes are in use");
                self.report.note(StorageError::corrupt(file.path(), bytes, what));
            }
        }
    }

    /// Checks every document that blocks refer to: `places` names all of them,
    /// each once.
    pub fn documents(&mut self, places: impl IntoIterator<Item = Place>) {
        let mut named: BTreeMap<FileNumber, u64> = BTreeMap::new();
        for place in places {
            self.report.documents += 1;
            self.report.document_bytes += u64::from(place.len);
            let bytes = named.entry(place.file).or_default();
            *bytes = bytes.saturating_add(place.footprint());
            if let Err(problem) = self.contents.verified_document(place) {
                self.report.note(problem);
            }
        }
        self.compare(&named);
    }

    /// Compares what blocks name with what the directory says that they name.
    fn compare(&mut self, named: &BTreeMap<FileNumber, u64>) {
        let mut listed: BTreeMap<FileNumber, u64> = BTreeMap::new();
        for (_, entry) in self.contents.blocks().iter() {
            for one in entry.documents() {
                let bytes = listed.entry(one.file).or_default();
                *bytes = bytes.saturating_add(one.bytes);
            }
        }
        for file in self.contents.files() {
            let of = |bytes: &BTreeMap<_, _>| bytes.get(&file.number()).copied().unwrap_or(0_u64);
            let (listed, named) = (of(&listed), of(named));
            if listed != named {
                let number = file.number();
                let what =
                    format!("{listed} bytes of documents in {number}, but blocks name {named}");
                self.report.note(self.contents.directory_problem(&what));
            }
        }
    }

    /// What was found.
    #[must_use]
    pub fn finish(self) -> Report {
        self.report
    }
}
