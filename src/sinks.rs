//! Sinks: one file per adapter, each as the pipeline's `Sink` or `RejectSink`.

pub mod compress;
pub mod dead_letter;
pub mod each;
pub mod file;
pub mod kafka;
pub mod log;
pub mod replayed;
mod retry;
pub mod stdout;

use std::io;

pub use compress::CompressSink;
pub use dead_letter::DeadLetterFile;
pub use each::EachSink;
pub use file::{Existing, FileSink, write_whole};
pub use kafka::KafkaSink;
pub use log::LogSink;
pub use stdout::StdoutSink;

/// Returns an error with the name of what it is about.
fn named(shown: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{shown}: {error}"))
}
