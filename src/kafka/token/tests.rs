//! Identity providers that answer correctly, incorrectly and not at all, and tokens in files.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    thread::{self, JoinHandle},
};

use super::{super::Secret, *};

const SECRET: &str = "top secret+";

/// A server that sends each of these responses once, and returns the requests.
fn server(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let serve = |answer: String| {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut asked, mut piece) = (Vec::new(), [0; 4096]);
            // The body is short, and ends with the scope.
            while !asked.ends_with(b"scope=kafka+all") {
                let read = stream.read(&mut piece).unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&asked));
                asked.extend_from_slice(&piece[..read]);
            }
            // The client closes the connection when it has read enough.
            let _ = stream.write_all(answer.as_bytes());
            String::from_utf8(asked).unwrap()
        };
        answers.into_iter().map(serve).collect()
    });
    (url, served)
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn tokens(url: &str, secret: &std::path::Path) -> Tokens {
    let secret = Secret::in_file("kafka.sasl.client_secret_file", secret.to_str().unwrap());
    let provider = Provider::new(url, None, "tamis", secret, Some("kafka all")).unwrap();
    Tokens::from_provider(provider)
}

fn secret() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("{SECRET}\n")).unwrap();
    file
}

#[test]
fn a_token_is_asked_for_once_and_the_secret_read_again() {
    let body = r#"{"access_token":"a.b.c","token_type":"Bearer","expires_in":600}"#;
    let (url, served) = server(vec![answer("200 OK", body), answer("200 OK", body)]);
    let file = secret();
    let all = tokens(&url, file.path());
    for _ in 0..3 {
        let token = all.get().ok().unwrap();
        assert_eq!(token.text, "a.b.c");
        assert!((595_000..=600_000).contains(&(token.until - now())));
    }
    // The secret changed, and another process starts.
    fs::write(file.path(), "another").unwrap();
    assert!(tokens(&url, file.path()).get().is_ok());
    let asked = served.join().unwrap();
    assert!(asked[0].starts_with("POST /token HTTP/1.1\r\n"), "{}", asked[0]);
    let body = "\r\n\r\ngrant_type=client_credentials&scope=kafka+all";
    assert!(asked.iter().all(|asked| asked.ends_with(body)), "{}", asked[0]);
    // tamis:top+secret%2B, tamis:another
    let known = ["dGFtaXM6dG9wK3NlY3JldCUyQg==", "dGFtaXM6YW5vdGhlcg=="];
    for (asked, known) in asked.iter().zip(known) {
        assert!(asked.to_lowercase().contains(&format!("basic {known}").to_lowercase()), "{asked}");
    }
}

#[test]
fn what_is_refused_is_told_without_what_was_said() {
    let refused = r#"{"error":"invalid_client","error_description":"no top secret+ here"}"#;
    let long = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(70 << 10));
    let redirect =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let all = [
        (answer("401 Unauthorized", refused), "status 401 (invalid_client)", true),
        (answer("200 OK", &long), "the response is not as RFC 6749 specifies", false),
        (answer("200 OK", "top secret+"), "the response is not as RFC 6749 specifies", false),
        (answer("503 Unavailable", r#"{"error":"top secret+"}"#), "status 503: see", false),
        (redirect.to_owned(), "status 302", false),
        ("top secret+".into(), "not an HTTP response", false),
    ];
    let (url, served) = server(all.iter().map(|(answer, ..)| answer.clone()).collect());
    let file = secret();
    let tokens = tokens(&url, file.path());
    for (_, wanted, lasts) in &all {
        let Err(none) = tokens.get() else { panic!("{wanted}") };
        assert!(none.what.contains(wanted), "{wanted}: {}", none.what);
        assert!(none.what.starts_with("kafka.sasl.token_url: "), "{}", none.what);
        assert!(!none.what.contains("secret+"), "{}", none.what);
        assert_eq!(none.lasts, *lasts, "{wanted}");
    }
    served.join().unwrap();
    let Err(none) = tokens.get() else { panic!("nobody is there") };
    assert!(!none.lasts, "{}", none.what);
}

#[test]
fn a_token_in_a_file_is_read_again_and_holds_as_long_as_it_says() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let tokens = Tokens::in_file(file.path().to_str().unwrap());
    let of = |claims: &str| format!("e30.{}.sig\n", URL_SAFE_NO_PAD.encode(claims));
    let soon = now() / 1000 + 30;
    for (text, most) in [
        (of(&format!(r#"{{"exp":{soon}}}"#)), 30_000),
        (of(r#"{"exp":32503680000}"#), 60_000),
        ("opaque".to_owned(), 60_000),
    ] {
        fs::write(file.path(), &text).unwrap();
        let token = tokens.get().ok().unwrap();
        assert_eq!(token.text, text.trim());
        assert!((most - 5000..=most).contains(&(token.until - now())), "{text}");
    }
    for text in ["", "two words", &of(r#"{"exp":1}"#)] {
        fs::write(file.path(), text).unwrap();
        let Err(none) = tokens.get() else { panic!("{text}") };
        assert!(none.what.starts_with("kafka.sasl.token_file "), "{}", none.what);
    }
}
