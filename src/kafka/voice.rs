//! Says what a cluster's faults are, and not again and again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, consumer::ConsumerContext, error::KafkaError, statistics::Statistics,
};

use super::{Fault, Vitals};
use crate::journal::{Event, Say};

/// The same is said again after so long.
const AGAIN: Duration = Duration::from_secs(60);

/// Who is told, and where it is counted.
#[derive(Clone)]
pub struct Voice {
    say: Say,
    said: Arc<Mutex<HashMap<String, Instant>>>,
    /// What is known of the member.
    pub vitals: Arc<Vitals>,
}

impl Voice {
    /// Tells by `say`, and counts in `vitals`.
    pub fn new(say: Say, vitals: Arc<Vitals>) -> Self {
        Self { say, said: Arc::default(), vitals }
    }

    /// Tells nobody.
    pub fn quiet() -> Self {
        Self::new(Arc::new(|_, _| ()), Arc::default())
    }

    /// Tells what happened. Only codes and names go in here.
    pub fn tell(&self, event: Event, what: &str) {
        (self.say)(event, what);
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
            self.tell(Event::ClusterFault, what);
        }
    }

    /// Says that the cluster has a fault, and that it is tried again.
    pub fn fault(&self, error: &KafkaError) {
        self.vitals.erred(Fault::Cluster);
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
