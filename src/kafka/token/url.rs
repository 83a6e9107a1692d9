//! Requests a token from an identity provider: OAuth 2.0, client credentials (RFC 6749, section
//! 4.4).

use std::{fs, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::crypto::ring;
use serde::Deserialize;
use ureq::{
    Agent,
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

use super::{NoToken, Token, expiry};
use crate::kafka::Secret;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The maximum length of a response.
const LONGEST: u64 = 64 << 10;
/// The assumed lifetime, in seconds, of a token without an expiry time.
const UNSAID: u64 = 300;
const KEY: &str = "kafka.sasl.token_url";
/// The error codes that are shown; nothing else from the response is.
const REFUSALS: &[&str] = &[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

/// An identity provider, and the credentials of this program.
pub struct Provider {
    url: String,
    /// The file of trusted certificates.
    ca: Option<String>,
    client_id: String,
    secret: Secret,
    scope: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<f64>,
    error: Option<String>,
}

impl Provider {
    /// An identity provider at `url`. The file `ca`, or the system's trusted certificates, are read
    /// for each request.
    ///
    /// # Errors
    /// There are no trusted certificates.
    pub fn new(
        url: &str,
        ca: Option<&str>,
        client_id: &str,
        secret: Secret,
        scope: Option<&str>,
    ) -> Result<Self, String> {
        let (url, client_id) = (url.to_owned(), client_id.to_owned());
        let (ca, scope) = (ca.map(str::to_owned), scope.map(str::to_owned));
        let provider = Self { url, ca, client_id, secret, scope };
        provider.agent()?;
        Ok(provider)
    }

    /// Creates the HTTP client.
    fn agent(&self) -> Result<Agent, String> {
        let roots = match &self.ca {
            Some(path) => {
                from_file(path).map_err(|what| format!("kafka.sasl.token_ca {path}: {what}"))?
            }
            // Without TLS, no certificate is needed.
            None if self.url.starts_with("http://") => Vec::new(),
            None => of_the_system()?,
        };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::from(roots))
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        Ok(Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // The secret is only for this provider.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .user_agent("tamis")
            .tls_config(tls)
            .build()
            .new_agent())
    }

    pub(super) fn ask(&self, now: u64) -> Result<Token, NoToken> {
        let secret = self.secret.read().map_err(|what| NoToken { what, lasts: false })?;
        let known = format!("{}:{}", form(&self.client_id), form(&secret));
        let scope = self.scope.iter().map(|scope| format!("&scope={}", form(scope)));
        let body = format!("grant_type=client_credentials{}", scope.collect::<String>());
        let passing = |what: String| NoToken { what: format!("{KEY}: {what}"), lasts: false };
        let agent = self.agent().map_err(|what| NoToken { what, lasts: false })?;
        let mut answer = agent
            .post(&self.url)
            .header("Authorization", format!("Basic {}", STANDARD.encode(known)))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Accept", "application/json")
            .send(&body)
            .map_err(|error| passing(describe(&error)))?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().with_config().limit(LONGEST).read_to_string();
        let parsed = text.ok().and_then(|text| serde_json::from_str::<Answer>(&text).ok());
        let Some(answer) = parsed else {
            return Err(passing(format!(
                "status {status}, and the response is not as RFC 6749 specifies"
            )));
        };
        match answer {
            Answer { access_token: Some(text), expires_in, .. } if status == 200 => {
                let said = expires_in.filter(|s| *s > 0.0).map(|s| now + (s * 1000.0) as u64);
                let until = said.or_else(|| expiry(&text)).filter(|until| *until > now);
                Ok(Token { text, since: now, until: until.unwrap_or(now + UNSAID * 1000) })
            }
            Answer { error, .. } => {
                let error = error.and_then(|said| REFUSALS.iter().find(|known| **known == said));
                let error = error.map_or(String::new(), |error| format!(" ({error})"));
                let what = format!(
                    "{KEY}: the token was refused, status {status}{error}: see client_id, "
                );
                let what = format!("{what}client_secret_file and scope in kafka.sasl");
                Err(NoToken { what, lasts: matches!(status, 400 | 401 | 403 | 404) })
            }
        }
    }
}

fn from_file(path: &str) -> Result<Vec<Certificate<'static>>, String> {
    let pem = fs::read(path).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| "not a PEM file".to_owned())? {
            all.push(certificate);
        }
    }
    if all.is_empty() { Err("the file contains no certificate".into()) } else { Ok(all) }
}

fn of_the_system() -> Result<Vec<Certificate<'static>>, String> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let fix = "set `token_ca`";
        return Err(format!(
            "{KEY}: the system has no trusted certificates (ca-certificates): {fix}"
        ));
    }
    Ok(found.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect())
}

/// Describes an error in the transport. The library's own text can contain the URL.
fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => match error.get_ref().and_then(|e| e.downcast_ref()) {
            Some(error) => untrusted(error),
            None => error.to_string(),
        },
        ureq::Error::Timeout(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        ureq::Error::HostNotFound => "unknown host".into(),
        ureq::Error::ConnectionFailed => "connection refused".into(),
        ureq::Error::Rustls(error) => untrusted(error),
        ureq::Error::BadUri(_) => "not a valid URL".into(),
        ureq::Error::InvalidProxyUrl => {
            "the proxy that the environment sets is not a valid URL".into()
        }
        _ => "not an HTTP response".into(),
    }
}

fn untrusted(error: &rustls::Error) -> String {
    format!("{error}: see token_ca in kafka.sasl")
}

/// `application/x-www-form-urlencoded`
fn form(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::form;

    #[test]
    fn secrets_are_escaped() {
        assert_eq!(form("a b+c%ü~*"), "a+b%2Bc%25%C3%BC%7E*");
    }
}
