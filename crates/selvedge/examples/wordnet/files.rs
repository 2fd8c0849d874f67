//! The files of WordNet 3.0, as wndb(5WN) describes them: one synset a line in
//! `data.*`, one word a line in `index.*`, each behind a licence whose lines begin
//! with two spaces.

use std::fs;
use std::path::Path;

use crate::Failure;
use crate::model::{self, PartOfSpeech};

/// Both files of a part of speech.
pub(crate) struct Texts {
    pub(crate) pos: PartOfSpeech,
    pub(crate) data: String,
    pub(crate) index: String,
}

/// A line of `data.*`.
#[derive(Debug, PartialEq)]
pub(crate) struct DataLine<'t> {
    pub(crate) offset: u32,
    pub(crate) file: &'static str,
    pub(crate) is_satellite: bool,
    /// Words as they are spelled, with the marker that adjectives may have.
    pub(crate) words: Vec<(&'t str, Option<&'t str>)>,
    pub(crate) pointers: Vec<Pointer<'t>>,
    pub(crate) gloss: &'t str,
}

/// From a synset to another one, or from a word of it to a word of the other.
#[derive(Debug, PartialEq)]
pub(crate) struct Pointer<'t> {
    pub(crate) symbol: &'t str,
    pub(crate) pos: PartOfSpeech,
    pub(crate) offset: u32,
    /// Places of both words, from 1; `None` if the synsets are meant.
    pub(crate) words: Option<(u8, u8)>,
}

/// A line of `index.*`: a word, and its synsets, the most frequent first.
#[derive(Debug, PartialEq)]
pub(crate) struct IndexLine<'t> {
    pub(crate) lemma: &'t str,
    pub(crate) offsets: Vec<u32>,
}

/// Reads all eight files.
pub(crate) fn read(folder: &Path) -> Result<Vec<Texts>, Failure> {
    let read = |kind: &str, pos: PartOfSpeech| {
        let path = folder.join(format!("{kind}.{}", pos.file_ending()));
        fs::read_to_string(&path).map_err(|error| {
            format!(
                "cannot read {}: {error}. Install WordNet 3.0 (`apt-get install wordnet-base` on \
                 Debian), or give the folder of its files as an argument",
                path.display()
            )
        })
    };
    let mut texts = Vec::new();
    for pos in PartOfSpeech::ALL {
        texts.push(Texts { pos, data: read("data", pos)?, index: read("index", pos)? });
    }
    Ok(texts)
}

/// The synsets of a part of speech.
pub(crate) fn synsets(texts: &Texts) -> impl Iterator<Item = Result<DataLine<'_>, Failure>> {
    lines(&texts.data).map(|(number, line)| {
        data_line(line).ok_or_else(|| malformed("data", texts.pos, number, line))
    })
}

/// The words of a part of speech.
pub(crate) fn words(texts: &Texts) -> impl Iterator<Item = Result<IndexLine<'_>, Failure>> {
    lines(&texts.index).map(|(number, line)| {
        index_line(line).ok_or_else(|| malformed("index", texts.pos, number, line))
    })
}

/// Lines with their numbers, without the licence.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    lines.filter(|(_, line)| !line.starts_with("  "))
}

#[cold]
fn malformed(kind: &str, pos: PartOfSpeech, number: usize, line: &str) -> Failure {
    let start: String = line.chars().take(60).collect();
    let ending = pos.file_ending();
    format!("line {number} of {kind}.{ending} is not as wndb(5WN) has it: {start:?}").into()
}

fn data_line(line: &str) -> Option<DataLine<'_>> {
    let (fields, gloss) = line.split_once(" | ")?;
    let mut fields = fields.split(' ');
    let offset = fields.next()?.parse().ok()?;
    let file = *model::FILES.get(fields.next()?.parse::<usize>().ok()?)?;
    let is_satellite = fields.next()? == "s";
    let words = (0..u8::from_str_radix(fields.next()?, 16).ok()?)
        .map(|_| {
            let word = fields.next()?;
            let _lex_id = fields.next()?;
            Some(match word.strip_suffix(')').and_then(|word| word.split_once('(')) {
                Some((word, marker)) => (word, Some(marker)),
                None => (word, None),
            })
        })
        .collect::<Option<_>>()?;
    let pointers = (0..fields.next()?.parse::<u16>().ok()?)
        .map(|_| pointer([fields.next()?, fields.next()?, fields.next()?, fields.next()?]))
        .collect::<Option<_>>()?;
    // Frames of verbs are behind them, and left out.
    Some(DataLine { offset, file, is_satellite, words, pointers, gloss: gloss.trim_end() })
}

fn pointer([symbol, offset, pos, words]: [&str; 4]) -> Option<Pointer<'_>> {
    let (from, to) = words.split_at_checked(2)?;
    let words = (u8::from_str_radix(from, 16).ok()?, u8::from_str_radix(to, 16).ok()?);
    Some(Pointer {
        symbol,
        pos: PartOfSpeech::from_letter(pos)?,
        offset: offset.parse().ok()?,
        words: (words != (0, 0)).then_some(words),
    })
}

fn index_line(line: &str) -> Option<IndexLine<'_>> {
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let synsets = fields.get(2)?.parse::<usize>().ok()?;
    let offsets = fields.get(fields.len().checked_sub(synsets)?.max(6)..)?;
    let offsets = offsets.iter().map(|offset| offset.parse().ok()).collect::<Option<Vec<_>>>()?;
    (offsets.len() == synsets).then_some(IndexLine { lemma: fields[0], offsets })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let line = "00002098 00 s 02 unable 0 galore(ip) 1 002 = 05200169 n 0000 ! 00001740 a 0201 \
                    | not able; \"a | b\"  ";
        let pointer = |symbol, pos, offset, words| Pointer { symbol, pos, offset, words };
        let expected = DataLine {
            offset: 2098,
            file: "adj.all",
            is_satellite: true,
            words: vec![("unable", None), ("galore", Some("ip"))],
            pointers: vec![
                pointer("=", PartOfSpeech::Noun, 5_200_169, None),
                pointer("!", PartOfSpeech::Adjective, 1740, Some((2, 1))),
            ],
            gloss: "not able; \"a | b\"",
        };
        assert_eq!(data_line(line), Some(expected));
        let expected = IndexLine { lemma: "'hood", offsets: vec![8_641_944] };
        assert_eq!(index_line("'hood n 1 2 @ ; 1 0 08641944  "), Some(expected));
    }

    #[test]
    fn what_is_malformed_is_told() {
        for line in ["", "x", "00002098 00 s 02 unable 0 | cut", "1 99 n 00 000 | no such file"] {
            assert_eq!(data_line(line), None, "{line}");
        }
        for line in ["", "word n 2 0 1 0 00000001", "word n 9 0"] {
            assert_eq!(index_line(line), None, "{line}");
        }
        let texts =
            Texts { pos: PartOfSpeech::Noun, data: "  1 x\nx".into(), index: String::new() };
        let error = synsets(&texts).next().unwrap().unwrap_err().to_string();
        assert_eq!(error, "line 2 of data.noun is not as wndb(5WN) has it: \"x\"");
    }
}
