//! A life of a database: several checkpoints with changes by chance, closed and
//! opened now and then.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use selvedge_env::FileSystem;
use selvedge_storage::{BlockKey, StorageError, Store};

use crate::model::{Model, assert_sound_with, create, open};

pub(crate) const DIR: &str = "db";
const CHECKPOINTS: u64 = 9;

/// What has happened, as far as it has come.
#[derive(Default, Debug)]
pub(crate) struct History {
    /// What each generation should contain; the last one may not have been
    /// published.
    pub(crate) models: Vec<Model>,
    /// The generations whose making has returned.
    pub(crate) published: Option<u64>,
    /// Files that went.
    pub(crate) died: usize,
    /// Blocks that were moved out of a file.
    pub(crate) moved: usize,
}

impl History {
    /// Whether a database in this state may be found: not older than what was
    /// published last.
    pub(crate) fn assert_holds(&self, store: &Store) {
        let contents = store.contents();
        let generation = contents.manifest().generation;
        assert!(self.published <= Some(generation), "{generation} after {:?}", self.published);
        let model = self.models.get(generation as usize).expect("somebody has written it");
        assert_eq!(Model::read(&contents).as_ref(), Ok(model), "generation {generation}");
        let facts = Model::facts(generation);
        if generation > 0 {
            assert_eq!(contents.manifest().engine, facts.engine);
            assert_eq!(contents.manifest().log, facts.log);
        }
    }

    /// The next checkpoint, with some changes.
    pub(crate) fn checkpoint(
        &mut self,
        store: &Store,
        rng: &mut fastrand::Rng,
    ) -> Result<(), StorageError> {
        let mut model = self.models.last().cloned().unwrap_or_default();
        let changed = model.change(rng);
        self.checkpoint_of(store, model, &changed)
    }

    fn checkpoint_of(
        &mut self,
        store: &Store,
        model: Model,
        changed: &BTreeSet<BlockKey>,
    ) -> Result<(), StorageError> {
        let mut writer = store.begin()?;
        self.moved += writer.keys_leaving().len();
        model.write(&mut writer, changed)?;
        let finished = writer.finish()?;
        let generation = self.models.len() as u64;
        // From here on it may be found.
        self.models.push(model);
        let published = store.publish(finished, Model::facts(generation))?;
        self.published = Some(generation);
        self.died += published.died.len();
        assert_eq!(published.contents.manifest().generation, generation);
        Ok(())
    }
}

/// Runs until something goes wrong.
pub(crate) fn run(
    files: &Arc<dyn FileSystem>,
    seed: u64,
    history: &mut History,
) -> Result<(), StorageError> {
    let mut rng = fastrand::Rng::with_seed(seed);
    history.models.push(Model::default());
    let mut store = create(files, Path::new(DIR))?;
    history.published = Some(0);
    for number in 0..CHECKPOINTS {
        history.checkpoint(&store, &mut rng)?;
        let names = files.list(Path::new(DIR));
        let names = names.map_err(|error| StorageError::io("list", Path::new(DIR), &error))?;
        assert_sound_with(&store, names);
        if number % 4 == 3 {
            drop(store);
            store = open(files, Path::new(DIR))?;
            history.assert_holds(&store);
            store.remove_leftovers()?;
        }
    }
    Ok(())
}
