//! What nodes compare instead of whole keys: words of eight bytes, common
//! prefixes, and the shortest key that separates two neighbours.

/// The first eight bytes as a big-endian number, missing ones as zero: words
/// order like the bytes, except that equal words say nothing.
pub(crate) fn word(bytes: &[u8]) -> u64 {
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut padded = [0; 8];
    padded[..bytes.len()].copy_from_slice(bytes);
    u64::from_be_bytes(padded)
}

/// How many of the sorted `words` are below `wanted`. Looks at one word of each
/// eight and then at those eight, instead of halving, because the looks do not
/// wait for each other: in a node that is not cached they miss all at once.
pub(crate) fn below(words: &[u64], wanted: u64) -> usize {
    let (eights, _) = words.as_chunks::<8>();
    let start = 8 * eights.iter().map(|eight| usize::from(eight[7] < wanted)).sum::<usize>();
    let end = words.len().min(start + 8);
    start + words[start..end].iter().map(|&word| usize::from(word < wanted)).sum::<usize>()
}

/// How many of the sorted `words` are `wanted`, given how many are below.
pub(crate) fn equal(words: &[u64], wanted: u64, below: usize) -> usize {
    match &words[below..] {
        [first, ..] if *first != wanted => 0,
        [_, second, ..] if *second != wanted => 1,
        rest => rest.partition_point(|&word| word == wanted),
    }
}

/// Length of the longest common prefix.
pub(crate) fn common(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(a, b)| a == b).count()
}

/// The shortest prefix of `right` that is above `left`; `left` is below `right`.
pub(crate) fn separator<'k>(left: &[u8], right: &'k [u8]) -> &'k [u8] {
    debug_assert!(left < right, "neighbours are in order");
    &right[..=common(left, right)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_order_like_bytes() {
        let keys: [&[u8]; 7] = [b"", b"\0", b"a", b"ab", b"abcdefgh", b"abcdefghi", &[0xff; 9]];
        for pair in keys.windows(2) {
            assert!(word(pair[0]) <= word(pair[1]), "{pair:?}");
        }
        assert_eq!(word(b"a"), word(b"a\0"));
        assert_eq!(word(b"abcdefgh"), word(b"abcdefghi"));
    }

    #[test]
    fn searches_agree_with_halving() {
        for len in 0..70_u64 {
            let words: Vec<u64> = (0..len).map(|at| at / 3 * 2).collect();
            for wanted in 0..len + 2 {
                let low = words.partition_point(|&word| word < wanted);
                let high = words.partition_point(|&word| word <= wanted);
                assert_eq!(below(&words, wanted), low, "{wanted} in {words:?}");
                assert_eq!(equal(&words, wanted, low), high - low, "{wanted} in {words:?}");
            }
        }
    }

    #[test]
    fn separators_are_short_and_between() {
        assert_eq!(separator(b"apple", b"banana"), b"b");
        assert_eq!(separator(b"user:17", b"user:23"), b"user:2");
        assert_eq!(separator(b"a", b"a\0"), b"a\0");
        assert_eq!(separator(b"", b"zebra"), b"z");
    }
}
