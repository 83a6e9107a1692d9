//! Tamis: redacts personal data and secrets in logs, between services and their log storage.
//!
//! | layer | knows | never imports |
//! | --- | --- | --- |
//! | [`engine`] | bytes in, outcomes and bytes out; schemas, detectors, redaction | files, sockets, clocks, logging |
//! | [`pipeline`] | ports, chunks, workers, order, delivery | a concrete adapter |
//! | [`containers`] | the line formats of container runtimes: unwrapped, judged, wrapped again | where lines come from |
//! | [`records`] | records of topics: values, and the keys and headers that are judged with them | where records come from |
//! | [`sources`], [`sinks`] | one file or folder for each adapter | each other, the internals of the engine |
//! | [`compression`] | compressed formats: detection, decoding, encoding | the rest |
//! | [`journal`] | the program's own log | the rest |
//! | [`dead_letter`] | dead letters in files and topics, read for a replay | the rest |
//! | [`metrics`] | the metrics of a run, and their text format | the rest |
//! | [`serve`] | the admin server: probes, metrics, the configuration | the rest |
//! | [`kafka`] | what the Kafka source and the Kafka sink share: the cluster, its errors | the rest |
//! | [`seal`] | originals in dead letters: encrypted to a public key, and decrypted | the rest |
//! | [`descriptors`] | which standard descriptors were closed at the start | the rest |
//! | [`shutdown`] | shutdown requests, the drain deadline, signals | the rest |
//! | [`temporary`] | temporary files, and those that killed processes left | the rest |
//! | [`summary`] | the summary of a run, as a table and as JSON | where it is printed |
//! | [`config`] | the configuration file: keys, values and their positions | |
//! | [`cli`] | the command line as typed | |
//! | [`app`] | the composition root | |

#[cfg(feature = "program")]
pub mod app;
#[cfg(feature = "program")]
pub mod cli;
#[cfg(feature = "program")]
pub mod compression;
#[cfg(feature = "program")]
pub mod config;
#[cfg(feature = "program")]
pub mod containers;
#[cfg(feature = "program")]
pub mod dead_letter;
#[cfg(feature = "program")]
pub mod descriptors;
pub mod engine;
#[cfg(feature = "program")]
pub mod journal;
#[cfg(feature = "program")]
pub mod kafka;
#[cfg(feature = "program")]
pub mod metrics;
#[cfg(feature = "program")]
pub mod pipeline;
#[cfg(feature = "program")]
pub mod records;
#[cfg(feature = "program")]
pub mod seal;
#[cfg(feature = "program")]
pub mod serve;
#[cfg(feature = "program")]
pub mod shutdown;
#[cfg(feature = "program")]
pub mod sinks;
#[cfg(feature = "program")]
pub mod sources;
#[cfg(feature = "program")]
pub mod summary;
#[cfg(feature = "program")]
pub mod temporary;
