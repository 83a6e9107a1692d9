//! Secrets, as a file or the environment has them now.

use std::{env, fs};

use super::Tokens;

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
            Place::Env(name) => env::var(name)
                .map_err(|_| format!("{key}: no such text in the environment: {name}"))?,
        };
        let text = text.trim_end_matches(['\r', '\n']);
        match text.is_empty() {
            true => Err(format!("{key}: it is empty")),
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

/// A password, as it was at the start: a client keeps it as long as it lives.
#[derive(Clone)]
pub struct Password {
    secret: Secret,
    text: String,
}

impl Password {
    /// What the secret is now.
    ///
    /// # Errors
    /// It is not there.
    pub fn read(secret: Secret) -> Result<Self, String> {
        Ok(Self { text: secret.read()?, secret })
    }

    /// The password.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is another by now.
    pub(super) fn is_outdated(&self) -> bool {
        self.secret.read().is_ok_and(|now| now != self.text)
    }
}
