//! What the error codes of a transactional producer mean.

use std::io;

use rdkafka::error::{KafkaError, RDKafkaError, RDKafkaErrorCode as Code};

/// Returns whether another producer has replaced this one, according to the brokers.
pub(super) fn is_fence(code: Code) -> bool {
    matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
}

/// Returns whether a new producer would lack the same permission.
pub(super) fn is_denied(code: Code) -> bool {
    matches!(
        code,
        Code::TransactionalIdAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::UnsupportedForMessageFormat
    )
}

/// Returns the error that ends the run.
pub(super) fn broken(fatal: Option<Code>) -> io::Error {
    match fatal {
        Some(code) if is_fence(code) => io::Error::other(
            "kafka: fenced: another process runs as this `instance` and will read again what was \
             not committed",
        ),
        Some(code) => io::Error::other(format!("kafka: the producer: {code}")),
        None => io::Error::other("kafka: the producer failed"),
    }
}

pub(super) fn is_retriable(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => RDKafkaError::is_retriable(error),
        // Records are still in flight.
        KafkaError::Flush(Code::OperationTimedOut) => true,
        _ => false,
    }
}
