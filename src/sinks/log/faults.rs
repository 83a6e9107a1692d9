//! Injects file system errors in tests. In production it does nothing.

use std::{fmt, io, sync::Arc};

/// An operation on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Open,
    Write,
    Sync,
    Truncate,
    Rename,
}

type Hook = dyn Fn(Op, &str) -> io::Result<()> + Send + Sync;

/// Called before each operation with the file name. An error that it returns makes the operation
/// fail.
#[derive(Clone, Default)]
pub(super) struct Faults(Option<Arc<Hook>>);

impl Faults {
    #[cfg(test)]
    pub(super) fn new(hook: impl Fn(Op, &str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(super) fn check(&self, op: Op, name: &str) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |hook| hook(op, name))
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faults")
    }
}
