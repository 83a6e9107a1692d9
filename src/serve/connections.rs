//! A limited number of connections, with room for one more at any time.
//!
//! An idle connection could occupy a slot that a probe needs. So if all slots are taken, the oldest
//! connection without an authorized request is closed, or else the oldest.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, yield_now},
    time::{sleep, timeout},
};

/// The limits of connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The maximum number of connections.
    pub(super) connections: usize,
    /// How long the head of a request may take.
    pub(super) head: Duration,
    /// The maximum duration of a connection.
    pub(super) life: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let (head, life) = (Duration::from_secs(5), Duration::from_secs(60));
        Self { connections: 128, head, life }
    }
}

/// The delay before accepting again after an error.
const PAUSE: Duration = Duration::from_millis(50);

/// Whether a connection has made an authorized request.
#[derive(Debug, Clone, Default)]
pub(super) struct Admitted(Arc<AtomicBool>);

impl Admitted {
    pub(super) fn admit(&self) {
        self.0.store(true, Relaxed);
    }

    fn is(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// The open connections, the oldest first.
#[derive(Default)]
struct Open(VecDeque<(AbortHandle, Admitted)>);

impl Open {
    /// Makes room for one more.
    fn make_room(&mut self, limits: Limits) {
        self.0.retain(|(task, _)| !task.is_finished());
        if self.0.len() >= limits.connections {
            self.close_one();
        }
    }

    fn close_one(&mut self) {
        let stranger = self.0.iter().position(|(_, admitted)| !admitted.is());
        if let Some((task, _)) = self.0.remove(stranger.unwrap_or(0)) {
            task.abort();
        }
    }
}

/// Accepts and serves connections.
pub(super) async fn accept(listener: TcpListener, routes: Router, limits: Limits) {
    let mut open = Open::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                open.make_room(limits);
                let admitted = Admitted::default();
                let task = serve(stream, routes.clone(), admitted.clone(), limits);
                let task = tokio::spawn(task);
                open.0.push_back((task.abort_handle(), admitted));
                // Data that has arrived is read before the next connection takes the slot.
                yield_now().await;
            }
            Err(_) => {
                // For example, there are no descriptors left. One that is closed serves the next
                // probe.
                open.make_room(limits);
                open.close_one();
                sleep(PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, routes: Router, admitted: Admitted, limits: Limits) {
    let service = TowerToHyperService::new(routes.layer(Extension(admitted)));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(16 << 10);
    let _ = timeout(limits.life, http.serve_connection(TokioIo::new(stream), service)).await;
}
