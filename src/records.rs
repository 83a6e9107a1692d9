//! Records: a value is judged as any line is; keys and headers are judged with it.
//!
//! | file | does |
//! | --- | --- |
//! | `beside` | keys and headers as lines of a chunk of their own, and what became of them |
//! | `judgement` | what records are judged by |
//! | `logs` | OTLP's log records and attributes, judged |
//! | `otlp` | where they stand in a value |
//! | `packed` | values that came compressed |
//! | `pseudonym` | what stands for a key that may not be seen |
//! | `ways` | which way records go through the routes |
//! | `worker` | a block of records, judged |

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
