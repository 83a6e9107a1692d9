//! The transactions of a sink.

use std::io;

use super::Reached;

/// Why a transaction cannot continue.
#[derive(Debug)]
pub enum Undone {
    /// It must be aborted, and its records are sent again.
    Abort,
    /// Nothing more can be sent.
    Failed(io::Error),
}

/// Makes records and delivered offsets take effect together, or not at all.
pub trait Transactions {
    /// Begins a transaction.
    fn begin(&mut self) -> Result<(), Undone>;
    /// Commits everything that was sent since the beginning, together with the offsets in
    /// `reached`. All reports must have been taken.
    fn commit(&mut self, reached: &[Reached]) -> Result<(), Undone>;
    /// Aborts the transaction. All reports must have been taken.
    ///
    /// # Errors
    /// Nothing more can be sent.
    fn abort(&mut self) -> io::Result<()>;
    /// Is called while there is no transaction and no record.
    ///
    /// # Errors
    /// Nothing more can be sent.
    fn idle(&mut self) -> io::Result<()> {
        Ok(())
    }
}
