//! `kafka.sasl`: how this program authenticates.

use clap::ValueEnum;
use toml::{Spanned, de::DeValue};

use crate::config::{Said, Spot, reader::Reader};

const SASL: &[&str] = &[
    "mechanism",
    "user",
    "password_file",
    "password_env",
    "token_file",
    "token_url",
    "token_ca",
    "client_id",
    "client_secret_file",
    "client_secret_env",
    "scope",
    "principal",
    "keytab",
    "service",
];

/// `kafka.sasl`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslEntry {
    /// The mechanism.
    pub mechanism: Said<SaslChoice>,
    /// The credentials.
    pub proof: Proof,
}

/// `kafka.sasl.mechanism`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SaslChoice {
    /// PLAIN
    #[value(name = "PLAIN")]
    Plain,
    /// SCRAM-SHA-256
    #[value(name = "SCRAM-SHA-256")]
    Scram256,
    /// SCRAM-SHA-512
    #[value(name = "SCRAM-SHA-512")]
    Scram512,
    /// OAUTHBEARER
    #[value(name = "OAUTHBEARER")]
    OAuthBearer,
    /// GSSAPI: Kerberos
    #[value(name = "GSSAPI")]
    Gssapi,
}

/// The credentials of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A user name and password.
    Password {
        /// The user name.
        user: Said<String>,
        /// Where the password is.
        password: SecretEntry,
    },
    /// A file with a token that another program keeps current.
    TokenFile(Said<String>),
    /// A token that Tamis requests.
    TokenUrl(TokenUrl),
    /// A Kerberos ticket.
    Ticket {
        /// The principal of this program.
        principal: Said<String>,
        /// The keytab file.
        keytab: Said<String>,
        /// The service name of the brokers.
        service: Option<Said<String>>,
    },
}

/// How to request a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUrl {
    /// The token endpoint of an identity provider.
    pub url: Said<String>,
    /// The certificate authorities for the endpoint; by default, those of the system.
    pub ca: Option<Said<String>>,
    /// The client id of this program.
    pub client_id: Said<String>,
    /// Where the client secret is.
    pub client_secret: SecretEntry,
    /// The scope of the token.
    pub scope: Option<Said<String>>,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretEntry {
    /// In a file.
    File(Said<String>),
    /// In an environment variable.
    Env(Said<String>),
}

type Flat = Vec<(&'static str, Said<String>)>;

impl SaslEntry {
    pub(super) fn read(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut mechanism, mut flat) = (None, Flat::new());
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match SASL.iter().find(|known| **known == name) {
                Some(&"mechanism") => mechanism = Some(r.choice::<SaslChoice>(value)?),
                Some(known) => flat.push((*known, r.text(value)?)),
                None => r.unknown(key, SASL),
            }
        }
        let Some(mechanism) = mechanism else {
            r.complain(spot, "`mechanism` is missing".into());
            return None;
        };
        let mut form = Form { r, spot, flat };
        let proof = match mechanism.value {
            SaslChoice::OAuthBearer => form.token(),
            SaslChoice::Gssapi => form.ticket(),
            _ => form.password(),
        };
        let left: Vec<_> = form.flat.iter().map(|(key, said)| (*key, said.spot)).collect();
        for (key, spot) in left {
            let name = mechanism.value.to_possible_value();
            let name = name.as_ref().map_or("", |value| value.get_name());
            r.complain(spot, format!("`{key}` cannot be used with the mechanism {name}"));
        }
        Some(Self { mechanism, proof: proof? })
    }

    /// Every key except for the mechanism, with its value.
    pub fn settings(&self) -> Vec<(&'static str, &Said<String>)> {
        match &self.proof {
            Proof::Password { user, password } => {
                let (file, env) = ("password_file", "password_env");
                vec![("user", user), password.setting(file, env)]
            }
            Proof::TokenFile(file) => vec![("token_file", file)],
            Proof::TokenUrl(TokenUrl { url, ca, client_id, client_secret, scope }) => {
                let mut all = vec![("token_url", url)];
                all.extend(ca.iter().map(|said| ("token_ca", said)));
                all.push(("client_id", client_id));
                all.push(client_secret.setting("client_secret_file", "client_secret_env"));
                all.extend(scope.iter().map(|said| ("scope", said)));
                all
            }
            Proof::Ticket { principal, keytab, service } => {
                let mut all = vec![("principal", principal), ("keytab", keytab)];
                all.extend(service.iter().map(|said| ("service", said)));
                all
            }
        }
    }

    /// The values that are paths.
    pub fn files(&mut self) -> Vec<&mut Said<String>> {
        match &mut self.proof {
            Proof::Password { password, .. } => password.file().into_iter().collect(),
            Proof::TokenFile(file) => vec![file],
            Proof::TokenUrl(TokenUrl { ca, client_secret, .. }) => {
                ca.iter_mut().chain(client_secret.file()).collect()
            }
            Proof::Ticket { keytab, .. } => vec![keytab],
        }
    }
}

