//! Sinks: one file per adapter, each as the pipeline's `Sink` or `RejectSink`.

pub mod dead_letter;
pub mod file;
pub mod stdout;

pub use dead_letter::DeadLetterFile;
pub use file::FileSink;
pub use stdout::StdoutSink;
