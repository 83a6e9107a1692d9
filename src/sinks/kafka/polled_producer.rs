//! A producer, and the thread that polls it.

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

use super::delivery_reports::ClientCallbacks;

/// The duration of a poll, and so the maximum delay of a shutdown. rdkafka waits for whole
/// milliseconds, and polls in a loop for the rest; with this small rest there is no loop.
const LISTENS: Duration = Duration::from_micros(200_050);

/// A producer that is polled by a thread. When it is dropped, the records in flight are given up
/// and reported.
///
/// rdkafka's own threaded producer polls for 100 ms at a time, and spends the last of them in a
/// loop: 1 % of a core for nothing.
pub(super) struct PolledProducer {
    producer: Arc<BaseProducer<ClientCallbacks>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl PolledProducer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn new(producer: BaseProducer<ClientCallbacks>) -> std::io::Result<Self> {
        let (producer, over) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let (polled, ends) = (producer.clone(), over.clone());
        let listen = move || {
            while !ends.load(Relaxed) {
                polled.poll(LISTENS);
            }
        };
        let thread = thread::Builder::new().name("reports".into()).spawn(listen)?;
        Ok(Self { producer, over, thread: Some(thread) })
    }
}

impl Deref for PolledProducer {
    type Target = BaseProducer<ClientCallbacks>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl Drop for PolledProducer {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
