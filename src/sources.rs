//! Sources: one file per adapter, each as the pipeline's `Source`.

mod descriptor;
pub mod file;
pub mod stdin;

pub use file::FileSource;
pub use stdin::StdinSource;
