//! Sources: one file per adapter, each as the pipeline's `Source`.

mod descriptor;
pub mod file;
pub mod refused;
pub mod stdin;

pub use file::FileSource;
pub use refused::RefusedSource;
pub use stdin::StdinSource;
