//! Says what a cluster's faults are, and not again and again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, consumer::ConsumerContext, error::KafkaError, statistics::Statistics,
};

/// The same is said again after so long.
const AGAIN: Duration = Duration::from_secs(60);

/// Who is told.
#[derive(Clone)]
pub struct Voice {
    say: Arc<dyn Fn(&str) + Send + Sync>,
    said: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Voice {
    /// Tells by `say`.
    pub fn new(say: Arc<dyn Fn(&str) + Send + Sync>) -> Self {
        Self { say, said: Arc::default() }
    }

    /// Says it, unless it was said lately. Only codes and names go in here, no text that a record
    /// could be in.
    pub fn say(&self, what: &str) {
        let now = Instant::now();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let last = said.get(what).copied();
        if last.is_none_or(|last| now.duration_since(last) >= AGAIN) {
            said.insert(what.to_owned(), now);
            drop(said);
            (self.say)(what);
        }
    }

    /// Says that the cluster has a fault, and that it is tried again.
    pub fn fault(&self, error: &KafkaError) {
        match error.rdkafka_error_code() {
            Some(code) => self.say(&format!("kafka: {code}; tried again")),
            None => self.say("kafka: an error without a code; tried again"),
        }
    }
}

impl ClientContext for Voice {
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, _: &str) {
        self.fault(&error);
    }
}

impl ConsumerContext for Voice {}
