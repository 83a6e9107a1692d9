//! The two output streams of an application, merged line by line. The order within each stream is
//! kept.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use memchr::{memchr, memrchr};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

use super::descriptor::{read_now, timespec};
use crate::{
    pipeline::{Read, Source},
    shutdown::Shutdown,
};

/// How many bytes are read from a stream at a time.
const PIECE: usize = 64 << 10;

/// The standard output and standard error of an application.
///
/// A line waits here until it is complete, so that the other stream cannot split it. Of a line that
/// is too long to be judged, only enough is kept to detect that, and the rest is discarded. Waiting
/// for its end instead could block the application when it writes to the other stream first.
pub struct ChildSource {
    streams: [Stream; 2],
    /// Closed by the other side when the application has ended.
    ended: Option<OwnedFd>,
    /// Until when to read from other processes that still hold the streams, after the application
    /// has ended.
    until: Option<Instant>,
    drain: Duration,
    longest: usize,
    shutdown: Shutdown,
    piece: Vec<u8>,
    /// Complete lines, of which the first `done` bytes were returned.
    ready: Vec<u8>,
    done: usize,
}

struct Stream {
    /// `None` at its end.
    fd: Option<OwnedFd>,
    /// The beginning of an incomplete line.
    begun: Vec<u8>,
}

impl ChildSource {
    /// Reads `streams` until both end, or until `drain` after `ended` reports that the application
    /// has ended, because other processes that inherited the streams may never close them.
    pub fn new(
        streams: [OwnedFd; 2],
        ended: OwnedFd,
        drain: Duration,
        max_event_bytes: usize,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            streams: streams.map(|fd| Stream { fd: Some(fd), begun: Vec::new() }),
            ended: Some(ended),
            until: None,
            drain,
            // One byte more than the limit, and another one, because a `\r` must not count as a
            // line end.
            longest: max_event_bytes.saturating_add(2),
            shutdown,
            piece: vec![0; PIECE],
            ready: Vec::new(),
            done: 0,
        }
    }

    /// Returns the maximum memory: a growing line of each stream, and both when they are returned.
    pub fn memory(max_event_bytes: usize) -> u64 {
        2 * 4 * (max_event_bytes as u64 + 2 + PIECE as u64)
    }

    fn over(&self) -> bool {
        let ended = self.streams.iter().all(|stream| stream.fd.is_none());
        ended || self.until.is_some_and(|until| until <= Instant::now())
    }

    /// Waits at most `wait` for either stream, and reads what is there. Returns `false` if it was
    /// woken up for another reason.
    fn wait_for_data(&mut self, wait: Option<Duration>) -> io::Result<bool> {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        let wait = [wait, left].into_iter().flatten().min();
        let wake = self.shutdown.wake();
        let [out, err] = &self.streams;
        let all = [out.fd.as_ref(), err.fd.as_ref(), self.ended.as_ref()];
        let mut polled = vec![PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN)];
        polled.extend(all.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::IN)));
        match poll(&mut polled, wait.map(timespec).as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let mut woken = polled.iter().map(|fd| !fd.revents().is_empty());
        let asked = woken.next() == Some(true);
        let ready = all.map(|fd| fd.is_some() && woken.next() == Some(true));
        drop(polled);
        if asked {
            wake.clear();
        }
        if ready[2] {
            self.ended = None;
            self.until = Some(Instant::now() + self.drain);
        }
        for (stream, ready_now) in self.streams.iter_mut().zip(ready) {
            let Some(fd) = stream.fd.as_ref().filter(|_| ready_now) else { continue };
            match read_now(fd, &mut self.piece)? {
                Read::Bytes(n) => stream.take(&self.piece[..n], self.longest, &mut self.ready),
                Read::Idle => {}
                Read::End => stream.fd = None,
            }
        }
        Ok(!asked)
    }
}

impl Stream {
    /// Moves complete lines to `ready`, and keeps the beginning of the next.
    fn take(&mut self, mut data: &[u8], longest: usize, ready: &mut Vec<u8>) {
        if !self.begun.is_empty() {
            let end = memchr(b'\n', data);
            self.keep(&data[..end.unwrap_or(data.len())], longest);
            let Some(end) = end else { return };
            self.end(ready);
            data = &data[end + 1..];
        }
        let (lines, rest) = data.split_at(memrchr(b'\n', data).map_or(0, |at| at + 1));
        ready.extend_from_slice(lines);
        self.keep(rest, longest);
    }

