//! Encrypts originals to a public key with age (<https://age-encryption.org/v1>).
//!
//! The operator of this program only needs the public key, and cannot decrypt the originals.

use std::{io::BufReader, path::Path, str::FromStr, sync::Arc};

use age::{IdentityFile, x25519::Recipient};

/// The public key that originals are encrypted to.
#[derive(Clone)]
pub struct Seal(Recipient);

/// The error for a text that is not a public key.
#[derive(Debug, thiserror::Error)]
#[error("not an age public key (age1…): create one with `age-keygen -o key.txt`")]
pub struct NoKey;

/// The age identities that decrypt originals.
#[derive(Clone)]
pub struct Identities(Arc<Vec<Box<dyn age::Identity + Send + Sync>>>);

/// Encrypting or decrypting failed. The error contains nothing of the data.
#[derive(Debug, thiserror::Error)]
#[error(
    "the original cannot be encrypted, is not encrypted to one of these identities, or is damaged"
)]
pub struct Shut;

impl FromStr for Seal {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        text.parse().map(Self).map_err(|_| NoKey)
    }
}

impl Seal {
    /// Encrypts an original, which becomes about 200 bytes longer.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn seal(&self, original: &[u8]) -> Result<Vec<u8>, Shut> {
        age::encrypt(&self.0, original).map_err(|_| Shut)
    }
}

impl Identities {
    /// Reads the identities in a file, in the format of `age-keygen`.
    ///
    /// # Errors
    /// The file cannot be read, or contains something else. The error names the line, and nothing
    /// of its content.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        let file = IdentityFile::from_buffer(BufReader::new(std::fs::File::open(path)?))?;
        let invalid = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        let identities = file
            .into_identities()
            .map_err(|_| invalid("the identities in the file cannot be used"))?;
        if identities.is_empty() {
            return Err(invalid("the file contains no identity (AGE-SECRET-KEY-…)"));
        }
        Ok(Self(Arc::new(identities)))
    }

    /// Decrypts an original of at most `most` bytes.
    ///
    /// # Errors
    /// It is not encrypted to these identities, or is damaged.
    pub fn open(&self, sealed: &[u8], most: usize) -> Result<Vec<u8>, Shut> {
        use std::io::Read as _;
        let decryptor = age::Decryptor::new_buffered(sealed).map_err(|_| Shut)?;
        let identities = self.0.iter().map(|identity| &**identity as &dyn age::Identity);
        let opened = decryptor.decrypt(identities).map_err(|_| Shut)?;
        let mut original = Vec::new();
        opened.take(most as u64 + 1).read_to_end(&mut original).map_err(|_| Shut)?;
        if original.len() > most { Err(Shut) } else { Ok(original) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use age::secrecy::ExposeSecret as _;

    use super::*;

    fn identity() -> (tempfile::NamedTempFile, String) {
        let identity = age::x25519::Identity::generate();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# made by a test\n{}", identity.to_string().expose_secret()).unwrap();
        (file, identity.to_public().to_string())
    }

    #[test]
    fn who_has_the_identity_opens_it_and_nobody_else() {
        let ((file, public), (other, _)) = (identity(), identity());
        let seal: Seal = public.parse().unwrap();
        let sealed = seal.seal(b"ada@example.com").unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"ada@"));
        assert_ne!(sealed, seal.seal(b"ada@example.com").unwrap());
        let own = Identities::read(file.path()).unwrap();
        assert_eq!(own.open(&sealed, 15).unwrap(), b"ada@example.com");
        assert!(own.open(&sealed, 14).is_err());
        assert!(own.open(&sealed[..sealed.len() - 1], 99).is_err());
        assert!(Identities::read(other.path()).unwrap().open(&sealed, 99).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_told() {
        assert!("age1qqqq".parse::<Seal>().is_err());
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "AGE-SECRET-KEY-1WRONG").unwrap();
        let Err(error) = Identities::read(file.path()) else { panic!("no identity") };
        assert!(!error.to_string().contains("WRONG"), "{error}");
    }
}
