//! What a store should contain, and a participant that writes it: leaves with
//! documents, of which those that did not change stay where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use selvedge_base::Timestamp;
use selvedge_env::FileSystem;
use selvedge_storage::{
    BlockKey, CheckpointFacts, CheckpointWriter, Contents, FileNumber, Finished, Identity,
    LogPosition, LogStart, Place, Published, StorageError, Store,
};

pub(crate) const IDENTITY: Identity =
    Identity { database: 0xD0_0D << 64 | 7, salt: 0x5A17_5A17, segment_bytes: 1 << 20 };

pub(crate) fn key(table: u8, leaf: u64) -> BlockKey {
    BlockKey { table, leaf }
}

/// The documents of each leaf, by slot.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Model {
    pub(crate) leaves: BTreeMap<BlockKey, BTreeMap<u64, Vec<u8>>>,
}

impl Model {
    pub(crate) fn set(&mut self, key: BlockKey, slot: u64, document: &[u8]) {
        self.leaves.entry(key).or_default().insert(slot, document.to_vec());
    }

    /// Changes some documents; gives the leaves that changed.
    pub(crate) fn change(&mut self, rng: &mut fastrand::Rng) -> BTreeSet<BlockKey> {
        let mut changed = BTreeSet::new();
        for _ in 0..rng.u64(1..8) {
            let (at, slot) = (key(rng.u8(..2), rng.u64(..4)), rng.u64(..5));
            changed.insert(at);
            if rng.u8(..4) == 0 {
                if let Some(leaf) = self.leaves.get_mut(&at) {
                    leaf.remove(&slot);
                    if leaf.is_empty() || rng.bool() {
                        self.leaves.remove(&at);
                    }
                }
            } else {
                let document: Vec<u8> = (0..rng.usize(..300)).map(|_| rng.u8(..)).collect();
                self.set(at, slot, &document);
            }
        }
        changed
    }

    /// The facts of the checkpoint `number`, which tell it from all others.
    pub(crate) fn facts(number: u64) -> CheckpointFacts {
        CheckpointFacts {
            timestamp: Timestamp::new(number * 10),
            log: LogStart { position: LogPosition::new(number * 64), chain: number as u32 },
            incarnation: 1,
            engine: number.to_le_bytes().to_vec(),
        }
    }

    /// Writes the leaves that changed, and those that have to move.
    pub(crate) fn write(
        &self,
        writer: &mut CheckpointWriter,
        changed: &BTreeSet<BlockKey>,
    ) -> Result<(), StorageError> {
        let base = writer.base().clone();
        let mut keys = changed.clone();
        keys.extend(writer.keys_leaving());
        for key in keys {
            let Some(leaf) = self.leaves.get(&key) else {
                writer.remove(key);
                continue;
            };
            let before = places(&base, key)?;
            let mut block = Vec::new();
            let mut documents = Vec::new();
            for (slot, document) in leaf {
                let stays = match before.get(slot) {
                    Some(place) if base.verified_document(*place)? == document => {
                        (!writer.is_leaving(place.file)).then_some(*place)
                    }
                    _ => None,
                };
                let place = match stays {
                    Some(place) => place,
                    None => writer.document(document)?,
                };
                documents.push(place);
                block.extend(slot.to_le_bytes());
                block.extend(place.to_bytes());
            }
            writer.block(key, &block, documents)?;
        }
        Ok(())
    }

    /// A checkpoint up to its publication.
    pub(crate) fn finish(
        &self,
        store: &Store,
        changed: &BTreeSet<BlockKey>,
    ) -> Result<Finished, StorageError> {
        let mut writer = store.begin()?;
        self.write(&mut writer, changed)?;
        writer.finish()
    }

    /// A whole checkpoint.
    pub(crate) fn checkpoint(
        &self,
        store: &Store,
        changed: &BTreeSet<BlockKey>,
        number: u64,
    ) -> Result<Published, StorageError> {
        store.publish(self.finish(store, changed)?, Self::facts(number))
    }

    /// Everything that `contents` say, verified.
    pub(crate) fn read(contents: &Contents) -> Result<Self, StorageError> {
        let mut model = Self::default();
        for (key, _) in contents.blocks().iter() {
            let leaf = model.leaves.entry(key).or_default();
            for (slot, place) in places(contents, key)? {
                let document = contents.verified_document(place)?;
                assert_aligned(document);
                let lies = contents.place_of(document);
                if !document.is_empty() {
                    assert_eq!(lies, Some((place.file, place.offset)), "the place of a document");
                }
                leaf.insert(slot, document.to_vec());
            }
        }
        Ok(model)
    }
}

fn assert_aligned(bytes: &[u8]) {
    assert!(bytes.as_ptr().addr().is_multiple_of(8), "what is read starts at a multiple of 8");
}

/// Where the documents of a leaf are.
pub(crate) fn places(
    contents: &Contents,
    key: BlockKey,
) -> Result<BTreeMap<u64, Place>, StorageError> {
    let Some(block) = contents.block(key)? else { return Ok(BTreeMap::new()) };
    assert_aligned(block);
    let (entries, rest) = block.as_chunks::<32>();
    assert!(rest.is_empty(), "blocks are read as they were written");
    let entry = |entry: &[u8; 32]| {
        let (slot, place) = entry.split_first_chunk().expect("long enough");
        let place = place.first_chunk().expect("long enough");
        (u64::from_le_bytes(*slot), Place::from_bytes(place))
    };
    Ok(entries.iter().map(entry).collect())
}

/// The places of all documents.
pub(crate) fn all_places(contents: &Contents) -> Vec<Place> {
    let keys = contents.blocks().iter().map(|(key, _)| key);
    keys.flat_map(|key| places(contents, key).expect("undamaged").into_values()).collect()
}

/// A store says the same of itself in every way, and its directory holds nothing
/// else.
pub(crate) fn assert_sound(files: &dyn FileSystem, store: &Store) {
    assert_sound_with(store, files.list(store.path()).expect("the directory is there"));
}

/// [`assert_sound`], with the names in the directory.
pub(crate) fn assert_sound_with(store: &Store, there: Vec<String>) {
    let contents = store.contents();
    let mut check = contents.check();
    check.documents(all_places(&contents));
    let report = check.finish();
    assert!(report.is_clean(), "{report:#?}");
    let named = contents.manifest().files.iter().map(|live| live.file.to_string());
    let mut expected: BTreeSet<String> = named.collect();
    expected.insert("MANIFEST".to_owned());
    expected.insert("lock".to_owned());
    assert_eq!(BTreeSet::from_iter(there), expected, "no file too many, and none missing");
    let directory = contents.manifest().directory.map(|place| place.file);
    for live in &contents.manifest().files {
        let is_used = contents.blocks().uses(live.file) || directory == Some(live.file);
        assert!(is_used, "{} is dead", live.file);
    }
}

pub(crate) fn create(files: &Arc<dyn FileSystem>, dir: &Path) -> Result<Store, StorageError> {
    Store::create(files.clone(), dir, IDENTITY)
}

/// Opens a database that must be there.
pub(crate) fn open(files: &Arc<dyn FileSystem>, dir: &Path) -> Result<Store, StorageError> {
    Store::open(files.clone(), dir).map(|store| store.expect("there is a database"))
}

/// The files of a manifest.
pub(crate) fn numbers(contents: &Contents) -> Vec<FileNumber> {
    contents.manifest().files.iter().map(|live| live.file).collect()
}