impl SecretEntry {
    fn setting<'s>(
        &'s self,
        file: &'static str,
        env: &'static str,
    ) -> (&'static str, &'s Said<String>) {
        match self {
            Self::File(said) => (file, said),
            Self::Env(said) => (env, said),
        }
    }

    fn file(&mut self) -> Option<&mut Said<String>> {
        match self {
            Self::File(said) => Some(said),
            Self::Env(_) => None,
        }
    }
}

/// The settings that have not been read yet.
struct Form<'r, 't> {
    r: &'r mut Reader<'t>,
    spot: Spot,
    flat: Flat,
}

impl Form<'_, '_> {
    fn take(&mut self, key: &str) -> Option<Said<String>> {
        let at = self.flat.iter().position(|(known, _)| *known == key)?;
        Some(self.flat.swap_remove(at).1)
    }

    fn need(&mut self, key: &str) -> Option<Said<String>> {
        let said = self.take(key);
        if said.is_none() {
            self.r.complain(self.spot, format!("`{key}` is missing"));
        }
        said
    }

    fn secret(&mut self, file: &str, env: &str) -> Option<SecretEntry> {
        match (self.take(file), self.take(env)) {
            (Some(said), None) => Some(SecretEntry::File(said)),
            (None, Some(said)) => Some(SecretEntry::Env(said)),
            (None, None) => {
                self.r.complain(self.spot, format!("`{file}` or `{env}` is missing"));
                None
            }
            (Some(_), Some(said)) => {
                self.r.complain(said.spot, format!("`{env}` and `{file}` cannot be used together"));
                None
            }
        }
    }

    fn password(&mut self) -> Option<Proof> {
        let user = self.need("user");
        let password = self.secret("password_file", "password_env");
        Some(Proof::Password { user: user?, password: password? })
    }

    fn token(&mut self) -> Option<Proof> {
        if let Some(file) = self.take("token_file") {
            return Some(Proof::TokenFile(file));
        }
        let Some(url) = self.take("token_url") else {
            self.r.complain(self.spot, "`token_url` or `token_file` is missing".into());
            return None;
        };
        if !is_private(&url.value) {
            let fix = "a secret is sent there, so use https:// (http:// is only for this machine)";
            self.r.complain(url.spot, format!("`token_url`: {fix}"));
        }
        let client_id = self.need("client_id");
        let client_secret = self.secret("client_secret_file", "client_secret_env");
        let (ca, scope) = (self.take("token_ca"), self.take("scope"));
        let (client_id, client_secret) = (client_id?, client_secret?);
        Some(Proof::TokenUrl(TokenUrl { url, ca, client_id, client_secret, scope }))
    }

    fn ticket(&mut self) -> Option<Proof> {
        let (principal, keytab) = (self.need("principal"), self.need("keytab"));
        let service = self.take("service");
        Some(Proof::Ticket { principal: principal?, keytab: keytab?, service })
    }
}

/// Returns whether nobody on the network can read what is sent to this URL.
fn is_private(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return url.starts_with("https://") };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn a_secret_leaves_this_machine_by_tls_alone() {
        for url in ["https://id.example/token", "http://127.0.0.1:8080/t", "http://[::1]/t"] {
            assert!(is_private(url), "{url}");
        }
        for url in [
            "http://id.example/token",
            "http://localhost.example/",
            "http://localhost@id.example/",
            "http://id.example/localhost:1",
            "id.example",
        ] {
            assert!(!is_private(url), "{url}");
        }
    }
}
