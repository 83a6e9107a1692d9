//! Reports the errors of a cluster, without repetition.

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

use super::{Cause, Fault, Login, MemberStatus, Password};
use crate::journal::{Event, Fields, SayWith};

/// How long the same message is not repeated.
const AGAIN: Duration = Duration::from_secs(60);

/// Where errors are reported and counted.
#[derive(Clone)]
pub struct Reporter {
    say: SayWith,
    said: Arc<Mutex<HashMap<String, Instant>>>,
    lasting: Arc<Mutex<Option<String>>>,
    login: Option<Login>,
    /// The status of the member.
    pub member_status: Arc<MemberStatus>,
}

impl Reporter {
    /// Reports with `say`, and counts in `member_status`.
    pub fn new(say: SayWith, member_status: Arc<MemberStatus>) -> Self {
        let (said, lasting) = Default::default();
        Self { say, said, lasting, login: None, member_status }
    }

    /// Reports nothing.
    pub fn quiet() -> Self {
        Self::new(Arc::new(|_, _, _| ()), Arc::default())
    }

    /// Sets the credentials of this program, from which tokens are provided.
    pub fn with_login(self, login: Option<Login>) -> Self {
        Self { login, ..self }
    }

    /// Reports an event. The message may only contain codes and names.
    pub fn tell(&self, event: Event, what: &str) {
        self.tell_with(event, what, &[]);
    }

    /// Like [`Self::tell`], with fields.
    pub fn tell_with(&self, event: Event, what: &str, fields: Fields<'_>) {
        (self.say)(event, what, fields);
    }

    /// Reports an error of the cluster, unless it was reported recently. The message may only
    /// contain codes and names, no text that could be from a record.
    pub fn say(&self, what: &str) {
        self.say_with(what, &[]);
    }

    /// Like [`Self::say`], with fields.
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

    /// Reports an error of the cluster that is retried.
    pub fn fault(&self, error: &KafkaError) {
        self.member_status.count_error(Fault::Cluster);
        match error.rdkafka_error_code() {
            Some(code) => {
                let reason = [("reason", format!("{code:?}").into())];
                self.say_with(&format!("kafka: {code}; retrying"), &reason);
            }
            None => self.say("kafka: an error without a code; retrying"),
        }
    }

    /// Handles a line of librdkafka's log. Only the log says why a broker cannot be reached.
    pub fn log_line(&self, about: &str, line: &str) {
        let cause = Cause::of(line).filter(|_| ["FAIL", "SASLREFRESH"].contains(&about));
        if let Some(cause) = cause {
            self.report_cause(cause.text(), cause.lasts());
            let password = self.password().filter(|_| cause == Cause::Credentials);
            if password.is_some_and(Password::renew) {
                self.say("kafka: the password changed; retrying with the new one");
            }
        }
    }

    /// Returns the password, if there is one.
    pub(super) fn password(&self) -> Option<&Password> {
        match &self.login {
            Some(Login::Password(password)) => Some(password),
            _ => None,
        }
    }

    fn report_cause(&self, what: &str, lasts: bool) {
        if lasts {
            let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
            *lasting = Some(what.to_owned());
        }
        self.say(&format!("kafka: {what}; retrying"));
    }

    /// Returns the last cause for which retrying is useless.
    pub(super) fn lasting(&self) -> Option<String> {
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether this program authenticates with OAUTHBEARER.
    pub(super) fn has_tokens(&self) -> bool {
        matches!(self.login, Some(Login::Tokens(_)))
    }

    /// Returns a token for librdkafka, which tries again 10 s after a failure.
    ///
    /// # Errors
    /// There is no token. This was reported.
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
                self.report_cause(&format!("no token: {}", none.what), none.lasts);
                Err("no token".into())
            }
        }
    }
}

impl ClientContext for Reporter {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, about: &str, line: &str) {
        self.log_line(about, line);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, _: &str) {
        self.fault(&error);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.token()
    }
}

impl ConsumerContext for Reporter {}
