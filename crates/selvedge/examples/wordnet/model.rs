//! What is a node, and what an edge.
//!
//! ```text
//! (Word dog) -[HAS_SENSE number: 1]-> (Synset n02084071) -[HYPERNYM]-> (Synset n02083346)
//! ```
//!
//! A *synset* is a meaning and the words that have it; a word has one *sense* for each
//! of its synsets. Each of the 26 relations of WordNet is an edge type. *Semantic* ones
//! hold between synsets; *lexical* ones between words of theirs, and where those stand in
//! their synsets is in the edge.

use selvedge::prelude::*;
use serde::{Deserialize, Serialize};

/// The lexicographers' files, by their numbers: lexnames(5WN).
#[rustfmt::skip]
pub(crate) const FILES: [&str; 45] = [
    "adj.all", "adj.pert", "adv.all", "noun.Tops", "noun.act", "noun.animal", "noun.artifact",
    "noun.attribute", "noun.body", "noun.cognition", "noun.communication", "noun.event",
    "noun.feeling", "noun.food", "noun.group", "noun.location", "noun.motive", "noun.object",
    "noun.person", "noun.phenomenon", "noun.plant", "noun.possession", "noun.process",
    "noun.quantity", "noun.relation", "noun.shape", "noun.state", "noun.substance", "noun.time",
    "verb.body", "verb.change", "verb.cognition", "verb.communication", "verb.competition",
    "verb.consumption", "verb.contact", "verb.creation", "verb.emotion", "verb.motion",
    "verb.perception", "verb.possession", "verb.social", "verb.stative", "verb.weather", "adj.ppl",
];

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PartOfSpeech {
    Noun,
    Verb,
    Adjective,
    Adverb,
}

impl PartOfSpeech {
    pub(crate) const ALL: [Self; 4] = [Self::Noun, Self::Verb, Self::Adjective, Self::Adverb];

    pub(crate) fn file_ending(self) -> &'static str {
        match self {
            Self::Noun => "noun",
            Self::Verb => "verb",
            Self::Adjective => "adj",
            Self::Adverb => "adv",
        }
    }

    /// As documents have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Noun => "noun",
            Self::Verb => "verb",
            Self::Adjective => "adjective",
            Self::Adverb => "adverb",
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Noun => 'n',
            Self::Verb => 'v',
            Self::Adjective => 'a',
            Self::Adverb => 'r',
        }
    }

    pub(crate) fn from_letter(letter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pos| letter.starts_with(pos.letter()) && letter.len() == 1)
    }
}

/// A meaning, and the words that have it.
#[derive(Serialize, Deserialize, Node, Clone, Debug)]
#[node(index(on("pos", "offset"), name = "place", unique))]
#[node(index(on("words[]"), name = "spelling"))]
pub(crate) struct Synset {
    /// See [`synset_key`].
    #[node(key)]
    pub(crate) id: String,
    pub(crate) pos: PartOfSpeech,
    /// Where its line begins in the file of its part of speech.
    pub(crate) offset: u32,
    /// In which of [`FILES`] it was written.
    #[node(index)]
    pub(crate) file: String,
    /// An adjective that stands by a more central one.
    pub(crate) is_satellite: bool,
    /// As they are spelled.
    #[node(length = 1..=255)]
    pub(crate) words: Vec<String>,
    pub(crate) gloss: String,
}

/// `n02084071`: a letter for the part of speech, and the offset.
pub(crate) fn synset_key(pos: PartOfSpeech, offset: u32) -> String {
    format!("{}{offset:08}", pos.letter())
}

/// A word or a collocation, in lower case, with underscores for spaces.
#[derive(Serialize, Deserialize, Node, Clone, Debug)]
pub(crate) struct Word {
    #[node(key)]
    pub(crate) lemma: String,
    /// How many synsets have it, over all parts of speech.
    #[node(index, min = 1)]
    pub(crate) senses: u32,
    /// Of how many words it is made.
    #[node(index)]
    pub(crate) parts: u32,
}

