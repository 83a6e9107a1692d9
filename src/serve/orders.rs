//! `POST /kafka/VERB` with the target as the body: commands of an operator.
//!
//! They require the bearer token. Without one, they are only accepted on a loopback address;
//! otherwise the response is 403. Requests of web pages have an `Origin` header, and get 403, too.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::post,
};
use tokio::time::timeout;

use super::{Order, Status};

/// How long the body of a request may take.
const BODY: Duration = Duration::from_secs(5);
const LONGEST: usize = 1024;

type Shared = Arc<dyn Status>;

/// Returns the routes; `open` means that there is no token.
pub(super) fn routes(address: SocketAddr, open: bool, status: Shared) -> Router {
    let verb = |verb: &'static str| {
        post(move |State(status): State<Shared>, request: Request<Body>| {
            answer(status, verb, request)
        })
    };
    let closed = open && !address.ip().is_loopback();
    Router::new()
        .route("/kafka/pause", verb("pause"))
        .route("/kafka/resume", verb("resume"))
        .route("/kafka/skip", verb("skip"))
        .with_state(status)
        .layer(middleware::from_fn_with_state(closed, guard))
}

async fn guard(State(closed): State<bool>, request: Request, next: Next) -> Response {
    let why = if closed {
        "other machines can reach this port, so commands require a token: set --admin-token-file\n"
    } else if request.headers().contains_key(header::ORIGIN) {
        "requests from web pages are refused\n"
    } else {
        return next.run(request).await;
    };
    (StatusCode::FORBIDDEN, why).into_response()
}

async fn answer(
    status: Shared,
    verb: &'static str,
    request: Request<Body>,
) -> (StatusCode, String) {
    let body = timeout(BODY, to_bytes(request.into_body(), LONGEST)).await;
    let target = body.ok().and_then(Result::ok).and_then(|b| String::from_utf8(b.to_vec()).ok());
    let Some(target) = target else {
        return (StatusCode::BAD_REQUEST, "the request has no target, or an invalid one\n".into());
    };
    let (code, said) = match status.order(verb, target.trim()) {
        Order::Done(said) => (StatusCode::OK, said),
        Order::Malformed(why) => (StatusCode::BAD_REQUEST, why),
        Order::Refused(why) => (StatusCode::CONFLICT, why),
    };
    (code, format!("{said}\n"))
}
