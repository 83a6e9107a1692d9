//! Sources: one file per adapter, each as the pipeline's `Source`.

mod checksum;
pub mod child;
pub mod dead_letter;
pub mod decompress;
mod descriptor;
pub mod file;
pub mod follow;
pub mod kafka;
pub mod refused;
pub mod stdin;
pub mod text;

pub use child::ChildSource;
pub use dead_letter::DeadLetterSource;
pub use decompress::DecompressSource;
pub use file::FileSource;
pub use follow::Follow;
pub use kafka::{KafkaOffsets, KafkaSource};
pub use refused::RefusedSource;
pub use stdin::StdinSource;
pub use text::TextSource;
