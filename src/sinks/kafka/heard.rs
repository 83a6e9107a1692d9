//! A producer, and the thread that hears its reports.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rdkafka::producer::BaseProducer;

use super::desk::Ear;

/// How long to listen at a time: so long an end waits at most. rdkafka waits whole milliseconds, and asks again
/// and again for what is left of one: with so little beyond them it is over when they are.
const LISTENS: Duration = Duration::from_micros(200_050);

/// A producer whose reports come in by themselves. Dropped, it gives up what is on its way, and tells of it.
///
/// rdkafka's own listens for 100 ms at a time, and spends the last of them asking: a hundredth of a core, for
/// nothing.
pub(super) struct Heard {
    producer: Arc<BaseProducer<Ear>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Heard {
    /// Has it heard from now on.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(super) fn new(producer: BaseProducer<Ear>) -> std::io::Result<Self> {
        let (producer, over) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let (heard, ends) = (producer.clone(), over.clone());
        let listen = move || {
            while !ends.load(Relaxed) {
                heard.poll(LISTENS);
            }
        };
        let thread = thread::Builder::new().name("reports".into()).spawn(listen)?;
        Ok(Self { producer, over, thread: Some(thread) })
    }
}

impl Deref for Heard {
    type Target = BaseProducer<Ear>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
