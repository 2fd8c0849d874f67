//! The database against the plain count: through labels, indexes, queries and edges.

use std::collections::{HashMap, HashSet};

use selvedge::prelude::*;
use selvedge::query::{eq, exists, has, sum};

use crate::Failure;
use crate::census::{Census, SYNSETS};
use crate::model::{FILES, PartOfSpeech, RELATIONS, Sense, Synset, Word};

/// Numbers that must be the same, and those that are not.
#[derive(Default)]
struct Comparison {
    numbers: usize,
    different: Vec<String>,
}

impl Comparison {
    fn see(&mut self, what: &str, found: u64, expected: u64) {
        self.numbers += 1;
        if found != expected {
            self.different.push(format!("{what}: {found} in the database, {expected} counted"));
        }
    }
}

/// Prints what is compared; an error if something differs.
pub(crate) fn counts(snapshot: &Snapshot<'_>, census: &Census) -> Result<(), Failure> {
    let mut comparison = Comparison::default();
    synsets(snapshot, census, &mut comparison)?;
    words(snapshot, census, &mut comparison)?;
    relations(snapshot, census, &mut comparison)?;
    if comparison.different.is_empty() {
        println!("{} numbers are as counted in the files", comparison.numbers);
        return Ok(());
    }
    Err(comparison.different.join("\n").into())
}

fn synsets(
    snapshot: &Snapshot<'_>,
    census: &Census,
    comparison: &mut Comparison,
) -> Result<(), Failure> {
    let all = snapshot.query().from_label(Synset::LABEL);
    comparison.see("synsets", all.count()?, SYNSETS);
    comparison.see(
        "synsets read as such",
        snapshot.all::<Synset>()?.flatten().count() as u64,
        SYNSETS,
    );
    for pos in PartOfSpeech::ALL {
        let found = all.clone().has("pos", eq(pos.name())).count()?;
        println!("{found:>8} synsets: {}", pos.name());
        comparison.see(pos.name(), found, census.synsets.get(&pos).copied().unwrap_or(0));
    }
    let by_file = snapshot.index(Synset::LABEL, "file")?;
    for (number, name) in FILES.iter().enumerate() {
        let expected = census.files.get(&number).copied().unwrap_or(0);
        comparison.see(name, by_file.equal(*name).count()?, expected);
    }
    let verbs = by_file.prefix("verb.").count()?;
    comparison.see("files of verbs", verbs, census.synsets[&PartOfSpeech::Verb]);
    spellings(snapshot, comparison)
}

/// Each spelling leads to as many synsets as have it.
fn spellings(snapshot: &Snapshot<'_>, comparison: &mut Comparison) -> Result<(), Failure> {
    let mut expected: HashMap<String, u64> = HashMap::new();
    for synset in snapshot.all::<Synset>()? {
        for word in synset?.words.iter().collect::<HashSet<_>>() {
            *expected.entry(word.clone()).or_default() += 1;
        }
    }
    let index = snapshot.index(Synset::LABEL, "spelling")?;
    let mut wrong = 0;
    for (word, count) in &expected {
        wrong += u64::from(index.equal(&**word).count()? != *count);
    }
    println!("{:>8} spellings", expected.len());
    comparison.see("spellings with other synsets", wrong, 0);
    Ok(())
}

fn words(
    snapshot: &Snapshot<'_>,
    census: &Census,
    comparison: &mut Comparison,
) -> Result<(), Failure> {
    let words = snapshot.query().from_label(Word::LABEL);
    let collocations = snapshot.index(Word::LABEL, "parts")?.range(2..).count()?;
    let edges = snapshot.count_edges(Sense::TYPE)?;
    let [senses] = &words.aggregate([sum("senses")])?[..] else {
        return Err("one aggregate gives one value".into());
    };
    let mut linked = 0;
    for word in snapshot.scan(Word::LABEL)? {
        let synsets = snapshot.neighbours(word, Direction::Out, Sense::TYPE)?;
        linked += synsets.collect::<HashSet<_>>().len() as u64;
    }
    println!("{:>8} words\n{collocations:>8} of them collocations", words.count()?);
    println!("{linked:>8} senses\n{edges:>8} words in synsets");
    comparison.see("words", words.count()?, census.words);
    comparison.see("collocations", collocations, census.collocations);
    comparison.see("senses of words", senses.as_u64().unwrap_or(0), census.senses);
    comparison.see("senses by edges", linked, census.senses);
    comparison.see("words in synsets", edges, census.word_places);
    Ok(())
}

fn relations(
    snapshot: &Snapshot<'_>,
    census: &Census,
    comparison: &mut Comparison,
) -> Result<(), Failure> {
    let all = snapshot.query().from_label(Synset::LABEL);
    for (symbol, edge_type) in RELATIONS {
        let (expected, lexical) = census.pointers.get(*symbol).copied().unwrap_or_default();
        let found = snapshot.count_edges(edge_type)?;
        println!("{found:>8} {edge_type}");
        comparison.see(edge_type, found, expected);
        let between_words = all.clone().out_edges(*edge_type, has("from_word", exists()));
        comparison.see(&format!("{edge_type} of words"), between_words.count()?, lexical);
    }
    let known: HashSet<_> = RELATIONS.iter().map(|(symbol, _)| *symbol).collect();
    let unknown = census.pointers.keys().filter(|symbol| !known.contains(&***symbol)).count();
    comparison.see("symbols without a relation", unknown as u64, 0);
    let pointers: u64 = census.pointers.values().map(|(pointers, _)| pointers).sum();
    let edges = snapshot.edge_count()? - snapshot.count_edges(Sense::TYPE)?;
    println!("{edges:>8} pointers in all");
    comparison.see("pointers", edges, pointers);
    Ok(())
}
