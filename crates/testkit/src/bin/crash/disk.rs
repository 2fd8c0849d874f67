//! A disk of its own that can lose its power: an ext4 image behind a loop device.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::system;

/// Sparse: what is not written takes no room.
const IMAGE_BYTES: u64 = 512 << 20;

/// What the system writes at a time.
const PAGE_BYTES: u64 = 4096;
/// Parts that are written out ahead of a power cut.
const PARTS_MAX: u32 = 12;

/// The disk. It is unmounted when it is dropped; the image stays.
#[derive(Debug)]
pub(crate) struct Disk {
    image: PathBuf,
    mount_point: PathBuf,
    mounted: bool,
}

impl Disk {
    /// Makes an empty one in a directory and mounts it.
    pub(crate) fn make(directory: &Path) -> Result<Self> {
        let (image, mount_point) = (directory.join("disk.ext4"), directory.join("disk"));
        let system = |error| Failure::system("the disk's image", &error);
        File::create(&image).and_then(|file| file.set_len(IMAGE_BYTES)).map_err(system)?;
        fs::create_dir_all(&mount_point).map_err(system)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let mut disk = Self { image, mount_point, mounted: false };
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub(crate) fn mount_point(&self) -> &Path {
        &self.mount_point
    }

    /// Mounts it: the file system recovers from its journal.
    fn mount(&mut self) -> Result<()> {
        // The loop device goes with the mount.
        let mut mount = Command::new("mount");
        run(mount.args(["-t", "ext4", "-o", "loop"]).arg(&self.image).arg(&self.mount_point))?;
        self.mounted = true;
        Ok(())
    }

    /// Has parts of files in a directory written out, here and there, as the system
    /// may at any time: so that of what was never synced some is there, and not from
    /// the front.
    pub(crate) fn write_out_parts(&self, directory: &Path, random: &mut fastrand::Rng) {
        let names = fs::read_dir(directory).into_iter().flatten().flatten();
        let paths: Vec<_> = names.map(|entry| entry.path()).collect();
        for _ in 0..random.u32(..PARTS_MAX) {
            let Some(path) = random.choice(&paths) else { return };
            // Files come and go meanwhile.
            let Ok(file) = File::open(path) else { continue };
            let pages = file.metadata().map_or(0, |metadata| metadata.len()) / PAGE_BYTES + 1;
            let (first, number) = (random.u64(..pages), random.u64(1..=pages));
            // Nobody relies on it.
            let _ = match random.u8(..8) {
                // Of some, the metadata as well: the journal with all that is in it.
                0 => file.sync_all(),
                _ => system::write_out(&file, first * PAGE_BYTES, number * PAGE_BYTES),
            };
        }
    }

    /// Cuts the power.
    pub(crate) fn cut(&self) -> Result<()> {
        let cut = system::cut_power(&self.mount_point);
        cut.map_err(|error| Failure::system("cutting the power of ext4", &error))
    }

    /// Back after a power cut. Nobody may have a file open there.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.unmount()?;
        self.mount()
    }

    fn unmount(&mut self) -> Result<()> {
        if self.mounted {
            run(Command::new("umount").arg(&self.mount_point))?;
            self.mounted = false;
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A process that was killed a moment ago may still hold it.
        for _ in 0..20 {
            if self.unmount().is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        eprintln!("{} is still mounted", self.mount_point.display());
    }
}

fn run(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    // Not in the group that Ctrl-C ends: cleaning up needs these.
    let output = command.process_group(0).output();
    let output = output.map_err(|error| Failure::system(format!("{command:?}"), &error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::System(format!("{command:?}: {}: {}", output.status, said.trim())))
}
