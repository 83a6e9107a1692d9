//! Whose fault an error is: each has its own end.

use std::io;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The record's: others may go.
    Record,
    /// The topic's: others may be read and written.
    Topic,
    /// The group's, or this program's: nothing mends itself.
    Lasting,
    /// The cluster's: it is tried again for as long as it takes.
    Cluster,
}

impl Fault {
    /// Whose fault it is.
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

/// What a record's own fault is.
pub fn of_record(error: &KafkaError) -> Option<bool> {
    let code = error.rdkafka_error_code()?;
    let long = matches!(
        code,
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge
    );
    (Fault::of(code) == Fault::Record).then_some(long)
}

/// Whether a topic is not there.
pub(crate) fn is_gone(code: Code) -> bool {
    let unknown = [Code::UnknownTopic, Code::UnknownTopicOrPartition, Code::UnknownPartition];
    unknown.contains(&code)
}

/// Why there is no client; a file of TLS that does not hold is named by its key.
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

/// An error with what it is about.
pub(crate) fn about(what: &str, error: &KafkaError) -> io::Error {
    match error.rdkafka_error_code() {
        Some(code) => io::Error::other(format!("{what}: {code}")),
        None => io::Error::other(format!("{what}: {error}")),
    }
}
