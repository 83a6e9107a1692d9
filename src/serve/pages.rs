//! The pages of the admin server, and the token that protects all but the probes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use subtle::ConstantTimeEq as _;
use tokio::{sync::Semaphore, time::timeout};

use super::{Access, Status, connections::Admitted, host, orders};
use crate::metrics::Format;

/// How long the dependencies may take to respond.
const DEPENDENCIES: Duration = Duration::from_secs(5);
/// The maximum number of concurrent checks, because each may hang for longer than its client waits.
const LOOKS: usize = 4;

type Shared = Arc<dyn Status>;

pub(super) fn routes(
    address: SocketAddr,
    Access { token, hosts }: Access,
    status: Shared,
) -> Router {
    let looks = Arc::new(Semaphore::new(LOOKS));
    let orders = orders::routes(address, token.is_none(), status.clone());
    let open = Router::new()
        .route("/health", get(async || "ok\n"))
        .route("/ready", get(ready))
        .with_state(status.clone());
    let guarded = Router::new()
        .route("/ready/deps", get(move |status: State<Shared>| dependencies(status, looks.clone())))
        .route("/metrics", get(metrics))
        .route("/version", get(async |State(status): State<Shared>| json(status.version())))
        .route("/config", get(async |State(status): State<Shared>| status.config()))
        .with_state(status)
        .merge(orders);
    let token: Option<Arc<str>> = token.map(|token| format!("Bearer {token}").into());
    let guarded = guarded.layer(middleware::from_fn_with_state(token, guard));
    let names: host::Names = hosts.into();
    open.merge(guarded).layer(middleware::from_fn_with_state(names, host::guard))
}

async fn guard(
    State(token): State<Option<Arc<str>>>,
    Extension(admitted): Extension<Admitted>,
    request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let same = token.is_none_or(|token| {
        given.is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into())
    });
    match same {
        true => {
            admitted.admit();
            next.run(request).await
        }
        false => (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
            "this page requires a bearer token\n",
        )
            .into_response(),
    }
}

async fn ready(State(status): State<Shared>) -> (StatusCode, String) {
    match status.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".into()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn dependencies(State(status): State<Shared>, looks: Arc<Semaphore>) -> (StatusCode, String) {
    let reached = async move {
        let look = looks.acquire_owned().await.ok()?;
        let work = move || {
            let all = status.dependencies();
            // Released when the check ends, not when its client stops waiting.
            drop(look);
            all
        };
        tokio::task::spawn_blocking(work).await.ok()
    };
    let Ok(Some(all)) = timeout(DEPENDENCIES, reached).await else {
        let why = format!("no answer within {} seconds\n", DEPENDENCIES.as_secs());
        return (StatusCode::SERVICE_UNAVAILABLE, why);
    };
    let line = |(name, reached): &(String, Result<(), String>)| match reached {
        Ok(()) => format!("{name}: ok\n"),
        Err(why) => format!("{name}: {why}\n"),
    };
    let code = match all.iter().all(|(_, reached)| reached.is_ok()) {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, all.iter().map(line).collect())
}

async fn metrics(State(status): State<Shared>, headers: HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = match accepts.is_some_and(|text| text.contains("application/openmetrics-text")) {
        true => Format::OpenMetrics,
        false => Format::Prometheus,
    };
    let kind = [(header::CONTENT_TYPE, format.media_type())];
    (kind, status.metrics(format)).into_response()
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
