//! What the Kafka source and the Kafka sink share: the connection to a cluster, its topics, the
//! classes of its errors, and the status of this member.
//!
//! | file | does |
//! | --- | --- |
//! | `backoff` | how long to wait before a retry |
//! | `cause` | why a broker cannot be reached, from librdkafka's log |
//! | `fault` | the class of an error |
//! | `group` | the members of a consumer group |
//! | `native` | functions of librdkafka that rdkafka does not offer |
//! | `routes` | the topics that are written for each topic that is read |
//! | `secret` | passwords, read again when they change |
//! | `tls` | certificates and keys, read again when they change |
//! | `token` | tokens for OAUTHBEARER |
//! | `topics` | the topics of a cluster |
//! | `member_status` | the status of a member, for probes and metrics |
//! | `reporter` | reports the errors of a cluster, without repetition |

mod backoff;
mod cause;
mod fault;
mod group;
mod member_status;
mod native;
mod reporter;
mod routes;
mod secret;
mod tls;
mod token;
mod topics;

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

pub use backoff::Backoff;
use cause::Cause;
pub use fault::{Fault, of_record};
pub(crate) use fault::{about, is_gone, not_made};
pub use group::{Group, GroupMember};
pub use member_status::{Change, Client, MemberStatus, OrderError, Partition, Rebalance, Skip};
pub use native::{TopicId, TopicIds, headers, is_member, topic_ids};
pub use reporter::Reporter;
pub use routes::{Routes, TopicPattern, Written, check_pattern, filled};
pub use secret::{AppliedPassword, Login, Password, Secret};
pub use tls::{MadeWith, TlsFiles};
pub use token::{Provider, Tokens};
pub use topics::{Prober, Topics, ask, limits, list};

/// Properties of librdkafka on which guarantees of this program depend: delivery, order, memory,
/// and known offsets. The configuration may not set them.
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

/// How often librdkafka reports statistics, in milliseconds.
pub(crate) const STATISTICS_EVERY: &str = "2000";

/// The defaults of each client, so that a broker is used again within seconds after an outage of
/// any length. The delay between attempts to connect doubles up to this limit, and an attempt
/// without a response is given up after this time.
const RECONNECTS: [(&str, &str); 2] =
    [("reconnect.backoff.max.ms", "2000"), ("socket.connection.setup.timeout.ms", "10000")];

/// How long a request may take, in milliseconds, before the connection counts as lost. Transactions
/// use librdkafka's default, which depends on their timeout.
pub(crate) const SOCKET_TIMEOUT: &str = "30000";

/// Returns why a property may not be set, if it may not.
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

/// How to connect to a cluster.
#[derive(Clone)]
pub struct Cluster {
    properties: Vec<(String, String)>,
    /// Certificates and keys, which a client reads when it is created.
    pub tls: TlsFiles,
    /// Receives the errors of the cluster.
    pub reporter: Reporter,
}

impl Cluster {
    /// Uses librdkafka's `properties`; later ones override earlier ones.
    pub fn new(properties: Vec<(String, String)>, tls: TlsFiles, reporter: Reporter) -> Self {
        Self { properties, tls, reporter }
    }

    /// Returns the configuration of a client, with the properties that it sets itself.
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
        // The password may have changed since the start.
        if let Some(password) = self.reporter.password() {
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

/// Sets defaults for properties that are not set.
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
            let cluster = Cluster::new(said.collect(), TlsFiles::default(), Reporter::quiet());
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
        assert!(kept("enable.idempotence").is_some_and(|why| why.contains("guarantees")));
        assert!(kept("group.id").is_some_and(|why| why.contains("`group`")));
        assert!(kept("group.instance.id").is_some_and(|why| why.contains("`instance`")));
        assert_eq!(kept("linger.ms"), None);
    }
}
