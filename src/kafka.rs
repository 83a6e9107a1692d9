//! What a source and a sink of Kafka share: how a cluster is reached, what it holds, what its errors
//! mean, and who is told.
//!
//! | file | does |
//! | --- | --- |
//! | `backoff` | how long to wait before something is tried again |
//! | `cause` | why a broker is not reached, as librdkafka's log tells it |
//! | `fault` | whose fault an error is |
//! | `group` | who is in a consumer group |
//! | `native` | what librdkafka can do and rdkafka does not offer |
//! | `routes` | which topics are written of what is read of one |
//! | `secret` | passwords, as a file or the environment has them now |
//! | `tls` | certificates and keys, as their files have them now |
//! | `token` | tokens for OAUTHBEARER |
//! | `topics` | what a cluster holds, asked at the start |
//! | `vitals` | what is known of a member while it runs: for probes and measures |
//! | `voice` | says what a cluster's faults are, and not again and again |

mod backoff;
mod cause;
mod fault;
mod group;
mod native;
mod routes;
mod secret;
mod tls;
mod token;
mod topics;
mod vitals;
mod voice;

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

pub use backoff::Backoff;
use cause::Cause;
pub use fault::{Fault, of_record};
pub(crate) use fault::{about, is_gone, not_made};
pub use group::{Group, GroupMember};
pub use native::{TopicId, TopicIds, headers, is_member, topic_ids};
pub use routes::{Routes, TopicPattern, Written, check_pattern, filled};
pub use secret::{Given, Login, Password, Secret};
pub use tls::{MadeWith, TlsFiles};
pub use token::{Provider, Tokens};
pub use topics::{Prober, Topics, ask, limits, list};
pub use vitals::{Change, Client, Partition, Rebalance, Skip, Unfit, Vitals};
pub use voice::Voice;

/// librdkafka's properties that carry a promise of this program: how often something arrives, in which
/// order, in which memory, and what is known of it. They are not for others to set.
const KEPT: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "builtin.features",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "delivery.report.only.error",
    "dr_cb",
    "dr_msg_cb",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "message.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "offset.store.method",
    "partitioner",
    "plugin.library.paths",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queued.max.messages.kbytes",
    "queuing.strategy",
    "request.required.acks",
    "retries",
    "transactional.id",
    "bootstrap.servers",
    "metadata.broker.list",
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "enable.sasl.oauthbearer.unsecure.jwt",
    "sasl.kerberos.kinit.cmd",
    "ssl.key.password",
    "ssl.keystore.password",
];

/// How often librdkafka says how it is, in milliseconds.
pub(crate) const STATISTICS_EVERY: &str = "2000";

/// What each client has where the configuration says nothing else, so that a broker that is back is
/// used within seconds, however long it was away. The waits between attempts to connect double up to
/// this; an attempt that nobody answers is given up after so long.
const RECONNECTS: [(&str, &str); 2] =
    [("reconnect.backoff.max.ms", "2000"), ("socket.connection.setup.timeout.ms", "10000")];

/// How long a request may take, in milliseconds, before its connection is taken for cut off. That of
/// transactions is librdkafka's, for it hangs on how long these live.
pub(crate) const SOCKET_TIMEOUT: &str = "30000";

/// Why a property may not be set, if it may not.
pub fn kept(property: &str) -> Option<&'static str> {
    match property {
        "bootstrap.servers" | "metadata.broker.list" => Some("use the key `brokers` instead"),
        "group.id" => Some("use the key `group` in [source] instead"),
        "group.instance.id" => Some("use the key `instance` instead"),
        "sasl.password" => Some("secrets are read from files: use `password_file` in `sasl`"),
        "ssl.key.password" => Some("secrets are read from files: use `key_password_file` in `tls`"),
        "ssl.keystore.password" => Some(
            "secrets are read from files: use `key` and `key_password_file` in `tls` (convert \
             with `openssl pkcs12`)",
        ),
        "sasl.oauthbearer.client.secret" | "sasl.oauthbearer.config" => {
            Some("use `token_url` in `sasl` instead")
        }
        "enable.sasl.oauthbearer.unsecure.jwt" => Some("an unsigned token proves nothing"),
        "sasl.kerberos.kinit.cmd" => Some("the configuration may not run commands"),
        _ => KEPT.contains(&property).then_some(
            "Tamis sets it, because its delivery guarantees or memory limit depend on it",
        ),
    }
}

/// How a cluster is reached.
#[derive(Clone)]
pub struct Cluster {
    properties: Vec<(String, String)>,
    /// Certificates and keys, which a client reads when it is made.
    pub tls: TlsFiles,
    /// Who is told of its faults.
    pub voice: Voice,
}

impl Cluster {
    /// By librdkafka's `properties`, later ones before earlier ones.
    pub fn new(properties: Vec<(String, String)>, tls: TlsFiles, voice: Voice) -> Self {
        Self { properties, tls, voice }
    }

    /// The properties of a client, and those that it sets for itself.
    pub fn client(&self, own: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        config.set("client.id", "tamis");
        for (name, value) in RECONNECTS {
            config.set(name, value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        // It may be another than at the start.
        if let Some(password) = self.voice.password() {
            config.set("sasl.password", password.text());
        }
        if let Some(password) = self.tls.key_password() {
            config.set("ssl.key.password", password);
        }
        for (name, value) in own {
            config.set(*name, *value);
        }
        config
    }
}

/// Sets what is usual where nothing else was said.
pub(crate) fn unless_said(config: &mut ClientConfig, usual: &[(&str, &str)]) {
    for (name, value) in usual {
        if config.get(name).is_none() {
            config.set(*name, *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_back_is_used_within_seconds() {
        let client = |said: &[(&str, &str)]| {
            let said = said.iter().map(|(name, value)| (name.to_string(), value.to_string()));
            let cluster = Cluster::new(said.collect(), TlsFiles::default(), Voice::quiet());
            cluster.client(&[])
        };
        let most =
            |config: &ClientConfig| config.get("reconnect.backoff.max.ms").map(str::to_owned);
        assert_eq!(most(&client(&[])).as_deref(), Some("2000"));
        let said = client(&[("reconnect.backoff.max.ms", "7000")]);
        assert_eq!(most(&said).as_deref(), Some("7000"));
        assert!(client(&[]).create_native_config().is_ok());
    }

    #[test]
    fn promises_are_kept() {
        assert!(kept("enable.idempotence").is_some_and(|why| why.contains("promise")));
        assert!(kept("group.id").is_some_and(|why| why.contains("`group`")));
        assert!(kept("group.instance.id").is_some_and(|why| why.contains("`instance`")));
        assert_eq!(kept("linger.ms"), None);
    }
}
