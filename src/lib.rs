//! Tamis: a fine sieve between services and their log storage.
//!
//! | layer | knows | never imports |
//! | --- | --- | --- |
//! | [`engine`] | bytes in, outcomes and bytes out; schemas, detectors, redaction | files, sockets, clocks, logging |
//! | [`pipeline`] | ports, chunks, workers, order, delivery | a concrete adapter |
//! | [`containers`] | the wrappers of container runtimes: opened, judged, closed | where they come from |
//! | [`records`] | what is in a record beside its value: keys and headers, judged with it | where they come from |
//! | [`sources`], [`sinks`] | one file each per adapter | each other, the engine's insides |
//! | [`compression`] | compressed formats: told, decoded, encoded | the rest |
//! | [`journal`] | the program's own log | the rest |
//! | [`dead_letter`] | the dead letter as a file, read again | the rest |
//! | [`metrics`] | what a run measures of itself, and how that is written | the rest |
//! | [`serve`] | the admin server: probes, measures, what is in force | the rest |
//! | [`kafka`] | what a source and a sink of Kafka share: the cluster, its faults | the rest |
//! | [`seal`] | originals, sealed to a public key and opened again | the rest |
//! | [`descriptors`] | which standard descriptors were closed at the start | the rest |
//! | [`shutdown`] | requests to end, the drain deadline, signals | the rest |
//! | [`temporary`] | files that are being written, and what killed processes left of them | the rest |
//! | [`summary`] | the account of a run, as a table and as JSON | where it is printed |
//! | [`config`] | what the configuration file says, and where | |
//! | [`cli`] | what was typed | |
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
