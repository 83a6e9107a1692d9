//! Made-up personal data and secrets of the right form. None of it belongs to anybody.

use super::prng::Prng;

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const GIVEN: &[&str] = &["ada", "grace", "alan", "edsger", "barbara", "donald", "radia", "leslie"];
const FAMILY: &[&str] =
    &["lovelace", "hopper", "turing", "dijkstra", "liskov", "knuth", "perlman", "lamport"];
const DOMAINS: &[&str] = &["example.com", "mail.example.org", "corp.example.net", "example.co.uk"];

/// A sentence of a log with one piece of personal data or one secret in it.
pub(crate) fn sentence(rng: &mut Prng) -> String {
    match rng.below(8) {
        0 => format!("sent receipt to {} after checkout", email(rng)),
        1 => format!("declined card {} by issuer, code 51", card(rng)),
        2 => format!("identity check for ssn {} passed", ssn(rng)),
        3 => format!("sms code delivered to {} in 2 s", phone(rng)),
        4 => format!("rate limit reached for client {} on login", public_ip(rng)),
        5 => format!("refund to {} scheduled for tomorrow", iban(rng)),
        6 => format!("session rejected, token {} expired", jwt(rng)),
        _ => format!("upload failed with access key {} in eu-west-1", aws_key(rng)),
    }
}

pub(crate) fn email(rng: &mut Prng) -> String {
    let (given, family) = (rng.pick(GIVEN), rng.pick(FAMILY));
    format!("{given}.{family}{}@{}", rng.below(1000), rng.pick(DOMAINS))
}

/// A card number of a known issuer that passes Luhn, grouped or not.
pub(crate) fn card(rng: &mut Prng) -> String {
    let body = format!("{}{}", rng.pick(&["4111", "4532", "5105", "5454", "6011"]), rng.digits(11));
    let number = format!("{body}{}", luhn_digit(&body));
    group(&number, rng.pick(&["", " ", "-"]))
}

/// A card number whose check digit is wrong.
pub(crate) fn failing_card(rng: &mut Prng) -> String {
    let body = format!("{}{}", rng.pick(&["4111", "4532", "5105", "5454", "6011"]), rng.digits(11));
    let wrong = (luhn_digit(&body) + rng.within(1, 9) as u32) % 10;
    group(&format!("{body}{wrong}"), rng.pick(&["", " ", "-"]))
}

fn group(number: &str, separator: &str) -> String {
    let groups = [&number[..4], &number[4..8], &number[8..12], &number[12..]];
    groups.join(separator)
}

/// The digit that makes `body` pass Luhn.
fn luhn_digit(body: &str) -> u32 {
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let digit = u32::from(b - b'0') * if i % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    (10 - sum % 10) % 10
}

fn ssn(rng: &mut Prng) -> String {
    let area = rng.within(100, 665);
    format!("{area}-{:02}-{:04}", rng.within(1, 99), rng.within(1, 9999))
}

fn phone(rng: &mut Prng) -> String {
    let (area, exchange) = (rng.pick(&[202, 312, 415, 512, 617]), rng.within(200, 999));
    let line = rng.within(1000, 9999);
    match rng.below(3) {
        0 => format!("+1{area}{exchange}{line}"),
        1 => format!("({area}) {exchange}-{line}"),
        _ => format!("+49 30 {}", rng.within(1_000_000, 99_999_999)),
    }
}

/// An address that is neither private nor reserved.
pub(crate) fn public_ip(rng: &mut Prng) -> String {
    let first = rng.pick(&[23, 45, 62, 81, 93, 104, 151, 185, 212]);
    format!("{first}.{}.{}.{}", rng.within(1, 254), rng.below(256), rng.within(1, 254))
}

pub(crate) fn public_ipv6(rng: &mut Prng) -> String {
    format!("2a02:{}:{}::{}", rng.hex(4), rng.hex(4), rng.hex(4))
}

fn iban(rng: &mut Prng) -> String {
    let account = rng.digits(18);
    // ISO 13616: the account, the country's letters as numbers (D = 13, E = 14), two zeros.
    let check =
        98 - format!("{account}131400").bytes().fold(0, |r, b| (r * 10 + u32::from(b - b'0')) % 97);
    format!("DE{check:02}{account}")
}

fn jwt(rng: &mut Prng) -> String {
    let (payload, signature) = (rng.text(BASE64URL, 90), rng.text(BASE64URL, 43));
    format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ{payload}.{signature}")
}

fn aws_key(rng: &mut Prng) -> String {
    format!("AKIA{}{}", rng.text(UPPER, 4), rng.text(BASE32, 12))
}