/// That a word has a meaning. Several, if a synset has it in two spellings.
#[derive(Serialize, Deserialize, Edge, Clone, Debug)]
#[edge(type = "HAS_SENSE", from = Word, to = Synset, multi)]
pub(crate) struct Sense {
    pub(crate) pos: PartOfSpeech,
    /// Its rank by frequency among the senses of the word in this part of speech, from 1.
    #[edge(min = 1)]
    pub(crate) number: u32,
    /// Its place among the words of the synset, from 1.
    #[edge(min = 1)]
    pub(crate) place: u8,
    /// Where an adjective may stand: `p`, `a` or `ip`.
    pub(crate) marker: Option<String>,
}

/// What a lexical edge holds: places of words in the synsets that it links, from 1; none if
/// the synsets as a whole are meant.
pub(crate) type Places = Option<(u8, u8)>;

/// The relations: structs for edges, their definitions, and linking by WordNet's symbols.
macro_rules! relations {
    (
        semantic { $($semantic:ident = $semantic_symbol:literal,)* }
        lexical { $($lexical:ident = $lexical_symbol:literal,)* }
    ) => {
        $(
            #[derive(Serialize, Deserialize, Edge, Clone, Copy, Debug)]
            #[edge(from = Synset, to = Synset)]
            pub(crate) struct $semantic;
        )*
        $(
            #[derive(Serialize, Deserialize, Edge, Clone, Copy, Debug)]
            #[edge(from = Synset, to = Synset, multi)]
            pub(crate) struct $lexical {
                #[edge(min = 1)]
                pub(crate) from_word: Option<u8>,
                #[edge(min = 1)]
                pub(crate) to_word: Option<u8>,
            }
        )*

        /// WordNet's symbols, and the edge types.
        pub(crate) const RELATIONS: &[(&str, &str)] = &[
            $(($semantic_symbol, $semantic::TYPE),)*
            $(($lexical_symbol, $lexical::TYPE),)*
        ];

        /// What the database is to keep to.
        pub(crate) fn definitions() -> Vec<Define> {
            vec![
                Define::node::<Synset>(),
                Define::node::<Word>(),
                Define::edge::<Sense>(),
                $(Define::edge::<$semantic>(),)*
                $(Define::edge::<$lexical>(),)*
            ]
        }

        /// Links two synsets by the relation with a symbol; `false` if there is none.
        pub(crate) fn link(
            ctx: &mut Transaction<'_>,
            (from, to): (NodeId, NodeId),
            symbol: &str,
            places: Places,
        ) -> selvedge::Result<bool> {
            let (from_word, to_word) = places.unzip();
            match (symbol, places) {
                $(($semantic_symbol, None) => ctx.link(from, $semantic, to)?,)*
                $(($lexical_symbol, _) => {
                    ctx.link(from, $lexical { from_word, to_word }, to)?
                })*
                _ => return Ok(false),
            };
            Ok(true)
        }
    };
}

relations! {
    semantic {
        Hypernym = "@",
        InstanceHypernym = "@i",
        Hyponym = "~",
        InstanceHyponym = "~i",
        MemberHolonym = "#m",
        SubstanceHolonym = "#s",
        PartHolonym = "#p",
        MemberMeronym = "%m",
        SubstanceMeronym = "%s",
        PartMeronym = "%p",
        Attribute = "=",
        Entails = "*",
        Causes = ">",
        SimilarTo = "&",
    }
    lexical {
        Antonym = "!",
        Derivation = "+",
        VerbGroup = "$",
        SeeAlso = "^",
        ParticipleOf = "<",
        PertainsTo = "\\",
        InTopic = ";c",
        TopicMember = "-c",
        InRegion = ";r",
        RegionMember = "-r",
        InUsage = ";u",
        UsageMember = "-u",
    }
}
