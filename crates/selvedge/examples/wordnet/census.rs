//! The files counted a second time, without the database and without the parser beside
//! this file: as `awk` and `grep -c` would, by the shape of what stands in a line.

use std::collections::{BTreeMap, HashMap, HashSet};

use petgraph::graph::{DiGraph, NodeIndex};

use crate::Failure;
use crate::files::Texts;
use crate::model::PartOfSpeech;

/// The synsets of WordNet 3.0.
pub(crate) const SYNSETS: u64 = 117_659;

/// What the database must agree with.
#[derive(Default)]
pub(crate) struct Census {
    pub(crate) synsets: BTreeMap<PartOfSpeech, u64>,
    /// Synsets by the number of their lexicographer's file.
    pub(crate) files: BTreeMap<usize, u64>,
    /// Different first fields in the lines of indexes.
    pub(crate) words: u64,
    /// Those with an underscore.
    pub(crate) collocations: u64,
    /// The third fields in these lines, added up.
    pub(crate) senses: u64,
    /// The fourth fields in the lines of synsets, added up.
    pub(crate) word_places: u64,
    /// Pointers by symbol, and how many of them are lexical.
    pub(crate) pointers: BTreeMap<String, (u64, u64)>,
    /// All synsets by their keys, and all pointers by their symbols.
    pub(crate) graph: DiGraph<String, String>,
}

/// Counts all files together.
pub(crate) fn count(texts: &[Texts]) -> Result<Census, Failure> {
    let (mut census, mut words) = (Census::default(), HashSet::new());
    let mut nodes: HashMap<String, NodeIndex> = HashMap::new();
    let mut edges = Vec::new();
    for text in texts {
        for line in text.index.lines().filter(|line| !line.starts_with(' ')) {
            let mut fields = line.split(' ');
            words.insert(fields.next().unwrap_or_default());
            census.senses += fields.nth(1).unwrap_or_default().parse::<u64>()?;
        }
        for line in text.data.lines().filter(|line| !line.starts_with(' ')) {
            let fields: Vec<&str> = line.split('|').next().unwrap_or_default().split(' ').collect();
            *census.synsets.entry(text.pos).or_default() += 1;
            *census.files.entry(fields[1].parse()?).or_default() += 1;
            census.word_places += u64::from_str_radix(fields[3], 16)?;
            let key = format!("{}{}", if fields[2] == "s" { "a" } else { fields[2] }, fields[0]);
            nodes.insert(key.clone(), census.graph.add_node(key.clone()));
            for pointer in fields.windows(4).filter(|fields| is_pointer(fields)) {
                let count = census.pointers.entry(pointer[0].to_owned()).or_default();
                count.0 += 1;
                count.1 += u64::from(pointer[3] != "0000");
                edges.push((key.clone(), format!("{}{}", pointer[2], pointer[1]), pointer[0]));
            }
        }
    }
    census.words = words.len() as u64;
    census.collocations = words.iter().filter(|word| word.contains('_')).count() as u64;
    for (from, to, symbol) in edges {
        let to =
            nodes.get(&to).ok_or_else(|| format!("{from} points to {to}, which is no line"))?;
        census.graph.add_edge(nodes[&from], *to, symbol.to_owned());
    }
    Ok(census)
}

/// A symbol, eight digits, a letter and four hexadecimal digits: nothing else in a line
/// looks so.
fn is_pointer(fields: &[&str]) -> bool {
    let is_number = |text: &str, digits: usize, radix: u32| {
        text.len() == digits && text.chars().all(|digit| digit.is_digit(radix))
    };
    let has_symbol = !fields[0].is_empty() && !fields[0].contains(char::is_alphanumeric)
        || fields[0].starts_with(['@', '~', '#', '%', ';', '-']);
    has_symbol
        && is_number(fields[1], 8, 10)
        && ["n", "v", "a", "r"].contains(&fields[2])
        && is_number(fields[3], 4, 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_their_shape() {
        let licence = "  1 @ 00001740 n 0000\n".to_owned();
        let text = |pos, data: &str, index: &str| Texts {
            pos,
            data: format!("{licence}{data}"),
            index: format!("{licence}{index}"),
        };
        let texts = [
            text(
                PartOfSpeech::Noun,
                "00001740 03 n 02 a 0 B 0 000 | @ 00000007 s 0000\n",
                "a n 1 0 1 0 00001740\n",
            ),
            text(
                PartOfSpeech::Adjective,
                "00000007 00 s 0a x 0 002 \\ 00001740 n 0101 ;c 00001740 n 0000 | g\n",
                "a a 2 0 2 0 1 2\nx_y a 1 0 1 0 00000007\n",
            ),
        ];
        let census = count(&texts).unwrap();
        assert_eq!(census.synsets.into_values().collect::<Vec<_>>(), [1, 1]);
        assert_eq!((census.words, census.collocations, census.senses), (2, 1, 4));
        assert_eq!(census.word_places, 12);
        let pointers = [("\\".to_owned(), (1, 1)), (";c".to_owned(), (1, 0))];
        assert_eq!(census.pointers, pointers.into());
        assert_eq!((census.graph.node_count(), census.graph.edge_count()), (2, 2));
    }
}
