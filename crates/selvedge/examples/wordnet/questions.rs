//! Questions to the dictionary, each answered from one snapshot.

use selvedge::algorithms::{PageRank, Weight};
use selvedge::prelude::*;
use selvedge::query::{Field, Order, avg, eq, has, max};

use crate::Failure;
use crate::model::{
    Antonym, Hypernym, Hyponym, InstanceHypernym, InstanceHyponym, PartMeronym, PartOfSpeech,
    Sense, Synset, Word,
};

/// The synset that all nouns are kinds of, but none.
const ENTITY: &str = "n00001740";

/// Asks, and prints the answers.
pub(crate) fn ask(snapshot: &Snapshot<'_>) -> Result<(), Failure> {
    println!("\nKinds of kinds, from dog");
    chains(snapshot, "dog")?;
    println!("\nA way from whisky to symphony");
    way(snapshot, "whisky", "symphony")?;
    most_general(snapshot)?;
    below_entity(snapshot)?;
    println!("\nParts of a car, and the opposites of happy");
    parts_and_opposites(snapshot)?;
    println!("\nWords with most senses");
    numbers(snapshot)?;
    ranks(snapshot)
}

fn words(snapshot: &Snapshot<'_>, id: NodeId) -> Result<String, Failure> {
    let synset = snapshot.get::<Synset>(id)?.ok_or_else(|| format!("node {id} is gone"))?;
    Ok(synset.words.join(", "))
}

/// The first sense of a noun.
fn meaning(snapshot: &Snapshot<'_>, lemma: &str) -> Result<Stored<Synset>, Failure> {
    let sense = has("pos", eq(PartOfSpeech::Noun.name())).and(has("number", eq(1)));
    let query = snapshot.query().from_key(Word::LABEL, lemma).out_edges(Sense::TYPE, sense);
    let id = query.ids()?.next().transpose()?.ok_or_else(|| format!("no noun {lemma}"))?;
    Ok(snapshot.get::<Synset>(id)?.ok_or("found, and not there")?)
}

/// Every way up to what is most general.
fn chains(snapshot: &Snapshot<'_>, lemma: &str) -> Result<(), Failure> {
    let start = meaning(snapshot, lemma)?.id();
    let up = snapshot.query().from(start).out(Hypernym::TYPE).repeat(1..=30).has_key(ENTITY);
    let mut found = 0;
    for way in up.paths()? {
        let way = way?;
        let steps: Result<Vec<_>, Failure> = way
            .nodes()
            .iter()
            .map(|id| Ok(words(snapshot, *id)?.split(", ").next().unwrap_or_default().to_owned()))
            .collect();
        println!("  {}", steps?.join(" < "));
        found += 1;
    }
    if found == 0 { Err(format!("no way from {lemma} to entity").into()) } else { Ok(()) }
}

/// Over words and what they have in common, whichever relation it is.
fn way(snapshot: &Snapshot<'_>, from: &str, to: &str) -> Result<(), Failure> {
    let key = |lemma| {
        snapshot.get::<Word>(lemma)?.ok_or_else(|| Failure::from(format!("no word {lemma}")))
    };
    let (from, to) = (key(from)?.id(), key(to)?.id());
    let path = snapshot.shortest_path(from, to)?.direction(Direction::Both).find();
    let path = path.ok_or("no way from one word to the other")?;
    for id in &path.nodes()[1..path.nodes().len() - 1] {
        match snapshot.get::<Synset>(*id) {
            Ok(Some(synset)) => println!("  {:<40} {}", synset.words.join(", "), synset.id),
            _ => println!("  the word"),
        }
    }
    let anyhow = snapshot.algorithms().direction(Direction::Both);
    let cost = anyhow.cheapest_path(from, to, &Weight::one())?.map(|path| path.cost());
    if cost == Some(path.edges() as f64) { Ok(()) } else { Err("two searches disagree".into()) }
}

/// Nouns and verbs that are no kind of anything.
fn most_general(snapshot: &Snapshot<'_>) -> Result<(), Failure> {
    let has_none = |id: NodeId| {
        [Hypernym::TYPE, InstanceHypernym::TYPE]
            .into_iter()
            .all(|up| snapshot.degree(id, Direction::Out, up).is_ok_and(|degree| degree == 0))
    };
    let roots = |pos: PartOfSpeech| {
        let all = snapshot.query().from_label(Synset::LABEL).has("pos", eq(pos.name()));
        all.filter(move |node| has_none(node.id()))
    };
    let nouns = roots(PartOfSpeech::Noun);
    let names: Result<Vec<_>, Failure> = nouns.ids()?.map(|id| words(snapshot, id?)).collect();
    println!("\nNouns that are no kind of anything: {}", names?.join("; "));
    println!("Verbs that are no way of doing anything: {}", roots(PartOfSpeech::Verb).count()?);
    Ok(())
}

