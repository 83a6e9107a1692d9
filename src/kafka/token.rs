//! Tokens for OAUTHBEARER.
//!
//! | file | does |
//! | --- | --- |
//! | `file` | a token that somebody else keeps new in a file, as Kubernetes does |
//! | `url` | a token that an identity provider gives for a secret |

mod file;
mod url;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

pub use url::Provider;

/// A token, and until when it holds.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: String,
    /// Asked for, by librdkafka's clock and ours, in milliseconds since 1970.
    since: u64,
    pub(super) until: u64,
}

/// Why there is no token.
pub(super) struct NoToken {
    /// With the key, and nothing of a secret.
    pub(super) what: String,
    /// It is no use to ask again.
    pub(super) lasts: bool,
}

/// Where tokens come from. All clients of a cluster have the same, so that it is asked for once.
#[derive(Clone)]
pub struct Tokens(Arc<Source>);

struct Source {
    kind: Kind,
    last: Mutex<Option<Token>>,
}

enum Kind {
    File(String),
    Url(Box<Provider>),
}

impl Tokens {
    /// In this file: it is read again and again.
    pub fn in_file(path: &str) -> Self {
        Self::of(Kind::File(path.to_owned()))
    }

    /// From an identity provider.
    pub fn from_provider(provider: Provider) -> Self {
        Self::of(Kind::Url(Box::new(provider)))
    }

    fn of(kind: Kind) -> Self {
        Self(Arc::new(Source { kind, last: Mutex::new(None) }))
    }

    /// A token that holds for a while.
    pub(super) fn get(&self) -> Result<Token, NoToken> {
        match &self.0.kind {
            Kind::File(path) => file::read(path, now()),
            Kind::Url(provider) => {
                let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(token) = last.as_ref().filter(|token| token.is_fresh(now())) {
                    return Ok(token.clone());
                }
                Ok(last.insert(provider.ask(now())?).clone())
            }
        }
    }
}

impl Token {
    /// Whether more than half of its time is left: librdkafka asks for another when a fifth is.
    fn is_fresh(&self, now: u64) -> bool {
        now >= self.since && now < self.since + (self.until - self.since) / 2
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Until when a JSON Web Token says that it holds, in milliseconds since 1970.
fn expiry(token: &str) -> Option<u64> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    Some((claims.get("exp")?.as_f64()? * 1000.0) as u64)
}

#[cfg(test)]
mod tests;
