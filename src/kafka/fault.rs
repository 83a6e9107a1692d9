//! The class of an error, which decides how it is handled.

use std::io;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// The class of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error of one record; other records can be sent.
    Record,
    /// An error of one topic; other topics can be read and written.
    Topic,
    /// An error of the group or of this program, which does not go away.
    Lasting,
    /// An error of the cluster, which is retried without limit.
    Cluster,
}

impl Fault {
    /// Returns the class of an error code.
    pub fn of(code: Code) -> Self {
        match code {
            Code::MessageSizeTooLarge
            | Code::InvalidMessageSize
            | Code::MessageBatchTooLarge
            | Code::InvalidTimestamp
            | Code::InvalidRecord => Self::Record,
            Code::TopicAuthorizationFailed
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition => Self::Topic,
            Code::AutoOffsetReset
            | Code::OffsetOutOfRange
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::InvalidTopic
            | Code::InvalidRequiredAcks
            | Code::FencedInstanceId
            | Code::Fenced
            | Code::Fatal
            | Code::InvalidConfig
            | Code::PolicyViolation
            | Code::UnsupportedSASLMechanism => Self::Lasting,
            _ => Self::Cluster,
        }
    }
}

/// Returns whether a record is too long (`true`) or rejected otherwise (`false`), if the error is
/// about one record.
pub fn of_record(error: &KafkaError) -> Option<bool> {
    let code = error.rdkafka_error_code()?;
    let long = matches!(
        code,
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge
    );
    (Fault::of(code) == Fault::Record).then_some(long)
}

/// Returns whether a topic does not exist.
pub(crate) fn is_gone(code: Code) -> bool {
    let unknown = [Code::UnknownTopic, Code::UnknownTopicOrPartition, Code::UnknownPartition];
    unknown.contains(&code)
}

/// Returns the error for a client that cannot be created; it names the key of an invalid TLS file.
pub(crate) fn not_made(error: &KafkaError) -> io::Error {
    const KEYS: [(&str, &str); 3] = [
        ("ssl.key.location", "kafka.tls.key and kafka.tls.key_password_file"),
        ("ssl.certificate.location", "kafka.tls.certificate"),
        ("ssl.ca.location", "kafka.tls.ca"),
    ];
    let said = error.to_string();
    let said = match KEYS.iter().find(|(property, _)| said.contains(property)) {
        Some((_, keys)) => format!("{said}: see {keys}"),
        None => said,
    };
    io::Error::new(io::ErrorKind::InvalidInput, said)
}

/// Returns an error with its context.
pub(crate) fn about(what: &str, error: &KafkaError) -> io::Error {
    match error.rdkafka_error_code() {
        Some(code) => io::Error::other(format!("{what}: {code}")),
        None => io::Error::other(format!("{what}: {error}")),
    }
}
