//! Checks which host a request is for. A web page whose own name resolves to this address (DNS
//! rebinding) sends that name as `Host`; regular clients use a name that the server knows.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

/// Names that the server accepts in addition to `localhost`, in lower case.
pub(super) type Names = Arc<[String]>;

/// Refuses a request for a host that is neither an IP address nor one of the names.
pub(super) async fn guard(State(names): State<Names>, request: Request, next: Next) -> Response {
    if is_for(request.headers(), request.uri(), &names) {
        return next.run(request).await;
    }
    let why = "the Host header names an unknown host: use an IP address or localhost, or add the \
               name to admin_hosts\n";
    (StatusCode::FORBIDDEN, why).into_response()
}

fn is_for(headers: &HeaderMap, uri: &Uri, names: &[String]) -> bool {
    let known = |host: &str| is_known(host, names);
    let mut hosts = headers.get_all(header::HOST).iter();
    hosts.all(|host| host.to_str().is_ok_and(known))
        && uri.authority().is_none_or(|authority| known(authority.as_str()))
}

/// Returns whether a host, with or without a port, is an IP address or one of the names.
fn is_known(host: &str, names: &[String]) -> bool {
    let name = match host.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        Some((address, port)) => {
            let port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            return port && address.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6());
        }
        None => match host.rsplit_once(':') {
            Some((name, port)) if is_port(port) => name,
            Some(_) => return false,
            None => host,
        },
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_that_are_known() {
        let names = ["tamis.logging.svc".to_owned()];
        for known in [
            "127.0.0.1",
            "127.0.0.1:9600",
            "10.1.2.3:80",
            "[::1]",
            "[::1]:9600",
            "localhost",
            "LocalHost:9600",
            "localhost.",
            "tamis.logging.svc",
            "Tamis.Logging.Svc.:9600",
        ] {
            assert!(is_known(known, &names), "{known}");
        }
        for foreign in [
            "",
            "x",
            "evil.example",
            "evil.example:9600",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "127.0.0.1@evil.example",
            "evil.example:127.0.0.1",
            "[::1]evil.example",
            "[127.0.0.1]",
            "[evil.example]",
            "tamis",
            "svc",
        ] {
            assert!(!is_known(foreign, &names), "{foreign}");
        }
    }

    #[test]
    fn every_host_of_a_request_counts() {
        let headers = |hosts: &[&str]| {
            let pairs = hosts.iter().map(|host| (header::HOST, host.parse().unwrap()));
            pairs.collect::<HeaderMap>()
        };
        let path = Uri::from_static("/metrics");
        assert!(is_for(&headers(&["localhost"]), &path, &[]));
        // HTTP/1.0, which no browser uses.
        assert!(is_for(&headers(&[]), &path, &[]));
        assert!(!is_for(&headers(&["localhost", "evil.example"]), &path, &[]));
        let whole = Uri::from_static("http://evil.example/metrics");
        assert!(!is_for(&headers(&["localhost"]), &whole, &[]));
    }
}
