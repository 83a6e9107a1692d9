//! A separate sink for each input.

use std::io;

use crate::pipeline::Sink;

/// Opens the sink of an input, by its index.
pub type Open = Box<dyn FnMut(usize) -> io::Result<Box<dyn Sink>> + Send>;

/// Gives each input a sink, which is opened when there is something to write, or when a finished
/// input needs an empty output.
pub struct EachSink {
    open: Open,
    current: Option<Box<dyn Sink>>,
    /// The input whose lines are being written.
    input: usize,
}

impl EachSink {
    /// `open` is called at most once for each input, in order.
    pub fn new(open: Open) -> Self {
        Self { open, current: None, input: 0 }
    }

    fn current(&mut self) -> io::Result<&mut Box<dyn Sink>> {
        match &mut self.current {
            Some(sink) => Ok(sink),
            none => Ok(none.insert((self.open)(self.input)?)),
        }
    }
}

impl Sink for EachSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.current()?.write(bytes)
    }

    fn taken(&self) -> usize {
        self.current.as_ref().map_or(0, |sink| sink.taken())
    }

    fn is_for_each_input(&self) -> bool {
        true
    }

    fn end_input(&mut self, keep: bool) -> io::Result<()> {
        if keep {
            self.current()?.finish()?;
        } else {
            self.abort();
        }
        self.current = None;
        self.input += 1;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.current.as_mut().map_or(Ok(()), |sink| sink.sync())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn abort(&mut self) {
        if let Some(mut sink) = self.current.take() {
            sink.abort();
        }
    }
}
