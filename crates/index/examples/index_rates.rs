//! Prints the rates of both indexes beside the standard maps, one thread, in
//! millions per second: `cargo run --release -p selvedge-index --example
//! index_rates [keys]`.
#![expect(unsafe_code, reason = "the writer's side of an index is unsafe")]

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::ops::Bound;
use std::time::Instant;

use selvedge_index::{HashIndex, OrderedIndex};

fn main() {
    let keys = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let random: Vec<u64> = (1..=keys).map(mixed).collect();
    println!("{keys} keys; million operations (entries, for scans) per second\n");
    hash_rates(&random);
    let ascending: Vec<[u8; 8]> = (1..=keys).map(u64::to_be_bytes).collect();
    let short: Vec<[u8; 8]> = random.iter().map(|key| key.to_be_bytes()).collect();
    let long: Vec<[u8; 24]> = random.iter().map(|&key| long_key(key, keys)).collect();
    ordered_rates("8 random bytes", &short);
    ordered_rates("24 bytes, common prefixes", &long);
    ordered_rates("8 ascending bytes", &ascending);
}

/// A bijection that scatters (the finalizer of splitmix64).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Like `customer:17/order:00004711`, a few hundred orders per customer.
fn long_key(random: u64, keys: u64) -> [u8; 24] {
    let customer = random % (keys / 300).max(1) % 1_000_000;
    let text = format!("c:{customer:06}/o:{:013}", random / keys % 10_000_000_000_000);
    text.as_bytes().try_into().expect("24 bytes")
}

/// Random order, other than that of insertion.
fn shuffled<T: Copy>(keys: &[T]) -> Vec<T> {
    let mut keys = keys.to_vec();
    for at in (1..keys.len()).rev() {
        let random = mixed(at as u64 ^ 0x5eed) % (at as u64 + 1);
        keys.swap(at, usize::try_from(random).expect("below a length"));
    }
    keys
}

fn rate<T>(operations: usize, name: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = black_box(run());
    let rate = operations as f64 / start.elapsed().as_secs_f64() / 1e6;
    println!("  {name:<44} {rate:8.2}");
    result
}

fn hash_rates(hashes: &[u64]) {
    let count = hashes.len();
    let wanted = shuffled(hashes);
    let index = HashIndex::new();
    println!("hash");
    rate(count, "HashIndex insert", || {
        for (id, &hash) in (1..).zip(hashes) {
            // SAFETY: one thread, so one writer and no reader beside it.
            drop(unsafe { index.insert(hash, id) });
        }
    });
    println!("  {:<44} {:8.1}", "HashIndex bytes per entry", index.bytes() as f64 / count as f64);
    // SAFETY: one thread, and nothing is written while the iterator lives.
    let find = |hash| unsafe { index.candidates(hash) }.next();
    rate(count, "HashIndex hit", || {
        assert!(wanted.iter().all(|&hash| find(hash).is_some()));
    });
    rate(count, "HashIndex miss", || {
        assert!(wanted.iter().all(|&hash| find(hash ^ 0xfff0_0000).is_none()));
    });
    rate(count, "HashIndex remove", || {
        for (id, &hash) in (1..).zip(hashes) {
            // SAFETY: one thread, so one writer and no reader beside it.
            let (removed, retired) = unsafe { index.remove(hash, id) };
            assert!(removed);
            drop(retired);
        }
    });
    println!("  {:<44} {:8}", "HashIndex bytes after", index.bytes());
    let mut map = HashMap::new();
    rate(count, "HashMap insert", || map.extend(hashes.iter().copied().zip(1_u64..)));
    rate(count, "HashMap hit", || assert!(wanted.iter().all(|hash| map.contains_key(hash))));
}

fn ordered_rates<const N: usize>(title: &str, keys: &[[u8; N]]) {
    println!("ordered, {title}");
    let wanted = shuffled(keys);
    ordered_index_rates(keys, &wanted);
    let count = keys.len();
    let mut map = BTreeMap::new();
    rate(count, "BTreeMap insert", || map.extend(keys.iter().copied().zip(1_u64..)));
    rate(count, "BTreeMap get", || assert!(wanted.iter().all(|key| map.contains_key(key))));
    rate(count, "BTreeMap scan", || map.iter().fold(0, |sum, (key, id)| sum + id + key[0] as u64));
    rate(count, "BTreeMap remove", || assert!(wanted.iter().all(|key| map.remove(key).is_some())));
}

fn ordered_index_rates<const N: usize>(keys: &[[u8; N]], wanted: &[[u8; N]]) {
    let count = keys.len();
    let index = OrderedIndex::new();
    rate(count, "OrderedIndex insert", || {
        for (id, key) in (1_u64..).zip(keys) {
            let guard = crossbeam_epoch::pin();
            // SAFETY: one thread, so one writer.
            let added = unsafe { index.insert(key, id, &guard) };
            assert!(added.is_ok());
        }
    });
    println!(
        "  {:<44} {:8.1}",
        "OrderedIndex bytes per entry",
        index.bytes() as f64 / count as f64
    );
    rate(count, "OrderedIndex get", || {
        assert!(wanted.iter().all(|key| index.get(key, &crossbeam_epoch::pin()).is_some()));
    });
    let all = (Bound::Unbounded, Bound::Unbounded);
    rate(count, "OrderedIndex scan", || {
        let guard = crossbeam_epoch::pin();
        index.range(all, &guard).fold(0, |sum, (key, id)| sum + id + u64::from(key[0]))
    });
    rate(count, "OrderedIndex scan backwards", || {
        let guard = crossbeam_epoch::pin();
        index.range(all, &guard).rev().fold(0, |sum, (key, id)| sum + id + u64::from(key[0]))
    });
    rate(count, "OrderedIndex scans of 100", || {
        for key in wanted.iter().step_by(100) {
            let guard = crossbeam_epoch::pin();
            let range = index.range((Bound::Included(key), Bound::Unbounded), &guard);
            black_box(range.take(100).fold(0, |sum, (_, id)| sum + id));
        }
    });
    rate(count, "OrderedIndex remove", || {
        for key in wanted {
            // SAFETY: one thread, so one writer.
            assert!(unsafe { index.remove(key, &crossbeam_epoch::pin()) });
        }
    });
    println!("  {:<44} {:8}", "OrderedIndex bytes after", index.bytes());
}
