//! In-memory sources, workers and sinks, as slow or as broken as a test wants them.

use std::{
    collections::VecDeque,
    io,
    mem::{Discriminant, discriminant},
    sync::{Arc, Mutex, MutexGuard},
    thread::sleep,
    time::{Duration, Instant},
};

use tamis::{
    engine::{Chunk, Payload},
    pipeline::{
        self, Budget, EngineReason, Input, Inputs, Observer, Outlets, Output, Pipeline, Place,
        Read, Reason, Reject, RejectSink, Report, Sink, Sizes, Source, Worker, budget::Demand,
    },
    shutdown::{Phase, Shutdown},
};

/// What a scripted source does next.
pub(crate) enum Act {
    Bytes(Vec<u8>),
    Pause(Duration),
    Fail,
    /// Somebody asks for the end.
    Stop,
    /// Does not come back.
    Hang,
}

/// A source that follows a script, at most `step` bytes a read.
pub(crate) struct Script {
    pub(crate) acts: VecDeque<Act>,
    pub(crate) step: usize,
    /// Bytes handed out so far.
    pub(crate) given: Arc<Mutex<usize>>,
    pub(crate) shutdown: Option<Shutdown>,
    /// It is a file.
    pub(crate) finite: bool,
}

impl Script {
    pub(crate) fn new(acts: impl IntoIterator<Item = Act>, step: usize) -> Self {
        Self {
            acts: acts.into_iter().collect(),
            step,
            given: Arc::default(),
            shutdown: None,
            finite: false,
        }
    }

    pub(crate) fn bytes(data: &[u8], step: usize) -> Self {
        Self::new([Act::Bytes(data.to_vec())], step)
    }
}

impl Source for Script {
    fn read(&mut self, buf: &mut [u8], wait: Option<Duration>) -> io::Result<Read> {
        match self.acts.pop_front() {
            None => Ok(Read::End),
            Some(Act::Fail) => Err(io::Error::other("the disk is gone")),
            Some(Act::Stop) => {
                let shutdown = self.shutdown.as_ref().unwrap();
                shutdown.request();
                shutdown.request();
                Ok(Read::Idle)
            }
            Some(Act::Hang) => {
                sleep(Duration::from_secs(600));
                Ok(Read::Idle)
            }
            Some(Act::Pause(pause)) => {
                let now = wait.map_or(pause, |wait| wait.min(pause));
                let (started, stage) = (Instant::now(), self.stage());
                // A shutdown that moves on wakes a source.
                while started.elapsed() < now && self.stage() == stage {
                    sleep(Duration::from_millis(1).min(now));
                }
                if let Some(left) = pause.checked_sub(started.elapsed()) {
                    self.acts.push_front(Act::Pause(left));
                }
                Ok(Read::Idle)
            }
            Some(Act::Bytes(mut data)) => {
                let n = self.step.min(buf.len()).min(data.len());
                buf[..n].copy_from_slice(&data[..n]);
                *self.given.lock().unwrap() += n;
                let rest = data.split_off(n);
                if !rest.is_empty() {
                    self.acts.push_front(Act::Bytes(rest));
                }
                Ok(if n == 0 { Read::Idle } else { Read::Bytes(n) })
            }
        }
    }
}

impl Script {
    fn stage(&self) -> Option<Discriminant<Phase>> {
        self.shutdown.as_ref().map(|s| discriminant(&s.phase()))
    }
}

/// A worker that forwards what starts with `{`, rejects what holds `bad`, and can dawdle.
pub(crate) struct Clerk {
    pub(crate) max_event_bytes: usize,
    /// How long a chunk takes, by the first digit in it.
    pub(crate) dawdle: fn(&[u8]) -> Duration,
    pub(crate) largest_chunk: Arc<Mutex<usize>>,
    /// One takes long.
    pub(crate) judging: Arc<Mutex<bool>>,
}

impl Clerk {
    pub(crate) fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            dawdle: |_| Duration::ZERO,
            largest_chunk: Arc::default(),
            judging: Arc::default(),
        }
    }
}

impl Worker for Clerk {
    fn process(&mut self, chunk: &Chunk, out: &mut Output) {
        let pause = (self.dawdle)(chunk.data());
        *self.judging.lock().unwrap() |= pause > Duration::from_secs(60);
        sleep(pause);
        let mut largest = self.largest_chunk.lock().unwrap();
        *largest = chunk.memory().max(*largest);
        let mut offset = 0;
        for (number, line) in chunk.data().split_inclusive(|&b| b == b'\n').enumerate() {
            let text = line.strip_suffix(b"\n").unwrap();
            out.tally.read += 1;
            if text.is_empty() {
                out.tally.blank += 1;
            } else if text == b"{\"panic\":1}" {
                panic!("secret text");
            } else if let Some(reason) = self.reason(text) {
                let from = out.bodies.len();
                out.bodies.extend_from_slice(b"{x}");
                out.tally.rejected[reason.index()] += 1;
                out.rejects.push(Reject {
                    reason,
                    line: number as u32,
                    offset: offset as u32,
                    len: text.len() as u32,
                    pointer: String::new(),
                    missing: String::new(),
                    detail: None,
                    at: 0,
                    payload: Payload::Shape,
                    body: from..out.bodies.len(),
                    joined: Vec::new(),
                    route: 0,
                });
            } else {
                out.tally.clean += 1;
                out.clean.extend_from_slice(line);
            }
            offset += line.len();
        }
    }
}

