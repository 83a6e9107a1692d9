//! Secrets, as a file or the environment has them now.

use std::{
    env, fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rdkafka::client::{Client, ClientContext};

use super::{Tokens, Voice, native::give_password};

/// Where a secret is, and which key says so.
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
    /// In a file.
    pub fn in_file(key: &'static str, path: &str) -> Self {
        Self { key, place: Place::File(path.to_owned()) }
    }

    /// In a variable of the environment.
    pub fn in_env(key: &'static str, name: &str) -> Self {
        Self { key, place: Place::Env(name.to_owned()) }
    }

    /// Its file, if it is in one.
    pub(super) fn path(&self) -> Option<&str> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Env(_) => None,
        }
    }

    /// The secret, without line ends behind it.
    ///
    /// # Errors
    /// It is not there, in words that name the key, and nothing of the secret.
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

/// What this program is known by.
#[derive(Clone)]
pub enum Login {
    /// A password.
    Password(Password),
    /// Tokens.
    Tokens(Tokens),
}

/// A password, as it was read last: it is read again when a broker refuses it.
#[derive(Clone)]
pub struct Password {
    user: String,
    secret: Secret,
    now: Arc<Now>,
}

struct Now {
    text: Mutex<String>,
    /// How often it became another.
    changes: AtomicU64,
}

impl Password {
    /// What the secret of `user` is now.
    ///
    /// # Errors
    /// It is not there.
    pub fn read(user: &str, secret: Secret) -> Result<Self, String> {
        let now = Now { text: Mutex::new(secret.read()?), changes: AtomicU64::new(0) };
        Ok(Self { user: user.to_owned(), secret, now: Arc::new(now) })
    }

    /// The password.
    pub fn text(&self) -> String {
        self.now.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads it again; whether it is another.
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

/// Which password a client has: it keeps that until it is given another.
#[derive(Default)]
pub struct Given(AtomicU64);

impl Given {
    /// Gives a client the password of now, if that is another. Connections that stand keep theirs.
    pub fn renew<C: ClientContext>(&self, voice: &Voice, client: &Client<C>) {
        let Some(password) = voice.password() else { return };
        let changes = password.now.changes.load(Relaxed);
        if self.0.swap(changes, Relaxed) != changes {
            give_password(client, &password.user, &password.text());
        }
    }
}
