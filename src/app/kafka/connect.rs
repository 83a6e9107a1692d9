//! How a cluster is reached, as librdkafka's properties.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{
    config::kafka::{KafkaEntry, SaslEntry, TlsEntry},
    kafka::{Cluster, Voice},
};

/// The properties that an entry comes to, judged.
pub(super) fn properties(kafka: &KafkaEntry) -> Result<Vec<(String, String)>> {
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
    if let Some(sasl) = &kafka.sasl {
        known(sasl, &mut set)?;
    }
    for (name, said) in &kafka.properties {
        set(name, &said.value);
    }
    Cluster::new(properties.clone(), Voice::quiet())
        .client(&[])
        .create_native_config()
        .map_err(|error| anyhow!("kafka.properties: {error}"))?;
    Ok(properties)
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
        // Where the system keeps those that it trusts.
        set("ssl.ca.location", "probe");
    }
    if tls.certificate.is_some() != tls.key.is_some() {
        bail!("kafka.tls: `certificate` and `key` belong together");
    }
    Ok(())
}

fn known(sasl: &SaslEntry, set: &mut dyn FnMut(&str, &str)) -> Result<()> {
    use clap::ValueEnum as _;
    let mechanism = sasl.mechanism.value.to_possible_value();
    set("sasl.mechanism", mechanism.as_ref().map_or("", |value| value.get_name()));
    set("sasl.username", &sasl.user.value);
    let password = secret_file("kafka.sasl.password_file", &sasl.password_file.value)?;
    set("sasl.password", password.trim_end_matches(['\r', '\n']));
    Ok(())
}

/// A secret, as its file has it now.
pub(super) fn secret_file(key: &str, path: &str) -> Result<String> {
    fs::read_to_string(Path::new(path)).with_context(|| format!("{key} {path}"))
}
