//! Versions of Debian packages, and their order
//! (Debian Policy, section 5.6.12: Version).

use std::cmp::Ordering;

/// Compares two versions, `[epoch:]upstream[-revision]`.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let (epoch_a, upstream_a, revision_a) = split(a);
    let (epoch_b, upstream_b, revision_b) = split(b);
    compare_digits(epoch_a, epoch_b)
        .then_with(|| compare_part(upstream_a, upstream_b))
        .then_with(|| compare_part(revision_a, revision_b))
}

fn split(version: &str) -> (&str, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    (epoch, upstream, revision)
}

/// By turns a run of other characters and a run of digits.
fn compare_part(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, text_b);
        (text_a, a) = split_run(a, |c| !c.is_ascii_digit());
        (text_b, b) = split_run(b, |c| !c.is_ascii_digit());
        let (digits_a, digits_b);
        (digits_a, a) = split_run(a, |c| c.is_ascii_digit());
        (digits_b, b) = split_run(b, |c| c.is_ascii_digit());
        let order = compare_text(text_a, text_b).then_with(|| compare_digits(digits_a, digits_b));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn split_run(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// A tilde sorts before the end, the end before letters, letters before others.
fn compare_text(a: &str, b: &str) -> Ordering {
    let weight = |c: u8| match c {
        b'~' => -1,
        c if c.is_ascii_alphabetic() => i32::from(c),
        c => i32::from(c) + 256,
    };
    let weights = |text: &str| text.bytes().map(weight).chain([0]).collect::<Vec<_>>();
    weights(a).cmp(&weights(b))
}

/// As numbers, however long.
fn compare_digits(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_ascend_as_dpkg_has_them() {
        let ascending = [
            "0~~",
            "0~~a",
            "0~",
            "0",
            "0+a",
            "1.0~beta1",
            "1.0",
            "1.0-0.1",
            "1.0-1",
            "1.0a-1",
            "1.0+dfsg-1",
            "1.2",
            "1.10",
            "2.36-9+deb12u1",
            "2.36-9+deb12u10",
            "1:0.1",
        ];
        for (place, a) in ascending.iter().enumerate() {
            for (other, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), place.cmp(&other), "{a} and {b}");
            }
        }
        assert_eq!(compare("1.0", "0:1.00-0"), Ordering::Equal);
    }
}