/// The same number by a query and by an algorithm.
fn below_entity(snapshot: &Snapshot<'_>) -> Result<(), Failure> {
    let query = snapshot.query().from_key(Synset::LABEL, ENTITY);
    let kinds = query.clone().out(Hyponym::TYPE).repeat(1..=30).dedup().count()?;
    let both = query.repeat_steps(1..=30, |steps| {
        steps.out(None).has(Field::edge_type(), eq(Hyponym::TYPE).or(eq(InstanceHyponym::TYPE)))
    });
    let with_instances = both.dedup().count()?;
    let entity = snapshot.get::<Synset>(ENTITY)?.ok_or("no entity")?.id();
    let down = snapshot.algorithms().edge_type(Hyponym::TYPE);
    let levels = down.levels(entity)?;
    let all = down.edge_type(InstanceHyponym::TYPE).reachable(entity)?.len() as u64 - 1;
    println!(
        "Kinds of entity: {kinds} on {} levels; {with_instances} with instances",
        levels.depth() - 1
    );
    if (kinds, with_instances) != (levels.nodes().len() as u64 - 1, all) {
        return Err("the query and the search disagree about the kinds of entity".into());
    }
    Ok(())
}

fn parts_and_opposites(snapshot: &Snapshot<'_>) -> Result<(), Failure> {
    let car = meaning(snapshot, "car")?;
    let mut parts = Vec::new();
    for part in snapshot.out_nodes::<PartMeronym>(&car)? {
        parts.push(part?.words[0].clone());
    }
    println!("  {}: {}", car.words.join(", "), parts.join(", "));
    let happy = snapshot.query().from_key(Word::LABEL, "happy").out(Sense::TYPE);
    for way in happy.out(Antonym::TYPE).paths()? {
        let way = way?;
        let (Some(from), Some(edge)) = (way.nodes().get(1), way.edges().last()) else { continue };
        for antonym in snapshot
            .out::<Antonym>(*from)?
            .filter(|it| it.as_ref().is_ok_and(|it| it.edge() == edge.edge()))
        {
            let antonym = antonym?;
            let word = |id, place: Option<u8>| {
                let synset = snapshot.get::<Synset>(id)?.ok_or("found, and not there")?;
                let at = usize::from(place.unwrap_or(1)) - 1;
                Ok::<_, Failure>(synset.words.get(at).cloned().unwrap_or_default())
            };
            let (from, to) = (antonym.source(), antonym.target());
            println!("  {} - {}", word(from, antonym.from_word)?, word(to, antonym.to_word)?);
        }
    }
    Ok(())
}

/// Through the index of senses, and over all words.
fn numbers(snapshot: &Snapshot<'_>) -> Result<(), Failure> {
    let words = snapshot.query().from_label(Word::LABEL);
    let most = words.clone().order_by("senses", Order::Desc).limit(5);
    for row in most.select(["lemma", "senses"]).rows()? {
        let row = row?;
        let (lemma, senses) = (row.typed::<&str>(0)?, row.typed::<u64>(1)?);
        println!("  {:>3} {}", senses.unwrap_or(0), lemma.unwrap_or("?"));
    }
    println!("planned as: {}", most.explain()?.trim_end());
    let values = words.aggregate([avg("senses"), max("parts")])?;
    println!(
        "on average, a word has {:?} senses; the longest has {:?} parts",
        values[0], values[1]
    );
    let files = snapshot.query().from_label(Synset::LABEL).group_count("file")?;
    let largest = files.iter().max_by_key(|(_, count)| *count);
    println!("the largest file: {largest:?}");
    Ok(())
}

/// What most is a kind of, counted over all generations.
fn ranks(snapshot: &Snapshot<'_>) -> Result<(), Failure> {
    let is_a = snapshot.algorithms().label(Synset::LABEL).edge_type(Hypernym::TYPE);
    let ranks = is_a.page_rank(&PageRank::default())?;
    println!("\nRanked first by PageRank over hypernyms, after {} rounds", ranks.iterations());
    for (id, rank) in ranks.top(5) {
        println!("  {rank:.5} {}", words(snapshot, id)?);
    }
    let components = is_a.components()?;
    let knots = is_a.strong_components()?.groups();
    println!(
        "{} components, the largest of {:?} synsets",
        components.len(),
        components.sizes().iter().max()
    );
    let circles: Vec<_> = knots.iter().filter(|knot| knot.len() > 1).collect();
    println!("{} circles: nothing should be a kind of itself", circles.len());
    for circle in circles {
        let names: Result<Vec<_>, Failure> = circle.iter().map(|id| words(snapshot, *id)).collect();
        println!("  {}", names?.join(" <-> "));
    }
    Ok(())
}