impl Clerk {
    fn reason(&self, text: &[u8]) -> Option<Reason> {
        if text.len() > self.max_event_bytes {
            Some(Reason::Judged(EngineReason::Oversize))
        } else if text.windows(3).any(|w| w == b"bad") {
            Some(Reason::Judged(EngineReason::Syntax))
        } else {
            None
        }
    }
}

/// What a run wrote, seen from outside.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Everything>>);

#[derive(Default)]
pub(crate) struct Everything {
    pub(crate) clean: Vec<u8>,
    /// When each write came, and how much there was afterwards.
    pub(crate) writes: Vec<(Instant, usize)>,
    pub(crate) letters: Vec<(String, u64, u64, u64, &'static str)>,
    pub(crate) notices: Vec<String>,
    pub(crate) failed_inputs: Vec<String>,
    pub(crate) letters_fail: bool,
    pub(crate) finished: bool,
    pub(crate) aborted: bool,
}

impl Seen {
    pub(crate) fn get(&self) -> MutexGuard<'_, Everything> {
        self.0.lock().unwrap()
    }
}

/// A sink that dawdles, and fails when it has taken enough.
pub(crate) struct Tray {
    pub(crate) seen: Seen,
    pub(crate) dawdle: Duration,
    pub(crate) fails_at: Option<(usize, io::ErrorKind)>,
    pub(crate) panics: bool,
    pub(crate) taken: usize,
}

impl Sink for Tray {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        sleep(self.dawdle);
        assert!(!self.panics, "a bug in a sink");
        let mut seen = self.seen.get();
        if let Some((at, kind)) = self.fails_at
            && seen.clean.len() + bytes.len() > at
        {
            // As a disk does, it takes what there is room for.
            self.taken = at - seen.clean.len();
            seen.clean.extend_from_slice(&bytes[..self.taken]);
            return Err(kind.into());
        }
        seen.clean.extend_from_slice(bytes);
        let so_far = seen.clean.len();
        seen.writes.push((Instant::now(), so_far));
        Ok(())
    }

    fn taken(&self) -> usize {
        self.taken
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.seen.get().finished = true;
        Ok(())
    }

    fn abort(&mut self) {
        self.seen.get().aborted = true;
    }
}

impl RejectSink for Seen {
    fn takes(&self, _: &Reject) -> bool {
        true
    }

    fn write(&mut self, letter: &pipeline::Letter<'_>) -> io::Result<()> {
        let pipeline::Letter { place, reject, body, .. } = letter;
        assert!(*body == b"{x}" || reject.reason == Reason::Poison);
        let Place { input, line, offset, length } = *place;
        let letter = (input.to_string(), line, offset, length, reject.reason.word());
        if self.get().letters_fail {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.get().letters.push(letter);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Observer for Seen {
    fn rejected(&self, place: &Place<'_>, reject: &Reject, kept: bool) {
        let word = reject.reason.word();
        let notice = format!("{}:{} {word} {kept}", place.input, place.line);
        self.get().notices.push(notice);
    }

    fn input_failed(&self, input: &str, error: &io::Error) {
        self.get().failed_inputs.push(format!("{input}: {error}"));
    }
}

/// A pipeline over stand-ins; a test changes what it is about.
pub(crate) struct Bench {
    pub(crate) sizes: Sizes,
    pub(crate) threads: usize,
    pub(crate) inputs: Vec<(&'static str, Script)>,
    pub(crate) tray: Tray,
    pub(crate) dead_letter: bool,
    pub(crate) dawdle: fn(&[u8]) -> Duration,
    pub(crate) shutdown: Shutdown,
    pub(crate) seen: Seen,
    pub(crate) largest_chunk: Arc<Mutex<usize>>,
    pub(crate) judging: Arc<Mutex<bool>>,
}

impl Bench {
    pub(crate) fn new(inputs: impl IntoIterator<Item = (&'static str, Script)>) -> Self {
        let seen = Seen::default();
        Self {
            sizes: Sizes { chunk_bytes: 64, ..Sizes::new(1 << 20) },
            threads: 2,
            inputs: inputs.into_iter().collect(),
            tray: Tray {
                seen: seen.clone(),
                dawdle: Duration::ZERO,
                fails_at: None,
                panics: false,
                taken: 0,
            },
            dead_letter: false,
            dawdle: |_| Duration::ZERO,
            shutdown: Shutdown::new(Duration::from_secs(60)).unwrap(),
            seen,
            largest_chunk: Arc::default(),
            judging: Arc::default(),
        }
    }

    pub(crate) fn budget(&self) -> Budget {
        let demand = Demand::of_lines(&self.sizes, self.threads, self.dead_letter, 0, |_| 0);
        Budget::fit(self.sizes, demand, None).unwrap()
    }

    pub(crate) fn run(self) -> Report {
        let workers = (0..self.threads).map(|_| Clerk {
            dawdle: self.dawdle,
            largest_chunk: self.largest_chunk.clone(),
            judging: self.judging.clone(),
            ..Clerk::new(self.sizes.max_event_bytes)
        });
        let workers = workers.collect();
        let pipeline = Pipeline {
            framing: None,
            budget: self.budget(),
            inputs: Inputs::InTurn(
                self.inputs
                    .into_iter()
                    .map(|(name, script)| {
                        let (name, finite) = (name.into(), script.finite);
                        Input { name, source: Box::new(script), finite }
                    })
                    .collect(),
            ),
            outlets: Outlets {
                sink: Box::new(self.tray),
                dead_letter: self
                    .dead_letter
                    .then(|| Box::new(self.seen.clone()) as Box<dyn RejectSink>),
            },
            observer: Arc::new(self.seen),
            meters: Arc::default(),
            shutdown: self.shutdown,
        };
        pipeline.run(workers)
    }
}
