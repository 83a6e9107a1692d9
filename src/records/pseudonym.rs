//! Pseudonyms of keys that contain personal data. A key always has the same pseudonym, so
//! partitioning and compaction keep working, and nobody can reverse it without the secret.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The minimum length of a secret, in bytes.
const LEAST: usize = 16;

/// Makes pseudonyms: HMAC-SHA256 of a key, in hexadecimal digits.
#[derive(Clone)]
pub struct Pseudonyms(Hmac<Sha256>);

/// The secret is short enough to be guessed.
#[derive(Debug, thiserror::Error)]
#[error(
    "the secret has {0} bytes, but needs at least {LEAST}: create one with `openssl rand -hex 32`"
)]
pub struct TooShort(usize);

impl Pseudonyms {
    /// Uses this secret, without white space around it.
    ///
    /// # Errors
    /// It is too short.
    pub fn new(secret: &[u8]) -> Result<Self, TooShort> {
        let secret = secret.trim_ascii();
        match Hmac::new_from_slice(secret) {
            Ok(hmac) if secret.len() >= LEAST => Ok(Self(hmac)),
            _ => Err(TooShort(secret.len())),
        }
    }

    /// Returns the pseudonym of a value.
    pub fn of(&self, value: &[u8]) -> String {
        let mut digits = Vec::new();
        self.append(value, &mut digits);
        String::from_utf8(digits).unwrap_or_default()
    }

    /// Appends the pseudonym of `key`.
    pub(super) fn append(&self, key: &[u8], out: &mut Vec<u8>) {
        let mut hmac = self.0.clone();
        hmac.update(key);
        for byte in hmac.finalize().into_bytes() {
            for nibble in [byte >> 4, byte & 15] {
                out.push(b"0123456789abcdef"[usize::from(nibble)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_hmac_sha256() {
        // RFC 4231, test case 6: a key of 131 bytes.
        let pseudonyms = Pseudonyms::new(&[0xaa; 131]).unwrap();
        let mut out = Vec::new();
        pseudonyms.append(b"Test Using Larger Than Block-Size Key - Hash Key First", &mut out);
        let wanted = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
        assert!(Pseudonyms::new(b" 0123456789abcde \n").is_err());
        assert!(Pseudonyms::new(b" 0123456789abcdef\n").is_ok());
    }
}
