//! `[kafka]`: how to connect to the cluster.

use toml::{
    Spanned,
    de::{DeString, DeValue},
};

use super::SaslEntry;
use crate::{
    config::{Said, Spot, reader::Reader},
    kafka,
};

const KAFKA: &[&str] = &["brokers", "tls", "sasl", "properties", "data_dir"];
const TLS: &[&str] = &["ca", "certificate", "key", "key_password_file"];
type Key<'d> = Spanned<DeString<'d>>;

/// `[kafka]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaEntry {
    /// Its position.
    pub spot: Spot,
    /// Some of the cluster's brokers.
    pub brokers: Vec<Said<String>>,
    /// How brokers are authenticated.
    pub tls: Option<TlsEntry>,
    /// How this program authenticates.
    pub sasl: Option<SaslEntry>,
    /// Properties of librdkafka.
    pub properties: Vec<(String, Said<String>)>,
    /// The folder for state that outlives the process.
    pub data_dir: Option<Said<String>>,
}

/// `kafka.tls`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsEntry {
    /// The certificate authorities for brokers; by default, those of the system.
    pub ca: Option<Said<String>>,
    /// This program's certificate.
    pub certificate: Option<Said<String>>,
    /// The private key of the certificate.
    pub key: Option<Said<String>>,
    /// The file with the password of the private key.
    pub key_password_file: Option<Said<String>>,
}

impl KafkaEntry {
    pub(in crate::config) fn read(
        r: &mut Reader<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let mut entry = Self {
            spot,
            brokers: Vec::new(),
            tls: None,
            sasl: None,
            properties: vec![],
            data_dir: None,
        };
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "brokers" => entry.brokers = r.one_or_more(value)?,
                "tls" => entry.tls = TlsEntry::read(r, value),
                "data_dir" => entry.data_dir = r.text(value),
                "sasl" => entry.sasl = SaslEntry::read(r, value),
                "properties" => {
                    let (_, all) = r.entry(value)?;
                    for (key, value) in all {
                        entry.properties.extend(property(r, key, value));
                    }
                }
                _ => r.unknown(key, KAFKA),
            }
        }
        if entry.brokers.is_empty() {
            r.complain(spot, "`brokers` is missing: add brokers = [\"host:9092\"]".into());
        }
        Some(entry)
    }
}

/// A librdkafka property that may be set.
fn property(
    r: &mut Reader<'_>,
    key: &Key<'_>,
    value: &Spanned<DeValue<'_>>,
) -> Option<(String, Said<String>)> {
    let name = key.get_ref().to_string();
    if let Some(why) = kafka::kept(&name) {
        r.complain(r.spot(key.span().start), format!("`{name}` cannot be set: {why}"));
        return None;
    }
    Some((name, r.text(value)?))
}

impl TlsEntry {
    /// The keys whose values are paths, and these values.
    pub fn files(&self) -> [(&'static str, &Option<Said<String>>); 4] {
        [
            ("ca", &self.ca),
            ("certificate", &self.certificate),
            ("key", &self.key),
            ("key_password_file", &self.key_password_file),
        ]
    }

    /// Like `files`, but mutable.
    pub fn files_mut(&mut self) -> [&mut Option<Said<String>>; 4] {
        [&mut self.ca, &mut self.certificate, &mut self.key, &mut self.key_password_file]
    }

    fn read(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let (_, table) = r.entry(value)?;
        let mut entry = Self::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "ca" => entry.ca = r.text(value),
                "certificate" => entry.certificate = r.text(value),
                "key" => entry.key = r.text(value),
                "key_password_file" => entry.key_password_file = r.text(value),
                _ => r.unknown(key, TLS),
            }
        }
        Some(entry)
    }
}
