//! Writes to standard error, which may be a pipe that is never read, without blocking for long.
//!
//! Only a separate thread can guarantee this: `O_NONBLOCK` would affect every process that shares
//! the descriptor, and a descriptor that was writable a moment ago can be full now. Lines that are
//! not written in time wait in a queue of fixed size. Lines that do not fit are dropped and
//! counted, and this is reported when standard error is read again.

use std::{
    collections::VecDeque,
    mem::take,
    sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    stdio,
};

use super::{Event, line_of};

/// The size of the queue in bytes.
const CAPACITY: usize = 64 << 10;
/// How long to wait for a line to be written, unless an earlier wait was in vain.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long the end of the program waits for unwritten lines.
const LAST: Duration = Duration::from_secs(2);

static WRITER: LazyLock<Arc<Writer>> = LazyLock::new(|| Writer::new(write_all));

/// Writes complete lines to standard error, or drops them if it is not read.
pub fn write(text: &str) {
    WRITER.put(text, |state| state.bytes + text.len() <= CAPACITY);
}

/// Writes the last text, for which there is always room.
pub fn write_last(text: &str) {
    WRITER.put(text, |_| true);
}

/// Writes text that is only useful immediately. If other text is waiting, it is dropped without
/// being counted.
pub fn show(text: &str) {
    WRITER.put(text, |state| state.queue.is_empty() && !state.stuck);
}

/// Waits until everything is written, for a limited time. The program ends after this.
pub fn finish() {
    let state = WRITER.lock();
    let all = state.put;
    drop(WRITER.wait(state, all, LAST));
}

/// Returns how many lines were dropped so far.
pub fn dropped_lines() -> u64 {
    WRITER.lock().dropped
}

struct Writer {
    /// Writes a text, and returns whether that succeeded.
    write: Box<dyn Fn(&str) -> bool + Send + Sync>,
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    /// Whether the thread is running.
    started: bool,
    queue: VecDeque<String>,
    /// The number of bytes in the queue.
    bytes: usize,
    /// The number of texts that were put into the queue, and of those that left it.
    put: u64,
    done: u64,
    /// Whether a wait was in vain, and nothing was written since.
    stuck: bool,
    /// Lines that were dropped, and those of them that were not reported yet.
    dropped: u64,
    untold: u64,
}

impl State {
    fn push(&mut self, text: String) {
        self.bytes += text.len();
        self.put += 1;
        self.queue.push_back(text);
    }

    fn drop_lines(&mut self, text: &str) {
        let lines = text.matches('\n').count() as u64;
        self.dropped += lines;
        self.untold += lines;
    }
}

impl Writer {
    fn new(write: impl Fn(&str) -> bool + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { write: Box::new(write), state: Mutex::default(), moved: Condvar::new() })
    }

    fn put(self: &Arc<Self>, text: &str, fits: impl Fn(&State) -> bool) {
        let mut state = self.lock();
        if !state.started {
            let this = self.clone();
            let work = move || this.work();
            state.started = thread::Builder::new().name("stderr".into()).spawn(work).is_ok();
        }
        if !state.started {
            // No thread can be started, so only what can be written immediately is written.
            if !is_writable(Some(Duration::ZERO)) || !(self.write)(text) {
                state.drop_lines(text);
            }
            return;
        }
        if !fits(&state) {
            state.drop_lines(text);
            return;
        }
        state.push(text.to_owned());
        self.moved.notify_all();
        if !state.stuck {
            let wanted = state.put;
            let mut state = self.wait(state, wanted, PATIENCE);
            state.stuck = state.done < wanted;
        }
    }

    /// Waits until this many texts have left the queue, for a limited time.
    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        wanted: u64,
        most: Duration,
    ) -> MutexGuard<'a, State> {
        let begun = Instant::now();
        while state.done < wanted
            && let Some(left) = most.checked_sub(begun.elapsed())
        {
            let waited = self.moved.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            let Some(text) = state.queue.pop_front() else {
                state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let written = (self.write)(&text);
            state = self.lock();
            state.bytes -= text.len();
            state.done += 1;
            if written {
                state.stuck = false;
            } else {
                state.drop_lines(&text);
            }
            if written && state.untold > 0 && state.queue.is_empty() {
                let lines = take(&mut state.untold);
                let noun = if lines == 1 { "line was" } else { "lines were" };
                let what = format!("{lines} {noun} dropped, because standard error was not read");
                state.push(line_of(Event::LogLinesDropped, &what));
            }
            self.moved.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes to the descriptor itself. Returns `false` if it fails; if the descriptor is closed, this
/// cannot be reported.
fn write_all(text: &str) -> bool {
    let mut left = text.as_bytes();
    while !left.is_empty() {
        match rustix::io::write(stdio::stderr(), left) {
            Ok(0) => return false,
            Ok(n) => left = &left[n..],
            Err(Errno::INTR) => {}
            // Another owner made it non-blocking.
            Err(Errno::AGAIN) => drop(is_writable(None)),
            Err(_) => return false,
        }
    }
    true
}

/// Waits until standard error is writable, or forever with `None`.
fn is_writable(wait: Option<Duration>) -> bool {
    let stderr = stdio::stderr();
    let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
    let mut polled = [PollFd::new(&stderr, PollFlags::OUT)];
    matches!(poll(&mut polled, wait.as_ref()), Ok(1..))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A writer that sends each text to one channel, and waits for its result on another.
    fn held_up() -> (Arc<Writer>, Receiver<String>, Sender<bool>) {
        let ((begun, begins), (go, goes)) = (channel(), channel());
        let goes = Mutex::new(goes);
        let write = move |text: &str| {
            begun.send(text.to_owned()).unwrap();
            goes.lock().unwrap().recv().unwrap_or(false)
        };
        (Writer::new(write), begins, go)
    }

    #[test]
    fn what_is_not_taken_waits_for_nobody_and_what_does_not_fit_is_counted_and_told() {
        let (writer, written, go) = held_up();
        let fits = |state: &State| state.bytes + 9 <= 36;
        let put = |text: &str| writer.put(text, fits);
        put("line one\n");
        assert!(writer.lock().stuck, "it is in the hands of who hangs");
        for line in ["line two\n", "line 03.\n", "line 04.\n", "line 05.\n", "lines\n06\n"] {
            put(line);
        }
        assert_eq!(writer.lock().dropped, 3);
        writer.put("the last\n", |_| true);
        let all = writer.lock().put;
        // One by one, and then the report of the dropped lines.
        for wanted in ["line one\n", "line two\n", "line 03.\n", "line 04.\n", "the last\n"] {
            assert_eq!(written.recv().unwrap(), wanted);
            go.send(true).unwrap();
        }
        assert!(written.recv().unwrap().contains("3 lines were dropped"));
        go.send(true).unwrap();
        let state = writer.wait(writer.lock(), all + 1, Duration::from_secs(60));
        assert_eq!((state.done, state.untold, state.stuck), (all + 1, 0, false));
    }

    #[test]
    fn what_fails_is_counted_and_told_once_something_is_taken() {
        let (writer, written, go) = held_up();
        for taken in [false, false, true, true] {
            go.send(taken).unwrap();
        }
        for line in ["one\n", "two\n", "three\n"] {
            writer.put(line, |_| true);
        }
        let all = written.iter().take(4).collect::<String>();
        assert!(
            all.starts_with("one\ntwo\nthree\n") && all.contains("2 lines were dropped"),
            "{all}"
        );
    }
}
