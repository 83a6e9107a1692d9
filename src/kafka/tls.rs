//! Certificates and keys. librdkafka reads their files only when a client is created, so changes
//! are detected here.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{Client, Reporter, Secret};
use crate::journal::Event;

/// The properties that name such files.
const NAMED_BY: &[&str] = &[
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "ssl.crl.location",
];

/// The certificate and key files that the clients of a cluster read.
#[derive(Clone, Default)]
pub struct TlsFiles(Arc<Inner>);

#[derive(Default)]
struct Inner {
    key_password: Option<Secret>,
    paths: Vec<String>,
    seen: Mutex<Seen>,
    /// How often the files changed.
    changes: AtomicU64,
}

/// Digests of the files' contents.
#[derive(Default)]
struct Seen {
    taken: Vec<Option<u64>>,
    last: Vec<Option<u64>>,
}

impl TlsFiles {
    /// Collects the files that librdkafka's `properties` name, and the password of the key. A
    /// folder of authorities is only read at the start.
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

    /// Returns the password of the key.
    pub(super) fn key_password(&self) -> Option<String> {
        self.0.key_password.as_ref().and_then(|secret| secret.read().ok())
    }

    /// Checks the files. A change is accepted when all files exist and did not change since the
    /// last check, because a certificate and its key are rarely written at the same time.
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

    /// Returns the current version, for a client that is about to be created.
    pub fn taken(&self) -> MadeWith {
        MadeWith { files: self.clone(), changes: self.changes() }
    }

    /// Returns how often the files changed.
    fn changes(&self) -> u64 {
        self.0.changes.load(Relaxed)
    }
}

/// The version of the certificates and keys that a client was created with.
pub struct MadeWith {
    files: TlsFiles,
    changes: u64,
}

impl MadeWith {
    /// Returns whether the files have changed since.
    pub fn is_outdated(&self) -> bool {
        self.files.changes() != self.changes
    }

    /// Creates a new client with the current files. Returns `None` if they are invalid; the old
    /// client may still work for a while. Both results are reported.
    pub fn renew<C>(
        &mut self,
        reporter: &Reporter,
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
                reporter.tell(Event::CertificatesTaken, &format!("{now}: {taken}"));
                Some(next)
            }
            Err(error) => {
                let what = format!(
                    "{now}, but the new ones cannot be used: {error}; the {whose} keeps the \
                     previous ones"
                );
                reporter.tell(Event::CertificatesRefused, &what);
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
        // Rewritten without a change.
        write(&key, "first");
        assert_eq!(looks(3), 0);
        // The files change one after the other.
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
