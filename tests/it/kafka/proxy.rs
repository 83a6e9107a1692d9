//! A proxy between a program and its broker, which cuts a call in two: the broker has the request, and
//! nobody has its answer; or the broker has the request too late.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, Ordering::SeqCst},
    },
    thread::{self, sleep},
    time::Duration,
};

use super::broker::{Broker, own_proxied, runs};

/// The requests of Kafka's protocol that a test cuts, by their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    AddOffsetsToTxn = 25,
    EndTxn = 26,
    TxnOffsetCommit = 28,
}

/// When the broker is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// As soon as it has the request: what becomes of that is its own affair.
    Asked,
    /// When it has answered; the answer is lost.
    Answered,
    /// It is not: it has the request when a transaction of that time is too old.
    Late,
}

/// A transaction lives for 15 s, and its coordinator looks every 10 s.
pub(super) const TOO_LATE: Duration = Duration::from_secs(30);
/// No request has this number.
const NONE: i32 = i32::MIN;

struct Shared {
    dir: PathBuf,
    /// The next cut, and how often it happened.
    armed: Mutex<Option<(Api, When)>>,
}

/// A broker of a test's own, its address for a test, and its address behind the proxy.
pub(super) struct Proxied {
    pub(super) broker: Broker,
    pub(super) behind: Broker,
    port: u16,
    shared: Arc<Shared>,
}

impl Proxied {
    pub(super) fn start(folder: &Path) -> Option<Self> {
        let (broker, port) = own_proxied(folder)?;
        let behind = Broker { address: format!("127.0.0.1:{}", port + 3) };
        let listener = TcpListener::bind(&behind.address).unwrap();
        let dir = folder.join("broker");
        let shared = Arc::new(Shared { dir, armed: Mutex::default() });
        let serving = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(broker) = TcpStream::connect(("127.0.0.1", port + 2)) else { continue };
                serve(client, broker, &serving);
            }
        });
        Some(Self { broker, behind, port, shared })
    }

    /// The next request of this kind is the broker's last.
    pub(super) fn arm(&self, api: Api, when: When) {
        *self.shared.armed.lock().unwrap() = Some((api, when));
    }

    /// Whether that happened.
    pub(super) fn is_cut(&self) -> bool {
        self.shared.armed.lock().unwrap().is_none()
    }

    pub(super) fn up(&self) {
        assert!(runs(&["up", self.dir(), &self.port.to_string()]));
    }

    fn dir(&self) -> &str {
        self.shared.dir.to_str().unwrap()
    }
}

/// Passes on what both have to say, until one hangs up.
fn serve(client: TcpStream, broker: TcpStream, shared: &Arc<Shared>) {
    let withheld = Arc::new(AtomicI32::new(NONE));
    let [one, other] = [(); 2].map(|()| (shared.clone(), withheld.clone()));
    let both = || (client.try_clone().unwrap(), broker.try_clone().unwrap());
    let ((mut from, mut to), (mut back, mut answers)) = (both(), both());
    thread::spawn(move || {
        let _ = ask(&mut from, &mut to, &one.0, &one.1);
        let _ = to.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let _ = answer(&mut answers, &mut back, &other.0, &other.1);
        let _ = back.shutdown(Shutdown::Both);
    });
}

/// A request or an answer, as it is on the wire.
fn frame(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let size = u32::from_be_bytes(length) as usize;
    let mut frame = length.to_vec();
    frame.resize(4 + size, 0);
    from.read_exact(&mut frame[4..])?;
    Ok(frame)
}

fn number(frame: &[u8], at: usize) -> i32 {
    frame.get(at..at + 4).map_or(NONE, |bytes| i32::from_be_bytes(bytes.try_into().unwrap()))
}

fn ask(
    client: &mut TcpStream,
    broker: &mut TcpStream,
    shared: &Shared,
    withheld: &AtomicI32,
) -> io::Result<()> {
    loop {
        let frame = frame(client)?;
        let api = i16::from_be_bytes([frame[4], frame[5]]);
        let mut armed = shared.armed.lock().unwrap();
        let cut = armed.filter(|(wanted, _)| *wanted as i16 == api).map(|(_, when)| when);
        if cut == Some(When::Answered) {
            withheld.store(number(&frame, 8), SeqCst);
        }
        if cut == Some(When::Late) {
            *armed = None;
            drop(armed);
            sleep(TOO_LATE);
            broker.write_all(&frame)?;
            continue;
        }
        broker.write_all(&frame)?;
        if cut == Some(When::Asked) {
            kill(shared);
            *armed = None;
        }
    }
}

fn answer(
    broker: &mut TcpStream,
    client: &mut TcpStream,
    shared: &Shared,
    withheld: &AtomicI32,
) -> io::Result<()> {
    loop {
        let frame = frame(broker)?;
        if withheld.load(SeqCst) == number(&frame, 4) {
            let mut armed = shared.armed.lock().unwrap();
            if armed.is_some() {
                kill(shared);
                *armed = None;
                return Ok(());
            }
        }
        client.write_all(&frame)?;
    }
}

/// At once: to start a script takes longer than a broker takes for a transaction.
fn kill(shared: &Shared) {
    let pid = std::fs::read_to_string(shared.dir.join("pid")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    // Until it is gone.
    assert!(runs(&["kill", shared.dir.to_str().unwrap()]));
}
