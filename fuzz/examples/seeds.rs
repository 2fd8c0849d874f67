//! Writes the first inputs of each target into a directory: `seeds DIR`.
//!
//! The committed corpora are what is left of these, and of what long runs found, when
//! everything is gone that covers nothing of its own: `cargo xtask fuzz --minimise`.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = env::args_os().nth(1).ok_or("which directory?")?;
    for (target, run, seeds) in selvedge_fuzz::TARGETS {
        let dir = Path::new(&dir).join(target);
        fs::create_dir_all(&dir)?;
        let seeds = seeds();
        for (number, seed) in seeds.iter().enumerate() {
            run(seed);
            fs::write(dir.join(format!("seed-{number:02}")), seed)?;
        }
        println!("{target}: {} inputs", seeds.len());
    }
    Ok(())
}
