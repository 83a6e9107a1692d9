//! The admin server: the state of a run, for probes, scrapers and people.
//!
//! | path | response |
//! | --- | --- |
//! | `/health` | 200 as long as the process responds |
//! | `/ready` | 200 while it accepts events, else 503 and why |
//! | `/ready/deps` | each dependency is checked: 200, or 503 and why |
//! | `/metrics` | Prometheus format, or OpenMetrics if that is requested |
//! | `/version`, `/config` | the version and the configuration, with secrets masked |
//! | `/kafka/…` | accepts commands of an operator: see `orders` |
//!
//! It has a thread of its own, a limited number of connections, and a timeout for everything. An
//! idle connection cannot block a probe (see `connections`). A request from a web page that calls
//! the server by a name of its own is refused (see `host`).

mod connections;
mod host;
mod orders;
mod pages;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
};

use tokio::{runtime::Builder, sync::oneshot};

use crate::metrics::Format;
use connections::Limits;
use pages::routes;

/// Who has access.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The bearer token that all pages but `/health` and `/ready` require.
    pub token: Option<String>,
    /// Host names that the server accepts, in addition to `localhost` and IP addresses.
    pub hosts: Vec<String>,
}

/// The state of a run.
pub trait Status: Send + Sync + 'static {
    /// Returns whether the run accepts events, or why not.
    fn ready(&self) -> Result<(), String>;
    /// Checks each dependency, by name; the error says why it is not available. May block.
    fn dependencies(&self) -> Vec<(String, Result<(), String>)>;
    /// Returns the metrics.
    fn metrics(&self, format: Format) -> String;
    /// Returns the version.
    fn version(&self) -> String;
    /// Returns the effective configuration as TOML, with secrets masked.
    fn config(&self) -> String;
    /// Executes a command of an operator.
    fn order(&self, verb: &str, target: &str) -> Order {
        let _ = (verb, target);
        Order::Refused("this run reads no topics".into())
    }
}

/// The result of a command, with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// It was executed.
    Done(String),
    /// It cannot be parsed.
    Malformed(String),
    /// It was refused in the current state.
    Refused(String),
}

/// The running server, which stops when this is dropped.
pub struct Server {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `address`.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn start(address: SocketAddr, access: Access, status: Arc<dyn Status>) -> io::Result<Self> {
        Self::start_within(Limits::default(), address, access, status)
    }

