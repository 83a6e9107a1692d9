//! Says what a cluster's faults are, and not again and again.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, client::OAuthToken, config::RDKafkaLogLevel, consumer::ConsumerContext,
    error::KafkaError, statistics::Statistics,
};

use super::{Cause, Fault, Login, Password, Vitals};
use crate::journal::{Event, Fields, SayWith};

/// The same is said again after so long.
const AGAIN: Duration = Duration::from_secs(60);

/// Who is told, and where it is counted.
#[derive(Clone)]
pub struct Voice {
    say: SayWith,
    said: Arc<Mutex<HashMap<String, Instant>>>,
    lasting: Arc<Mutex<Option<String>>>,
    login: Option<Login>,
    /// What is known of the member.
    pub vitals: Arc<Vitals>,
}

impl Voice {
    /// Tells by `say`, and counts in `vitals`.
    pub fn new(say: SayWith, vitals: Arc<Vitals>) -> Self {
        let (said, lasting) = Default::default();
        Self { say, said, lasting, login: None, vitals }
    }

    /// Tells nobody.
    pub fn quiet() -> Self {
        Self::new(Arc::new(|_, _, _| ()), Arc::default())
    }

    /// What the program is known by: who asks for tokens gets them from there.
    pub fn with_login(self, login: Option<Login>) -> Self {
        Self { login, ..self }
    }

    /// Tells what happened. Only codes and names go in here.
    pub fn tell(&self, event: Event, what: &str) {
        self.tell_with(event, what, &[]);
    }

    /// The same with fields.
    pub fn tell_with(&self, event: Event, what: &str, fields: Fields<'_>) {
        (self.say)(event, what, fields);
    }

    /// Says it, unless it was said lately. Only codes and names go in here, no text that a record
    /// could be in.
    pub fn say(&self, what: &str) {
        self.say_with(what, &[]);
    }

    /// The same with fields.
    fn say_with(&self, what: &str, fields: Fields<'_>) {
        let now = Instant::now();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let last = said.get(what).copied();
        if last.is_none_or(|last| now.duration_since(last) >= AGAIN) {
            said.insert(what.to_owned(), now);
            drop(said);
            self.tell_with(Event::ClusterFault, what, fields);
        }
    }

    /// Says that the cluster has a fault, and that it is tried again.
    pub fn fault(&self, error: &KafkaError) {
        self.vitals.erred(Fault::Cluster);
        match error.rdkafka_error_code() {
            Some(code) => {
                let reason = [("reason", format!("{code:?}").into())];
                self.say_with(&format!("kafka: {code}; retrying"), &reason);
            }
            None => self.say("kafka: an error without a code; retrying"),
        }
    }

    /// A line of librdkafka's log: why a broker is not reached stands there alone.
    pub fn heard(&self, about: &str, line: &str) {
        let cause = Cause::of(line).filter(|_| ["FAIL", "SASLREFRESH"].contains(&about));
        if let Some(cause) = cause {
            self.hears(cause.text(), cause.lasts());
            let password = self.password().filter(|_| cause == Cause::Credentials);
            if password.is_some_and(Password::renew) {
                self.say("kafka: the password changed; retrying with the new one");
            }
        }
    }

    /// The password, if there is one.
    pub(super) fn password(&self) -> Option<&Password> {
        match &self.login {
            Some(Login::Password(password)) => Some(password),
            _ => None,
        }
    }

    fn hears(&self, what: &str, lasts: bool) {
        if lasts {
            let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
            *lasting = Some(what.to_owned());
        }
        self.say(&format!("kafka: {what}; retrying"));
    }

    /// What was heard of last, of what it is no use to try again after.
    pub(super) fn lasting(&self) -> Option<String> {
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether OAUTHBEARER is how this program is known.
    pub(super) fn has_tokens(&self) -> bool {
        matches!(self.login, Some(Login::Tokens(_)))
    }

    /// A token, for librdkafka, which tries again 10 s after there was none.
    ///
    /// # Errors
    /// There is none, which was said.
    pub fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let Some(Login::Tokens(tokens)) = &self.login else {
            return Err("the configuration uses no tokens".into());
        };
        match tokens.get() {
            Ok(token) => Ok(OAuthToken {
                token: token.text,
                principal_name: "tamis".into(),
                lifetime_ms: i64::try_from(token.until)?,
            }),
            Err(none) => {
                self.hears(&format!("no token: {}", none.what), none.lasts);
                Err("no token".into())
            }
        }
    }
}

impl ClientContext for Voice {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, about: &str, line: &str) {
        self.heard(about, line);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, _: &str) {
        self.fault(&error);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.token()
    }
}

impl ConsumerContext for Voice {}
