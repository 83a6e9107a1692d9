//! Data on disk with a checksum, so that damaged data is detected.

use std::io;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Returns a digest of data (SHA-256, 128 bits of it).
pub(super) fn digest(text: &[u8]) -> String {
    Sha256::digest(text)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Serializes a value with its checksum before it, without a line end. Without it, a flipped bit
/// could make a harmless line or record look like one that crashed three runs.
pub(super) fn with_checksum(what: &(impl Serialize + ?Sized)) -> io::Result<Vec<u8>> {
    let text = serde_json::to_vec(what)?;
    Ok([digest(&text).as_bytes(), b" ", &text].concat())
}

/// Parses what [`with_checksum`] returned, if it is undamaged.
pub(super) fn verified<T: for<'a> Deserialize<'a>>(text: &[u8]) -> Option<T> {
    let (known, text) = text.split_at_checked(text.iter().position(|&byte| byte == b' ')?)?;
    let text = &text[1..];
    let whole = known == digest(text).as_bytes();
    whole.then(|| serde_json::from_slice(text).ok()).flatten()
}
