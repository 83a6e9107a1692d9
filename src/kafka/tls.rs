//! Certificates and keys, as their files have them now: librdkafka reads them when a client is made, and
//! never again.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{Client, Secret, Voice};
use crate::journal::Event;

/// The properties that name such files.
const NAMED_BY: &[&str] = &[
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "ssl.crl.location",
];

/// The files of certificates and keys that clients of a cluster read.
#[derive(Clone, Default)]
pub struct TlsFiles(Arc<Inner>);

#[derive(Default)]
struct Inner {
    key_password: Option<Secret>,
    paths: Vec<String>,
    seen: Mutex<Seen>,
    /// How often they became others.
    changes: AtomicU64,
}

/// What stands in the files, as numbers of which nothing can be read.
#[derive(Default)]
struct Seen {
    taken: Vec<Option<u64>>,
    last: Vec<Option<u64>>,
}

impl TlsFiles {
    /// Those that librdkafka's `properties` name, and the secret that the key is encrypted with. A folder of
    /// authorities is read at the start alone.
    pub fn new(properties: &[(String, String)], key_password: Option<Secret>) -> Self {
        let named = properties.iter().filter(|(name, _)| NAMED_BY.contains(&name.as_str()));
        let named = named.map(|(_, path)| path.as_str());
        let secret = key_password.as_ref().and_then(Secret::path);
        let read = named.chain(secret).map(|path| (path.to_owned(), print(path)));
        let (paths, taken): (Vec<_>, Vec<_>) = read.filter(|(_, print)| print.is_some()).unzip();
        let seen = Seen { last: taken.clone(), taken };
        let (seen, changes) = (Mutex::new(seen), AtomicU64::new(0));
        Self(Arc::new(Inner { key_password, paths, seen, changes }))
    }

    /// What the key is encrypted with.
    pub(super) fn key_password(&self) -> Option<String> {
        self.0.key_password.as_ref().and_then(|secret| secret.read().ok())
    }

    /// Reads them. Others are taken when they stay the same from one look to the next, all of them there:
    /// a certificate and its key are rarely written at once.
    pub fn look(&self) {
        let now: Vec<_> = self.0.paths.iter().map(|path| print(path)).collect();
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let steady = seen.last == now;
        seen.last.clone_from(&now);
        if steady && !now.contains(&None) && seen.taken != now {
            seen.taken = now;
            self.0.changes.fetch_add(1, Relaxed);
        }
    }

    /// Those of now, with which a client is about to be made.
    pub fn taken(&self) -> MadeWith {
        MadeWith { files: self.clone(), changes: self.changes() }
    }

    /// How often they became others.
    fn changes(&self) -> u64 {
        self.0.changes.load(Relaxed)
    }
}

/// The certificates and keys that a client was made with: it keeps them.
pub struct MadeWith {
    files: TlsFiles,
    changes: u64,
}

impl MadeWith {
    /// Whether there are others now.
    pub fn is_outdated(&self) -> bool {
        self.files.changes() != self.changes
    }

    /// What is made with those of now; `None`: they do not hold, and those of before may for a while. Either
    /// is said.
    pub fn renew<C>(
        &mut self,
        voice: &Voice,
        client: Client,
        make: impl FnOnce() -> io::Result<C>,
    ) -> Option<C> {
        let now = "TLS certificates or keys changed";
        let (whose, taken) = match client {
            Client::Source => ("source", "the source rejoins the group with them"),
            Client::Sink => ("sink", "the sink uses a new producer with them"),
        };
        self.changes = self.files.changes();
        match make() {
            Ok(next) => {
                voice.tell(Event::CertificatesTaken, &format!("{now}: {taken}"));
                Some(next)
            }
            Err(error) => {
                let what = format!(
                    "{now}, but the new ones cannot be used: {error}; the {whose} keeps the \
                     previous ones"
                );
                voice.tell(Event::CertificatesRefused, &what);
                None
            }
        }
    }
}

fn print(path: &str) -> Option<u64> {
    let bytes = fs::read(path).ok()?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_taken_when_all_are_there_and_stay() {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = ["a.pem", "a.key"].map(|name| folder.path().join(name));
        let write = |path, text: &str| fs::write(path, text).unwrap();
        write(&certificate, "one");
        write(&key, "first");
        let said = |name: &str, path: &str| (name.to_owned(), path.to_owned());
        let properties = [
            said("ssl.certificate.location", certificate.to_str().unwrap()),
            said("ssl.key.location", key.to_str().unwrap()),
            said("ssl.ca.location", "probe"),
            said("client.id", key.to_str().unwrap()),
        ];
        let files = TlsFiles::new(&properties, None);
        let looks = |times| {
            (0..times).for_each(|_| files.look());
            files.changes()
        };
        assert_eq!(looks(3), 0);
        // Written again, the same.
        write(&key, "first");
        assert_eq!(looks(3), 0);
        // One after the other.
        write(&certificate, "two");
        assert_eq!(looks(1), 0);
        write(&key, "second");
        assert_eq!(looks(1), 0);
        assert_eq!(looks(1), 1);
        assert_eq!(looks(3), 1);
        fs::remove_file(&key).unwrap();
        assert_eq!(looks(3), 1);
        write(&key, "third");
        assert_eq!(looks(2), 2);
    }
}
