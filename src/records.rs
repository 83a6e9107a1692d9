//! Records of Kafka: their values are judged like any line, and their keys and headers with them.
//!
//! | file | does |
//! | --- | --- |
//! | `beside` | judges keys and headers as lines of a chunk of their own |
//! | `judgement` | what records are judged by |
//! | `logs` | judges the log records and attributes of OTLP |
//! | `otlp` | finds log records and attributes in a value |
//! | `packed` | values that arrived compressed |
//! | `pseudonym` | the pseudonym of a key that contains personal data |
//! | `ways` | the routes that records take |
//! | `worker` | judges a block of records |

mod beside;
mod judgement;
mod logs;
mod otlp;
mod packed;
mod pseudonym;
mod ways;
mod worker;

pub use judgement::{Judgement, WayOf};
pub use logs::log_records;
pub use pseudonym::{Pseudonyms, TooShort};
pub use worker::RecordJudge;

#[cfg(test)]
mod tests;
