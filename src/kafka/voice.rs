//! Says what a cluster's faults are, and not again and again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, config::RDKafkaLogLevel, consumer::ConsumerContext, error::KafkaError,
    statistics::Statistics,
};

use super::{Cause, Fault, Vitals};
use crate::journal::{Event, Say};

/// The same is said again after so long.
const AGAIN: Duration = Duration::from_secs(60);

/// Who is told, and where it is counted.
#[derive(Clone)]
pub struct Voice {
    say: Say,
    said: Arc<Mutex<HashMap<String, Instant>>>,
    cause: Arc<Mutex<Option<Cause>>>,
    /// What is known of the member.
    pub vitals: Arc<Vitals>,
}

impl Voice {
    /// Tells by `say`, and counts in `vitals`.
    pub fn new(say: Say, vitals: Arc<Vitals>) -> Self {
        Self { say, said: Arc::default(), cause: Arc::default(), vitals }
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

    /// A line of librdkafka's log: why a broker is not reached stands there alone.
    pub fn heard(&self, about: &str, line: &str) {
        let told = if about == "FAIL" { Cause::of(line) } else { None };
        if let Some(cause) = told {
            *self.cause.lock().unwrap_or_else(PoisonError::into_inner) = told;
            self.say(&format!("kafka: {}; tried again", cause.text()));
        }
    }

    /// What was last heard of, if anything was.
    pub(super) fn cause(&self) -> Option<Cause> {
        *self.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Voice {
    fn log(&self, _: RDKafkaLogLevel, about: &str, line: &str) {
        self.heard(about, line);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, _: &str) {
        self.fault(&error);
    }
}

impl ConsumerContext for Voice {}
