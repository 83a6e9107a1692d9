//! Notes that outlive a process, with a digest: what was damaged is told from what was written.

use std::io;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A digest (SHA-256, 128 bits of it) of what is kept, as it is written.
pub(super) fn digest(text: &[u8]) -> String {
    Sha256::digest(text)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As it is kept, without a line end: a digest, and what it is of. With a bit that flipped, a line or record
/// that is fine could be taken for one that ended three runs.
pub(super) fn sealed(what: &(impl Serialize + ?Sized)) -> io::Result<Vec<u8>> {
    let text = serde_json::to_vec(what)?;
    Ok([digest(&text).as_bytes(), b" ", &text].concat())
}

/// What was [sealed], if it is still as it was.
pub(super) fn checked<T: for<'a> Deserialize<'a>>(text: &[u8]) -> Option<T> {
    let (known, text) = text.split_at_checked(text.iter().position(|&byte| byte == b' ')?)?;
    let text = &text[1..];
    let whole = known == digest(text).as_bytes();
    whole.then(|| serde_json::from_slice(text).ok()).flatten()
}