    fn start_within(
        limits: Limits,
        address: SocketAddr,
        access: Access,
        status: Arc<dyn Status>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = {
            let _guard = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (end, ended) = oneshot::channel();
        let routes = routes(address, access, status);
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    () = connections::accept(listener, routes, limits) => {}
                }
            });
            // A dependency that hangs does not delay the end.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("admin".into()).spawn(work)?;
        Ok(Self { address, end: Some(end), thread: Some(thread) })
    }

    /// Returns the address where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpStream,
        time::Duration,
    };

    use super::*;

    struct Still(bool);

    impl Status for Still {
        fn ready(&self) -> Result<(), String> {
            if self.0 { Ok(()) } else { Err("draining".into()) }
        }
        fn dependencies(&self) -> Vec<(String, Result<(), String>)> {
            let other = if self.0 { Ok(()) } else { Err("no such folder".into()) };
            vec![("output".into(), Ok(())), ("data_dir".into(), other)]
        }
        fn metrics(&self, format: Format) -> String {
            format!("{format:?}")
        }
        fn version(&self) -> String {
            "{\"version\":\"1\"}".into()
        }
        fn config(&self) -> String {
            "version = 1\n".into()
        }
        fn order(&self, verb: &str, target: &str) -> Order {
            Order::Done(format!("{verb} {target}"))
        }
    }

    /// Connects with timeouts.
    fn connected(server: &Server) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", server.address().port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    fn get(server: &Server, path: &str, headers: &str) -> String {
        let mut stream = connected(server);
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn start(ready: bool, token: Option<&str>) -> Server {
        start_within(Limits::default(), ready, token)
    }

    fn start_within(limits: Limits, ready: bool, token: Option<&str>) -> Server {
        let loopback = "127.0.0.1:0".parse().unwrap();
        let access = Access { token: token.map(str::to_owned), hosts: vec!["tamis.svc".into()] };
        Server::start_within(limits, loopback, access, Arc::new(Still(ready))).unwrap()
    }

    #[test]
    fn probes_and_pages() {
        let server = start(true, None);
        assert!(get(&server, "/health", "").starts_with("HTTP/1.1 200 OK"));
        assert!(get(&server, "/ready", "").ends_with("\r\n\r\nready\n"));
        assert!(get(&server, "/ready/deps", "").ends_with("output: ok\ndata_dir: ok\n"));
        assert!(get(&server, "/version", "").contains("application/json"));
        assert!(get(&server, "/config", "").ends_with("version = 1\n"));
        assert!(get(&server, "/metrics", "").ends_with("Prometheus"));
        let accept = "Accept: application/openmetrics-text;version=1.0.0\r\n";
        assert!(get(&server, "/metrics", accept).ends_with("OpenMetrics"));
        assert!(get(&server, "/nothing", "").starts_with("HTTP/1.1 404"));
        let server = start(false, None);
        let answer = get(&server, "/ready", "");
        assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("draining\n"), "{answer}");
        let answer = get(&server, "/ready/deps", "");
        assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("no such folder\n"));
    }

    #[test]
    fn a_token_guards_all_but_the_probes() {
        let server = start(true, Some("secret"));
        for open in ["/health", "/ready"] {
            assert!(get(&server, open, "").starts_with("HTTP/1.1 200"));
        }
        for guarded in ["/ready/deps", "/metrics", "/version", "/config"] {
            assert!(get(&server, guarded, "").starts_with("HTTP/1.1 401"));
            let wrong = "Authorization: Bearer secres\r\n";
            assert!(get(&server, guarded, wrong).starts_with("HTTP/1.1 401"));
            let right = "Authorization: Bearer secret\r\n";
            assert!(get(&server, guarded, right).starts_with("HTTP/1.1 200"));
        }
    }

    fn order(server: &Server, headers: &str) -> String {
        let mut stream = connected(server);
        let request = format!(
            "POST /kafka/pause HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
             Content-Length: 1\r\n\r\nt"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn orders_want_a_token_or_come_from_this_machine() {
        let server = start(true, None);
        let answer = order(&server, "");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("pause t\n"), "{answer}");
        assert!(order(&server, "Origin: http://x\r\n").starts_with("HTTP/1.1 403"));
        assert!(get(&server, "/kafka/pause", "").starts_with("HTTP/1.1 405"));
        let server = start(true, Some("secret"));
        assert!(order(&server, "").starts_with("HTTP/1.1 401"));
        assert!(order(&server, "Authorization: Bearer secret\r\n").starts_with("HTTP/1.1 200"));
        let anywhere = "0.0.0.0:0".parse().unwrap();
        let server = Server::start(anywhere, Access::default(), Arc::new(Still(true))).unwrap();
        let answer = order(&server, "");
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("--admin-token-file"));
    }

    /// The limits for idle connections are longer than any test.
    const PATIENT: Limits =
        Limits { connections: 8, head: Duration::from_secs(3600), life: Duration::from_secs(3600) };

    #[test]
    fn who_says_nothing_keeps_no_probe_out() {
        for token in [None, Some("secret")] {
            let server = start_within(PATIENT, true, token);
            let mut silent = Vec::new();
            // More than the limit: half of them send nothing, half the beginning of a request.
            for i in 0..10 * PATIENT.connections {
                let mut stream = connected(&server);
                if i % 2 == 0 {
                    stream.write_all(b"GET /health HTTP/1.1\r\nHost: loc").unwrap();
                }
                silent.push(stream);
                for probe in ["/health", "/ready"] {
                    let answer = get(&server, probe, "");
                    assert!(answer.starts_with("HTTP/1.1 200"), "{i}: {answer}");
                }
            }
            drop(silent);
        }
    }

    #[test]
    fn who_was_let_in_stays_where_strangers_go() {
        let server = start_within(PATIENT, true, Some("secret"));
        let mut known = connected(&server);
        let mut ask = || {
            let request = "GET /version HTTP/1.1\r\nHost: localhost\r\n\
                           Authorization: Bearer secret\r\n\r\n";
            known.write_all(request.as_bytes()).unwrap();
            let mut answer = [0; 1024];
            let read = known.read(&mut answer).unwrap();
            String::from_utf8_lossy(&answer[..read]).into_owned()
        };
        assert!(ask().starts_with("HTTP/1.1 200"));
        let strangers: Vec<_> = (0..2 * PATIENT.connections).map(|_| connected(&server)).collect();
        assert!(get(&server, "/health", "").starts_with("HTTP/1.1 200"));
        assert!(ask().starts_with("HTTP/1.1 200"));
        drop(strangers);
    }

    #[test]
    fn a_name_that_is_not_the_servers_is_refused() {
        let server = start(true, None);
        let ask = |path: &str, host: &str| {
            let mut stream = connected(&server);
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        for path in ["/health", "/ready", "/ready/deps", "/metrics", "/version", "/config", "/x"] {
            for foreign in ["evil.example", "evil.example:9600", "127.0.0.1.evil.example"] {
                let answer = ask(path, foreign);
                assert!(answer.starts_with("HTTP/1.1 403"), "{path} {foreign}: {answer}");
                assert!(answer.contains("admin_hosts") && !answer.contains("evil"), "{answer}");
            }
            for own in ["127.0.0.1", "[::1]:9600", "localhost:1", "tamis.svc:9600"] {
                assert!(!ask(path, own).starts_with("HTTP/1.1 403"), "{path} {own}");
            }
        }
    }
}
