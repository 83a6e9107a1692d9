//! Tokens for OAUTHBEARER.
//!
//! | file | does |
//! | --- | --- |
//! | `file` | reads a token from a file that another program renews, as Kubernetes does |
//! | `url` | requests a token from an identity provider |

mod file;
mod url;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

pub use url::Provider;

/// A token and its expiry time.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: String,
    /// When it was requested and when it expires, in milliseconds since the Unix epoch.
    since: u64,
    pub(super) until: u64,
}

/// Why there is no token.
pub(super) struct NoToken {
    /// Names the key, and nothing of a secret.
    pub(super) what: String,
    /// Whether retrying is useless.
    pub(super) lasts: bool,
}

/// The source of tokens. All clients of a cluster share it, so that each token is requested once.
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
    /// Reads tokens from this file, periodically.
    pub fn in_file(path: &str) -> Self {
        Self::of(Kind::File(path.to_owned()))
    }

    /// Requests tokens from an identity provider.
    pub fn from_provider(provider: Provider) -> Self {
        Self::of(Kind::Url(Box::new(provider)))
    }

    fn of(kind: Kind) -> Self {
        Self(Arc::new(Source { kind, last: Mutex::new(None) }))
    }

    /// Returns a valid token.
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
    /// Returns whether more than half of its lifetime is left. librdkafka asks for a new token when
    /// a fifth is left.
    fn is_fresh(&self, now: u64) -> bool {
        now >= self.since && now < self.since + (self.until - self.since) / 2
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the expiry time of a JSON Web Token, in milliseconds since the Unix epoch.
fn expiry(token: &str) -> Option<u64> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    Some((claims.get("exp")?.as_f64()? * 1000.0) as u64)
}

#[cfg(test)]
mod tests;
