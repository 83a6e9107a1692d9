//! Secrets in files or environment variables, read again when they change.

use std::{
    env, fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rdkafka::client::{Client, ClientContext};

use super::{Reporter, Tokens, native::give_password};

/// The location of a secret, and the key that configures it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    key: &'static str,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    File(String),
    Env(String),
}

impl Secret {
    /// A secret in a file.
    pub fn in_file(key: &'static str, path: &str) -> Self {
        Self { key, place: Place::File(path.to_owned()) }
    }

    /// A secret in an environment variable.
    pub fn in_env(key: &'static str, name: &str) -> Self {
        Self { key, place: Place::Env(name.to_owned()) }
    }

    /// Returns its file, if it is in one.
    pub(super) fn path(&self) -> Option<&str> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Env(_) => None,
        }
    }

    /// Reads the secret, without trailing line ends.
    ///
    /// # Errors
    /// The secret cannot be read. The error names the key, and nothing of the secret.
    pub fn read(&self) -> Result<String, String> {
        let key = self.key;
        let text = match &self.place {
            Place::File(path) => {
                fs::read_to_string(path).map_err(|error| format!("{key} {path}: {error}"))?
            }
            Place::Env(name) => env::var(name).map_err(|_| {
                format!("{key}: the environment variable {name} is not set, or not UTF-8")
            })?,
        };
        let text = text.trim_end_matches(['\r', '\n']);
        match text.is_empty() {
            true => Err(format!("{key}: the secret is empty")),
            false => Ok(text.to_owned()),
        }
    }
}

/// The credentials of this program.
#[derive(Clone)]
pub enum Login {
    /// A password.
    Password(Password),
    /// Tokens.
    Tokens(Tokens),
}

/// The password that was last read. It is read again when a broker rejects it.
#[derive(Clone)]
pub struct Password {
    user: String,
    secret: Secret,
    now: Arc<Now>,
}

struct Now {
    text: Mutex<String>,
    /// How often it changed.
    changes: AtomicU64,
}

impl Password {
    /// Reads the password of `user`.
    ///
    /// # Errors
    /// The password cannot be read.
    pub fn read(user: &str, secret: Secret) -> Result<Self, String> {
        let now = Now { text: Mutex::new(secret.read()?), changes: AtomicU64::new(0) };
        Ok(Self { user: user.to_owned(), secret, now: Arc::new(now) })
    }

    /// Returns the password.
    pub fn text(&self) -> String {
        self.now.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the password again, and returns whether it changed.
    pub(super) fn renew(&self) -> bool {
        let Ok(text) = self.secret.read() else { return false };
        let mut known = self.now.text.lock().unwrap_or_else(PoisonError::into_inner);
        let differs = *known != text;
        if differs {
            *known = text;
            self.now.changes.fetch_add(1, Relaxed);
        }
        differs
    }
}

/// The version of the password that a client uses, until it is given a new one.
#[derive(Default)]
pub struct AppliedPassword(AtomicU64);

impl AppliedPassword {
    /// Gives a client the current password if it changed. Existing connections keep the old one.
    pub fn renew<C: ClientContext>(&self, reporter: &Reporter, client: &Client<C>) {
        let Some(password) = reporter.password() else { return };
        let changes = password.now.changes.load(Relaxed);
        if self.0.swap(changes, Relaxed) != changes {
            give_password(client, &password.user, &password.text());
        }
    }
}
