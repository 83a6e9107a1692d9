//! What stands for a key that may not be seen: always the same, so that partitions and compaction keep
//! their meaning, and of no use to who has not the secret.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// A secret has so many bytes at least.
const LEAST: usize = 16;

/// Makes pseudonyms: HMAC-SHA256 of a key, in hexadecimal digits.
#[derive(Clone)]
pub struct Pseudonyms(Hmac<Sha256>);

/// A secret that somebody may guess.
#[derive(Debug, thiserror::Error)]
#[error(
    "the secret has {0} bytes, but needs at least {LEAST}: create one with `openssl rand -hex 32`"
)]
pub struct TooShort(usize);

impl Pseudonyms {
    /// With this secret; white space around it is not its own.
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

    /// What stands for a value.
    pub fn of(&self, value: &[u8]) -> String {
        let mut digits = Vec::new();
        self.append(value, &mut digits);
        String::from_utf8(digits).unwrap_or_default()
    }

    /// Appends what stands for `key`.
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
