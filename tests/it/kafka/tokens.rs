//! OAUTHBEARER: tokens from a file, and from an identity provider by TLS.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::{
    broker::{Cluster, secured},
    names, record,
    secured::{ca, desk, ends},
    topics,
};

/// A token that nobody signed, which the test broker takes.
fn token(user: &str, seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let (from, to) = (now - 1, now + seconds);
    let claims = format!(r#"{{"sub":"{user}","iat":{from},"exp":{to}}}"#);
    format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims))
}

/// An identity provider with the broker's certificate, which knows one secret.
fn provider(cluster: &Cluster) -> String {
    let chain = CertificateDer::pem_file_iter(cluster.file("broker.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(cluster.file("broker.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = format!("https://{}/token", listener.local_addr().unwrap());
    // It serves until the tests end.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let config = config.clone();
            // Who trusts it not hangs up.
            thread::spawn(move || serve(stream.unwrap(), config));
        }
    });
    url
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let (mut asked, mut piece) = (Vec::new(), [0; 4096]);
    while !asked.ends_with(b"grant_type=client_credentials") {
        let read = stream.read(&mut piece)?;
        assert!(read > 0);
        asked.extend_from_slice(&piece[..read]);
    }
    // tamis:tamis-secret
    let known = String::from_utf8_lossy(&asked).contains("Basic dGFtaXM6dGFtaXMtc2VjcmV0");
    let (status, body) = match known {
        true => {
            let token = token("tamis", 300);
            ("200 OK", format!(r#"{{"access_token":"{token}","expires_in":300}}"#))
        }
        false => ("401 Unauthorized", r#"{"error":"invalid_client"}"#.to_owned()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}")?;
    stream.flush()
}

fn by_url(cluster: &Cluster, url: &str, authority: &str, secret: &str) -> String {
    let (ca, authority) = (ca(cluster), cluster.file(authority));
    format!(
        "{ca}\nsasl = {{ mechanism = \"OAUTHBEARER\", token_url = \"{url}\", token_ca = \
         \"{authority}\", \
         client_id = \"tamis\", {secret} }}"
    )
}

#[test]
fn records_pass_with_a_token_from_a_file_and_from_a_provider() {
    let Some(cluster) = secured() else { return };
    let file = "sasl = { mechanism = \"OAUTHBEARER\", token_file = \"token\" }";
    let kafka = [
        format!("{}\n{file}", ca(&cluster)),
        by_url(&cluster, &provider(&cluster), "ca.pem", "client_secret_file = \"right\""),
    ];
    for kafka in &kafka {
        // The topics' limits are asked for with a token, too.
        let large = |name| cluster.broker.topic(name, 1, &[("max.message.bytes", "2000000")]);
        let topics = [large("in"), large("out"), large("dead")];
        let long = format!("{{\"n\":\"{}\"}}", "wxyz ".repeat(204_000));
        cluster.broker.write(&topics[0], &[record("k", "{\"n\":1}"), record("k", &long)]);
        let desk = desk(&cluster, 4, kafka, names(&topics));
        std::fs::write(desk.path("token"), token("tamis", 300)).unwrap();
        let mut member = desk.start("err");
        member.until("the records", || cluster.broker.count(&topics[1]) >= 2);
        let (code, account) = member.stop();
        let said = desk.said("err");
        assert_eq!((code, &account["clean"]), (0, &2.into()), "{kafka}: {said}");
    }
}

#[test]
fn who_gets_no_token_is_told_why() {
    let Some(cluster) = secured() else { return };
    let topics = topics(&cluster.broker, 1);
    let (names, url) = (names(&topics), provider(&cluster));
    let wrong = by_url(&cluster, &url, "ca.pem", "client_secret_file = \"wrong\"");
    ends(
        &desk(&cluster, 4, &wrong, names),
        "token_url: the token was refused, status 401 (invalid_client)",
    );
    let file = "sasl = { mechanism = \"OAUTHBEARER\", token_file = \"wrong\" }";
    let file = format!("{}\n{file}", ca(&cluster));
    ends(&desk(&cluster, 4, &file, names), "a broker rejected the token: compare kafka.sasl");
    // Temporary errors are retried.
    let other = by_url(&cluster, &url, "other.pem", "client_secret_file = \"right\"");
    let desk = desk(&cluster, 4, &other, names);
    let mut member = desk.start("err");
    member.until("the word", || desk.said("err").contains("token_ca in kafka.sasl"));
    assert_eq!(member.stop().0, 0);
    assert!(!desk.said("err").contains("-secret"));
}

#[test]
fn what_is_in_force_is_shown_without_secrets() {
    let dir = crate::cli::folder(&[("secret", "top-secret")]);
    let text = "version = 1\n[kafka]\nbrokers = [\"localhost:1\"]\ntls = {}\n\
        sasl = { mechanism = \"OAUTHBEARER\", token_url = \"http://localhost:1/t\", \
        client_id = \"me\", client_secret_file = \"secret\", scope = \"${SCOPE}\" }\n\
        [source]\ntopics = [\"a\"]\ngroup = \"g\"\n[sink]\ntopic = \"b\"\n\
        [dead_letter]\ntopic = \"d\"\nencrypt_to = \
        \"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"\n";
    std::fs::write(dir.path().join("t.toml"), text).unwrap();
    let mut shown = crate::cli::tamis(&["config", "show", "--config", "t.toml"]);
    let shown = shown.env("SCOPE", "top-scope").current_dir(&dir);
    let output = shown.env_remove("TAMIS_CONFIG").output().unwrap();
    let (shown, said) = (String::from_utf8_lossy(&output.stdout), crate::cli::stderr(&output));
    assert_eq!(crate::cli::code(&output), 0, "{said}");
    for wanted in
        ["token_url = \"http://localhost:1/t\"", "scope = \"***\"", "encrypt_to = \"age1ql"]
    {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    assert!(!shown.contains("top-"), "{shown}");
}

#[test]
fn what_is_said_of_a_login_is_judged_without_a_broker() {
    let dir = crate::cli::folder(&[]);
    std::fs::write(dir.path().join("secret"), "a").unwrap();
    let tail = "[source]\ntopics = [\"a\"]\ngroup = \"g\"\n[sink]\ntopic = \"b\"\n";
    let tls = "tls = {}\n";
    for (sasl, wanted) in [
        (
            "mechanism = \"PLAIN\", user = \"u\"",
            "5:8: `password_file` or `password_env` is missing",
        ),
        (
            "mechanism = \"PLAIN\", user = \"u\", password_file = \"secret\", password_env = \"P\"",
            "`password_env` and `password_file` cannot be used together",
        ),
        (
            "mechanism = \"PLAIN\", user = \"u\", password_file = \"secret\", scope = \"s\"",
            "`scope` cannot be used with the mechanism PLAIN",
        ),
        ("mechanism = \"OAUTHBEARER\"", "`token_url` or `token_file` is missing"),
        (
            "mechanism = \"OAUTHBEARER\", token_url = \"http://id.example/\", client_id = \"c\", \
             client_secret_env = \"P\"",
            "`token_url`: a secret is sent there, so use https://",
        ),
        (
            "mechanism = \"PLAIN\", user = \"u\", password_env = \"NO_SUCH_NAME\"",
            "kafka.sasl.password_env: the environment variable NO_SUCH_NAME is not set",
        ),
        ("mechanism = \"GSSAPI\", principal = \"p\", keytab = \"secret\"", "--features gssapi"),
        ("password_file = \"secret\"", "`mechanism` is missing"),
    ] {
        let head = format!("version = 1\n[kafka]\nbrokers = [\"localhost:1\"]\n{tls}");
        let text = format!("{head}sasl = {{ {sasl} }}\n{tail}");
        std::fs::write(dir.path().join("t.toml"), &text).unwrap();
        let output = crate::cli::tamis(&["config", "check", "t.toml"])
            .env_remove("TAMIS_CONFIG")
            .current_dir(&dir)
            .output()
            .unwrap();
        let said = crate::cli::stderr(&output);
        if cfg!(feature = "gssapi") && sasl.contains("GSSAPI") {
            continue;
        }
        assert_eq!(crate::cli::code(&output), 2, "{text}{said}");
        assert!(said.contains(wanted), "{text}{said}");
    }
}
