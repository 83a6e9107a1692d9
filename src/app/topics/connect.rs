//! Converts the connection settings of a cluster to properties of librdkafka.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{
    config::kafka::{KafkaEntry, Proof, SaslChoice, SaslEntry, SecretEntry, TlsEntry, TokenUrl},
    kafka::{Cluster, Login, Password, Provider, Reporter, Secret, TlsFiles, Tokens},
};

type Properties = Vec<(String, String)>;

/// The command that gets a Kerberos ticket: librdkafka's default, without output to this program's
/// log.
const KINIT: &str = "kinit -R -t \"%{sasl.kerberos.keytab}\" -k %{sasl.kerberos.principal} \
                     >/dev/null 2>&1 || \
                     kinit -t \"%{sasl.kerberos.keytab}\" -k %{sasl.kerberos.principal} \
                     >/dev/null 2>&1";

/// The resolved connection settings.
pub(super) struct Link {
    pub(super) properties: Properties,
    /// The credentials of this program.
    pub(super) login: Option<Login>,
    pub(super) tls: TlsFiles,
}

/// Resolves and checks the connection settings.
pub(super) fn link(kafka: &KafkaEntry) -> Result<Link> {
    let brokers: Vec<_> = kafka.brokers.iter().map(|said| said.value.as_str()).collect();
    let mut properties = vec![("bootstrap.servers".to_owned(), brokers.join(","))];
    let mut set = |name: &str, value: &str| properties.push((name.to_owned(), value.to_owned()));
    let protocol = match (&kafka.tls, &kafka.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    set("security.protocol", protocol);
    if let Some(tls) = &kafka.tls {
        secure(tls, &mut set)?;
    }
    let login = match &kafka.sasl {
        Some(sasl) => known(sasl, &mut set)?,
        None => None,
    };
    for (name, said) in &kafka.properties {
        set(name, &said.value);
    }
    let password = kafka.tls.as_ref().and_then(|tls| tls.key_password_file.as_ref());
    let password = password.map(|said| Secret::in_file("kafka.tls.key_password_file", &said.value));
    // A missing secret is reported at the start.
    password.as_ref().map(Secret::read).transpose().map_err(|what| anyhow!(what))?;
    let tls = TlsFiles::new(&properties, password);
    Cluster::new(properties.clone(), tls.clone(), Reporter::quiet())
        .client(&[])
        .create_native_config()
        .map_err(|error| anyhow!("kafka.properties: {error}"))?;
    Ok(Link { properties, login, tls })
}

fn secure(tls: &TlsEntry, set: &mut dyn FnMut(&str, &str)) -> Result<()> {
    let files = [
        ("ssl.ca.location", "kafka.tls.ca", &tls.ca),
        ("ssl.certificate.location", "kafka.tls.certificate", &tls.certificate),
        ("ssl.key.location", "kafka.tls.key", &tls.key),
    ];
    for (property, key, said) in files {
        if let Some(said) = said {
            fs::metadata(&said.value).with_context(|| format!("{key} {}", said.value))?;
            set(property, &said.value);
        }
    }
    if tls.ca.is_none() {
        // Finds the trusted certificates of the system.
        set("ssl.ca.location", "probe");
    }
    if tls.certificate.is_some() != tls.key.is_some() {
        bail!("kafka.tls: `certificate` and `key` must be set together");
    }
    if tls.key_password_file.is_some() && tls.key.is_none() {
        bail!("kafka.tls: `key_password_file` needs `key`");
    }
    Ok(())
}

fn known(sasl: &SaslEntry, set: &mut dyn FnMut(&str, &str)) -> Result<Option<Login>> {
    use clap::ValueEnum as _;
    let mechanism = sasl.mechanism.value;
    if mechanism == SaslChoice::Gssapi && !cfg!(feature = "gssapi") {
        bail!(
            "kafka.sasl.mechanism GSSAPI (Kerberos) is not in this build: build with `cargo build \
             --release --features gssapi`, which needs libsasl2 and its headers"
        );
    }
    let name = mechanism.to_possible_value();
    set("sasl.mechanism", name.as_ref().map_or("", |value| value.get_name()));
    match &sasl.proof {
        Proof::Password { user, password } => {
            set("sasl.username", &user.value);
            let secret = secret(password, "kafka.sasl.password_file", "kafka.sasl.password_env");
            let password = Password::read(&user.value, secret).map_err(|what| anyhow!(what))?;
            set("sasl.password", &password.text());
            return Ok(Some(Login::Password(password)));
        }
        Proof::TokenFile(file) => return Ok(Some(Login::Tokens(Tokens::in_file(&file.value)))),
        Proof::TokenUrl(said) => {
            return Ok(Some(Login::Tokens(Tokens::from_provider(provider(said)?))));
        }
        Proof::Ticket { principal, keytab, service } => {
            set("sasl.kerberos.principal", plain("kafka.sasl.principal", &principal.value)?);
            set("sasl.kerberos.kinit.cmd", KINIT);
            fs::metadata(&keytab.value)
                .with_context(|| format!("kafka.sasl.keytab {}", keytab.value))?;
            set("sasl.kerberos.keytab", plain("kafka.sasl.keytab", &keytab.value)?);
            if let Some(service) = service {
                set("sasl.kerberos.service.name", &service.value);
            }
        }
    }
    Ok(None)
}

/// Checks a text that becomes part of a shell command.
fn plain<'a>(key: &str, text: &'a str) -> Result<&'a str> {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-@:+=,".contains(c);
    if !text.chars().all(is_plain) || text.starts_with('-') {
        bail!(
            "{key}: it becomes part of a shell command (kinit): use only letters, digits and \
             `/._-@:+=,`"
        );
    }
    Ok(text)
}

fn provider(said: &TokenUrl) -> Result<Provider> {
    let TokenUrl { url, ca, client_id, client_secret, scope } = said;
    let (file, env) = ("kafka.sasl.client_secret_file", "kafka.sasl.client_secret_env");
    let secret = secret(client_secret, file, env);
    // A missing secret is reported at the start.
    secret.read().map_err(|what| anyhow!(what))?;
    let ca = ca.as_ref().map(|said| said.value.as_str());
    let scope = scope.as_ref().map(|said| said.value.as_str());
    let made = Provider::new(&url.value, ca, &client_id.value, secret, scope);
    made.map_err(|what| anyhow!(what))
}

fn secret(said: &SecretEntry, file: &'static str, env: &'static str) -> Secret {
    match said {
        SecretEntry::File(said) => Secret::in_file(file, &said.value),
        SecretEntry::Env(said) => Secret::in_env(env, &said.value),
    }
}

/// Reads the current secret in a file.
pub(super) fn secret_file(key: &str, path: &str) -> Result<String> {
    fs::read_to_string(Path::new(path)).with_context(|| format!("{key} {path}"))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn nothing_that_a_shell_would_read_stands_in_its_command() {
        for fine in ["tamis/host.example@EXAMPLE.TEST", "/etc/tamis/tamis.keytab"] {
            assert_eq!(plain("k", fine).unwrap(), fine);
        }
        for wrong in ["a b", "a\"b", "a;b", "$(a)", "a`b`", "-c", "a\nb", "a%b"] {
            let said = plain("kafka.sasl.principal", wrong).unwrap_err().to_string();
            assert!(said.contains("kafka.sasl.principal") && !said.contains(wrong), "{said}");
        }
    }
}