    fn keep(&mut self, part: &[u8], longest: usize) {
        let room = longest.saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&part[..part.len().min(room)]);
    }

    /// Ends an incomplete line.
    fn end(&mut self, ready: &mut Vec<u8>) {
        if !self.begun.is_empty() {
            ready.append(&mut self.begun);
            ready.push(b'\n');
            self.begun.shrink_to(PIECE);
        }
    }
}

impl Source for ChildSource {
    fn read(&mut self, buf: &mut [u8], wait: Option<Duration>) -> io::Result<Read> {
        let until = wait.map(|wait| Instant::now() + wait);
        loop {
            if self.done < self.ready.len() {
                let n = buf.len().min(self.ready.len() - self.done);
                buf[..n].copy_from_slice(&self.ready[self.done..self.done + n]);
                self.done += n;
                return Ok(Read::Bytes(n));
            }
            self.ready.clear();
            self.ready.shrink_to(2 * PIECE);
            self.done = 0;
            if self.over() {
                for stream in &mut self.streams {
                    stream.end(&mut self.ready);
                }
                match self.ready.is_empty() {
                    true => return Ok(Read::End),
                    false => continue,
                }
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let has_data = self.wait_for_data(left)?;
            let waited = until.is_some_and(|until| until <= Instant::now());
            if self.ready.is_empty() && !self.over() && (!has_data || waited) {
                return Ok(Read::Idle);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write as _, os::unix::net::UnixStream};

    use super::*;

    fn pair() -> (OwnedFd, File) {
        let (reader, writer) = io::pipe().unwrap();
        (reader.into(), OwnedFd::from(writer).into())
    }

    struct Scene {
        source: ChildSource,
        out: File,
        err: File,
        alive: UnixStream,
    }

    fn scene() -> Scene {
        let ((a, out), (b, err)) = (pair(), pair());
        let (ended, alive) = UnixStream::pair().unwrap();
        let shutdown = Shutdown::new(Duration::from_secs(60)).unwrap();
        let drain = Duration::from_millis(100);
        let source = ChildSource::new([a, b], ended.into(), drain, 10, shutdown);
        Scene { source, out, err, alive }
    }

    fn read_text(source: &mut ChildSource) -> String {
        let (mut all, mut buf) = (Vec::new(), [0; 7]);
        while let Read::Bytes(n) = source.read(&mut buf, Some(Duration::from_millis(30))).unwrap() {
            all.extend_from_slice(&buf[..n]);
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn lines_are_not_torn_by_the_other_stream() {
        let Scene { mut source, mut out, mut err, alive } = scene();
        out.write_all(b"one\ntw").unwrap();
        assert_eq!(read_text(&mut source), "one\n");
        err.write_all(b"a panic\nand").unwrap();
        assert_eq!(read_text(&mut source), "a panic\n");
        out.write_all(b"o\n\nlast").unwrap();
        drop(out);
        assert_eq!(read_text(&mut source), "two\n\n");
        drop((err, alive));
        assert_eq!(read_text(&mut source), "last\nand\n");
        assert_eq!(source.read(&mut [0; 9], None).unwrap(), Read::End);
    }

    #[test]
    fn of_a_line_that_is_too_long_enough_is_kept_to_tell_and_nobody_waits_for_it() {
        let Scene { mut source, mut out, mut err, alive: _alive } = scene();
        for _ in 0..5 {
            out.write_all(&[b'x'; 60]).unwrap();
            err.write_all(b"e\n").unwrap();
            assert_eq!(read_text(&mut source), "e\n");
        }
        out.write_all(b"y\nnext\n").unwrap();
        assert_eq!(read_text(&mut source), "xxxxxxxxxxxx\nnext\n");
    }

    #[test]
    fn who_inherited_a_stream_is_heard_for_a_while() {
        let Scene { mut source, mut out, err, alive } = scene();
        drop((err, alive));
        out.write_all(b"late\nhal").unwrap();
        let begun = Instant::now();
        let mut all = read_text(&mut source);
        while source.read(&mut [0; 9], Some(Duration::ZERO)).unwrap() == Read::Idle {
            all.push_str(&read_text(&mut source));
        }
        assert_eq!(all, "late\nhal\n");
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(100) && took < Duration::from_secs(5), "{took:?}");
    }
}
