//! Why a broker cannot be reached, according to librdkafka's log. The log line itself is never
//! shown, because it can contain anything.

/// Why a broker cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// No broker listens at the address.
    Refused,
    /// The host is unknown.
    Host,
    /// The broker uses TLS and this program does not (`false`), or the other way round (`true`).
    Tls(bool),
    /// The broker's certificate is not trusted.
    Untrusted,
    /// The broker requires a client certificate, or a different one.
    Certificate,
    /// The broker requires authentication.
    Anonymous,
    /// The broker rejected the user or the password.
    Credentials,
    /// The broker rejected the token.
    Token,
    /// The broker does not support the mechanism.
    Mechanism,
    /// There is no Kerberos ticket.
    Ticket,
}

/// Parts of log lines and their causes; the first match applies.
const KNOWN: &[(&str, Cause)] = &[
    ("mechanism handshake failed", Cause::Mechanism),
    ("Kerberos ticket refresh failed", Cause::Ticket),
    ("GSSAPI Error", Cause::Ticket),
    ("invalid_token", Cause::Token),
    ("SASL authentication error", Cause::Credentials),
    ("broker might require SASL authentication", Cause::Anonymous),
    ("connecting to a SSL listener?", Cause::Tls(false)),
    ("connecting to a PLAINTEXT broker listener?", Cause::Tls(true)),
    ("wrong version number", Cause::Tls(true)),
    ("packet length too long", Cause::Tls(true)),
    ("certificate verify failed", Cause::Untrusted),
    ("alert bad certificate", Cause::Certificate),
    ("alert certificate", Cause::Certificate),
    ("alert unknown ca", Cause::Certificate),
    ("alert unsupported certificate", Cause::Certificate),
    ("client SSL authentication might be required", Cause::Certificate),
    ("Failed to resolve", Cause::Host),
    ("Connection refused", Cause::Refused),
];

impl Cause {
    /// Returns the cause that a line of librdkafka's log reports.
    pub(super) fn of(line: &str) -> Option<Self> {
        let known = KNOWN.iter().find(|(part, _)| line.contains(part));
        known.map(|(_, cause)| *cause)
    }

    /// Returns whether retrying is useless.
    pub(super) fn lasts(self) -> bool {
        match self {
            Self::Untrusted
            | Self::Certificate
            | Self::Credentials
            | Self::Token
            | Self::Mechanism => true,
            // The servers that issue tickets may be unreachable.
            Self::Refused | Self::Host | Self::Tls(_) | Self::Anonymous | Self::Ticket => false,
        }
    }

    /// Describes the cause, and the keys that fix it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Refused => "no broker listens at one of the addresses in kafka.brokers",
            Self::Host => {
                "unknown host: check kafka.brokers, and the advertised listeners of the brokers"
            }
            Self::Tls(false) => "a broker closed the connection; it may require TLS: see kafka.tls",
            Self::Tls(true) => {
                "a broker does not use TLS on this port: remove kafka.tls, or use another port in \
                 kafka.brokers"
            }
            Self::Untrusted => {
                "a broker's certificate is not trusted, has expired, or is for another name: \
                 kafka.tls.ca must contain the authority that signed it, and kafka.brokers the \
                 names that it was issued for"
            }
            Self::Certificate => {
                "a broker requires a client certificate that it trusts: see kafka.tls.certificate \
                 and kafka.tls.key"
            }
            Self::Anonymous => {
                "a broker closed the connection; it may require authentication: see kafka.sasl"
            }
            Self::Credentials => {
                "a broker rejected the user or the password: see kafka.sasl.user and \
                 kafka.sasl.password_file"
            }
            Self::Token => {
                "a broker rejected the token: compare kafka.sasl with what the broker expects"
            }
            Self::Mechanism => "a broker does not support this mechanism: see kafka.sasl.mechanism",
            Self::Ticket => {
                "no Kerberos ticket for the broker: check kafka.sasl.principal, .keytab and \
                 .service; `kinit -k -t KEYTAB PRINCIPAL` shows why"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cause;

    #[test]
    fn the_log_is_told_in_words_of_this_program() {
        for (line, cause) in [
            (
                "ssl://k1:9093/bootstrap: SSL handshake failed: error:0A000086:SSL \
                 routines::certificate verify failed: broker certificate could not be verified",
                Cause::Untrusted,
            ),
            (
                "ssl://k1:9093/bootstrap: Receive failed: error:0A000412:SSL routines::ssl/tls \
                 alert \
                 bad certificate: SSL alert number 42 (after 5ms in state APIVERSION_QUERY)",
                Cause::Certificate,
            ),
            ("k1:1: Connect to ipv4#10.0.0.1:1 failed: Connection refused", Cause::Refused),
            (
                "Kerberos ticket refresh failed: kinit -t \"/k\" -k p: exited with code 1",
                Cause::Ticket,
            ),
        ] {
            assert_eq!(Cause::of(line), Some(cause));
        }
        assert_eq!(Cause::of("k1:9092: Disconnected (after 60000ms in state UP)"), None);
    }
}
