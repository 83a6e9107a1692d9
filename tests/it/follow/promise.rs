//! What must hold after every run: what a checkpoint promised, and that nothing leaked.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::agent::{Kept, Yard, ids};

/// What the checkpoints of a killed process promise not to give again.
pub(crate) struct Promise<'y> {
    yard: &'y Yard,
    output: &'y str,
    /// So many ids had come by then.
    before: usize,
    pub(crate) ids: HashSet<u64>,
}

impl<'y> Promise<'y> {
    /// Of what was forwarded to `output`.
    pub(crate) fn of(yard: &'y Yard, output: &'y str) -> Self {
        let before = yard.file_ids(output).len();
        Self { yard, output, before, ids: acknowledged(yard) }
    }

    /// Whatever came since was not promised.
    pub(crate) fn is_kept(&self, what: &str) {
        let got = self.yard.file_ids(self.output);
        let since = &got[self.before.min(got.len())..];
        let broken = since.iter().find(|id| self.ids.contains(id));
        assert_eq!(broken, None, "{what}: given twice");
    }
}

/// The ids before the positions in the checkpoints.
fn acknowledged(yard: &Yard) -> HashSet<u64> {
    let files = fs::read_dir(yard.path("logs")).unwrap().flatten();
    let files: Vec<_> = files
        .filter_map(|file| Some((file.metadata().ok()?.ino(), text_of(&file.path())?)))
        .collect();
    let mut all = HashSet::new();
    for kept in yard.checkpoints() {
        let is_it = |inode, text: &[u8]| kept.inode == inode || is_copy(&kept, text);
        for (_, text) in files.iter().filter(|(inode, text)| is_it(*inode, text)) {
            // An inode is given again; what it was known by is not.
            if starts_as(&kept, text) {
                let end = text.len().min(kept.offset as usize);
                all.extend(ids(&String::from_utf8_lossy(&text[..end])));
            }
        }
    }
    all
}

/// What a file has, or what is packed in it: on a slow machine the file of the only checkpoint may
/// be compressed by now. `None` of a file that is gone, or that is not packed to its end.
fn text_of(path: &Path) -> Option<Vec<u8>> {
    if path.extension().is_none_or(|end| end != "gz") {
        return fs::read(path).ok();
    }
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(File::open(path).ok()?).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Whether a text has enough of a file's start to be known as its copy, and has all that was read.
fn is_copy(kept: &Kept, text: &[u8]) -> bool {
    kept.start.0 == 1024 && text.len() as u64 >= kept.offset
}

fn starts_as(kept: &Kept, text: &[u8]) -> bool {
    let (bytes, digest) = &kept.start;
    let start = text.get(..*bytes).map(Sha256::digest).unwrap_or_default();
    let start: String = start[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    start == *digest
}

/// No canary in anything that the program wrote.
pub(crate) fn nothing_leaked(yard: &Yard) {
    for name in ["clean", "dead", "out", "err", "data/checkpoints.json"] {
        assert!(!yard.read(name).contains("canary"), "a canary in {name}");
    }
}
