//! Transactions, as a sink offers them.

use std::io;

use super::Reached;

/// Why a transaction goes no further.
#[derive(Debug)]
pub enum Undone {
    /// It is to be aborted, and what was in it is to be sent again.
    Abort,
    /// Nothing more can be sent.
    Failed(io::Error),
}

/// What makes records, and that they are delivered, hold at once, or not at all.
pub trait Transactions {
    /// Begins one.
    fn begin(&mut self) -> Result<(), Undone>;
    /// All that was sent since it began holds, and so does that everything before `reached` is
    /// delivered. Everything that was sent is told of.
    fn commit(&mut self, reached: &[Reached]) -> Result<(), Undone>;
    /// Nothing holds that was sent since it began. What became of it is told by now.
    ///
    /// # Errors
    /// Nothing more can be sent.
    fn abort(&mut self) -> io::Result<()>;
    /// There is none, and nothing comes.
    ///
    /// # Errors
    /// Nothing more can be sent.
    fn idle(&mut self) -> io::Result<()> {
        Ok(())
    }
}
