//! Exit codes, and the errors that cause them.

use std::{fmt, io};

use super::cause::cause;
use crate::shutdown::Signal;

/// The exit codes. They are stable; `--help` documents them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Success.
    Done = 0,
    /// Finished with a negative result: events were rejected with `--fail-on-drop`, a detector test
    /// failed, or a `tamis kafka` command was refused.
    Unfit = 1,
    /// Bad usage or configuration; nothing was read.
    Usage = 2,
    /// Input or output failed.
    Failed = 3,
    /// `tamis exec`: the application cannot be executed.
    NotExecutable = 126,
    /// `tamis exec`: there is no such application.
    NotFound = 127,
    /// SIGINT ended the run before its inputs were read to their end.
    Interrupted = 130,
    /// SIGTERM ended the run before its inputs were read to their end.
    Terminated = 143,
}

impl From<Signal> for Exit {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::Interrupted,
            Signal::Terminate => Self::Terminated,
        }
    }
}

/// An error that prevents a run, or ends the program before it reads input.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Bad usage or configuration.
    Usage(anyhow::Error),
    /// Input or output failed.
    Failed(anyhow::Error),
    /// The application did not start.
    Exec(anyhow::Error, Exit),
}

impl Trouble {
    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self::Failed(error.into())
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Failed(_) => Exit::Failed,
            Self::Exec(_, exit) => *exit,
        }
    }
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self::Usage(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(error) | Self::Failed(error) | Self::Exec(error, _)) = self;
        for (i, link) in error.chain().enumerate() {
            let colon = if i > 0 { ": " } else { "" };
            // The sources of an I/O error repeat the same text.
            if let Some(error) = link.downcast_ref::<io::Error>() {
                return write!(f, "{colon}{}", cause(error));
            }
            write!(f, "{colon}{link}")?;
        }
        Ok(())
    }
}
