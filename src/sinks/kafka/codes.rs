//! What the error codes of a transactional producer mean.

use std::io;

use rdkafka::error::{KafkaError, RDKafkaError, RDKafkaErrorCode as Code};

/// Whether a transaction's producer has another in its place, as far as brokers are concerned.
pub(super) fn is_fence(code: Code) -> bool {
    matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
}

/// Whether another producer would be denied the same.
pub(super) fn is_denied(code: Code) -> bool {
    matches!(
        code,
        Code::TransactionalIdAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::UnsupportedForMessageFormat
    )
}

/// Why the run ends.
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
        // Records are still on their way.
        KafkaError::Flush(Code::OperationTimedOut) => true,
        _ => false,
    }
}
