//! From the files to nodes and edges, in batches of transactions: synsets, words, senses,
//! and then what relates synsets, since a pointer may lead to any of them.

use std::collections::{BTreeMap, HashMap};

use selvedge::prelude::*;

use crate::Failure;
use crate::files::{self, DataLine, IndexLine, Texts};
use crate::model::{self, PartOfSpeech, Sense, Synset, Word};

/// Lines in one transaction.
const BATCH_LINES: usize = 5000;

/// What lines of the files refer to.
#[derive(Default)]
struct Directory<'t> {
    synsets: HashMap<(PartOfSpeech, u32), NodeId>,
    words: HashMap<&'t str, NodeId>,
    /// Of a word in a part of speech, the synsets; the most frequent first.
    senses: HashMap<(PartOfSpeech, &'t str), Vec<u32>>,
}

/// Loads all files.
pub(crate) fn load(db: &Db, texts: &[Texts]) -> Result<(), Failure> {
    let mut directory = Directory::default();
    let mut lines: Vec<(PartOfSpeech, Vec<DataLine<'_>>)> = Vec::new();
    for text in texts {
        lines.push((text.pos, files::synsets(text).collect::<Result<_, _>>()?));
    }
    for (pos, lines) in &lines {
        for batch in lines.chunks(BATCH_LINES) {
            let ids = db.insert_many(batch.iter().map(|line| synset(*pos, line)))?;
            let offsets = batch.iter().map(|line| (*pos, line.offset));
            directory.synsets.extend(offsets.zip(ids));
        }
    }
    add_words(db, texts, &mut directory)?;
    for (pos, lines) in &lines {
        for batch in lines.chunks(BATCH_LINES) {
            db.transaction(|ctx| {
                batch.iter().try_for_each(|line| add_edges(ctx, *pos, line, &directory))
            })?;
        }
    }
    Ok(())
}

fn synset(pos: PartOfSpeech, line: &DataLine<'_>) -> Synset {
    Synset {
        id: model::synset_key(pos, line.offset),
        pos,
        offset: line.offset,
        file: line.file.to_owned(),
        is_satellite: line.is_satellite,
        words: line.words.iter().map(|(word, _)| (*word).to_owned()).collect(),
        gloss: line.gloss.to_owned(),
    }
}

/// A word may be in the files of several parts of speech.
fn add_words<'t>(
    db: &Db,
    texts: &'t [Texts],
    directory: &mut Directory<'t>,
) -> Result<(), Failure> {
    let mut words: BTreeMap<&str, Word> = BTreeMap::new();
    for text in texts {
        for line in files::words(text) {
            let IndexLine { lemma, offsets } = line?;
            let word = words.entry(lemma).or_insert_with(|| Word {
                lemma: lemma.to_owned(),
                senses: 0,
                parts: 1 + lemma.matches('_').count() as u32,
            });
            word.senses += offsets.len() as u32;
            directory.senses.insert((text.pos, lemma), offsets);
        }
    }
    let (lemmas, words): (Vec<_>, Vec<_>) = words.into_iter().unzip();
    for (lemmas, words) in lemmas.chunks(BATCH_LINES).zip(words.chunks(BATCH_LINES)) {
        let ids = db.insert_many::<Word>(words)?;
        directory.words.extend(lemmas.iter().copied().zip(ids));
    }
    Ok(())
}

/// The senses of the words of a synset, and where it points to.
fn add_edges(
    ctx: &mut Transaction<'_>,
    pos: PartOfSpeech,
    line: &DataLine<'_>,
    directory: &Directory<'_>,
) -> Result<(), Failure> {
    let key = model::synset_key(pos, line.offset);
    let id = directory.synsets[&(pos, line.offset)];
    for (place, (word, marker)) in (1..).zip(&line.words) {
        let lemma = word.to_ascii_lowercase();
        let number = directory
            .senses
            .get(&(pos, &*lemma))
            .and_then(|offsets| offsets.iter().position(|offset| *offset == line.offset))
            .ok_or_else(|| {
                format!("{key} has the word {lemma}, whose index line says otherwise")
            })?;
        let number = number as u32 + 1;
        let marker = marker.map(str::to_owned);
        ctx.link(directory.words[&*lemma], Sense { pos, number, place, marker }, id)?;
    }
    for pointer in &line.pointers {
        let symbol = pointer.symbol;
        let target = directory.synsets.get(&(pointer.pos, pointer.offset));
        let target = *target.ok_or_else(|| format!("{key} points nowhere by {symbol}"))?;
        if !model::link(ctx, (id, target), symbol, pointer.words)? {
            return Err(format!("{key} points by {symbol:?}, which is no relation here").into());
        }
    }
    Ok(())
}
