//! Runs inputs without a fuzzer: `replay DIR TARGET [--mutations N]`.
//!
//! Each file below `DIR/TARGET` is run, and N random changes of it, always the same.
//! Fails with the first input that the target fails on, and tells why.

use std::error::Error;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use fastrand::Rng;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let words: Vec<_> = env::args().skip(1).collect();
    let (dir, name, mutations) = match &words[..] {
        [dir, name] => (dir, name, 0),
        [dir, name, flag, count] if flag == "--mutations" => (dir, name, count.parse()?),
        _ => return Err("replay DIR TARGET [--mutations N]".into()),
    };
    let target = selvedge_fuzz::TARGETS.iter().find(|(found, ..)| found == name);
    let (_, run, _) = target.ok_or_else(|| format!("there is no target {name:?}"))?;
    let mut files: Vec<_> = fs::read_dir(Path::new(dir).join(name))?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    let (mut rng, mut count) = (Rng::with_seed(1), 0_u64);
    for file in files {
        let input = fs::read(file.path())?;
        for mutation in 0..=mutations {
            let input = if mutation == 0 { input.clone() } else { change(&input, &mut rng) };
            count += 1;
            if catch_unwind(|| run(&input)).is_err() {
                println!("{name} fails on input {count}, of {}: {input:?}", file.path().display());
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    println!("{name}: {count} inputs, nothing wrong");
    Ok(if count == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A few bytes changed, put in or taken out.
fn change(input: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut changed = input.to_vec();
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..=changed.len());
        match rng.u8(..4) {
            0 => changed.insert(at, rng.u8(..)),
            1 if at < changed.len() => drop(changed.remove(at)),
            2 if at < changed.len() => changed[at] ^= 1 << rng.u8(..8),
            _ if at < changed.len() => changed[at] = rng.u8(..),
            _ => changed.push(rng.u8(..)),
        }
    }
    changed
}
