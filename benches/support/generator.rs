//! Service logs from a seed: about 600 bytes an event, one event in ten with personal data, one
//! in a hundred that violates the `service-log` schema; and the variants that a sieve must not
//! be slow on. A module of whoever includes it by path.

// Each includer uses its own part of this.
#![allow(dead_code)]

#[path = "json.rs"]
mod json;
#[path = "personal.rs"]
mod personal;
#[path = "prng.rs"]
mod prng;

use json::{Style, Value};
use prng::Prng;

/// What is special about a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Compact JSON, keys in one order: what most loggers write.
    Compact,
    Spaced,
    /// Escapes in 30 % of the lines.
    Escaped,
    /// A stack trace in 20 % of the lines.
    StackTraces,
    /// Messages in other scripts, and emoji.
    NonAscii,
    /// Arrays of numbers, strings and objects.
    Arrays,
    RandomOrder,
    FloodDigits,
    FloodAt,
    FloodCards,
    FloodAddresses,
    FloodBraces,
}

impl Variant {
    pub(crate) const LOGS: &[Self] = &[
        Self::Compact,
        Self::Spaced,
        Self::Escaped,
        Self::StackTraces,
        Self::NonAscii,
        Self::Arrays,
        Self::RandomOrder,
    ];
    pub(crate) const FLOODS: &[Self] = &[
        Self::FloodDigits,
        Self::FloodAt,
        Self::FloodCards,
        Self::FloodAddresses,
        Self::FloodBraces,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Spaced => "spaced",
            Self::Escaped => "escaped",
            Self::StackTraces => "stack-traces",
            Self::NonAscii => "non-ascii",
            Self::Arrays => "arrays",
            Self::RandomOrder => "random-order",
            Self::FloodDigits => "flood-digits",
            Self::FloodAt => "flood-at",
            Self::FloodCards => "flood-cards",
            Self::FloodAddresses => "flood-addresses",
            Self::FloodBraces => "flood-braces",
        }
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::LOGS.iter().chain(Self::FLOODS).copied()
    }
}

/// Writes one event after another.
pub(crate) struct Generator {
    variant: Variant,
    rng: Prng,
    /// Milliseconds since 1970.
    now: u64,
    /// Events written with personal data in their message.
    pub(crate) personal: u64,
    /// Events written that violate the schema.
    pub(crate) violations: u64,
}

impl Generator {
    pub(crate) fn new(variant: Variant, seed: u64) -> Self {
        Self { variant, rng: Prng::new(seed), now: 1_773_480_413_589, personal: 0, violations: 0 }
    }

    /// About `bytes` of whole lines.
    pub(crate) fn chunk(variant: Variant, seed: u64, bytes: usize) -> Vec<u8> {
        let (mut generator, mut out) = (Self::new(variant, seed), Vec::with_capacity(bytes + 4096));
        while out.len() < bytes {
            generator.event(&mut out);
        }
        out
    }

    /// Appends one event and its line end.
    pub(crate) fn event(&mut self, out: &mut Vec<u8>) {
        self.now += self.rng.within(1, 900);
        let special = self.rng.percent(30);
        let style = Style {
            spaced: self.variant == Variant::Spaced,
            eager_escapes: self.variant == Variant::Escaped && special,
            random_order: self.variant == Variant::RandomOrder,
        };
        let mut members = self.head();
        if Variant::FLOODS.contains(&self.variant) {
            members.push(("message", Value::text("flood")));
            members.push(("payload", flood(self.variant, &mut self.rng)));
        } else {
            self.body(&mut members, special);
            if self.rng.percent(1) {
                self.violations += 1;
                violate(&mut members, &mut self.rng);
            }
        }
        style.write(&mut Value::Object(members), &mut self.rng, out);
        out.push(b'\n');
    }

    /// The fields that the schema requires.
    fn head(&mut self) -> Vec<(&'static str, Value)> {
        let rng = &mut self.rng;
        vec![
            ("timestamp", Value::Text(rfc3339(self.now))),
            ("level", Value::text(rng.pick(&["debug", "info", "info", "info", "warn", "error"]))),
            ("service", Value::text(rng.pick(SERVICES))),
            ("trace_id", Value::Text(rng.hex(32))),
            ("span_id", Value::Text(rng.hex(16))),
            ("event", Value::text(rng.pick(EVENTS))),
        ]
    }

    fn body(&mut self, members: &mut Vec<(&'static str, Value)>, special: bool) {
        let message = self.message(special);
        let rng = &mut self.rng;
        members.push(("message", Value::Text(message)));
        let duration = format!("{}.{:03}", rng.below(900), rng.below(1000));
        members.push(("duration_ms", Value::Raw(duration)));
        members.push(("http", http(rng)));
        if self.variant == Variant::Arrays {
            arrays(members, rng);
        } else {
            members.push(("kubernetes", kubernetes(rng)));
        }
        if self.variant == Variant::StackTraces && rng.percent(20) {
            members.push(("stack", Value::Text(stack_trace(rng))));
        }
        members.push(("version", Value::Text(version(rng))));
        members.push(("ts", Value::raw(self.now)));
    }

    fn message(&mut self, special: bool) -> String {
        let personal = self.rng.percent(10);
        let mut message = if personal {
            self.personal += 1;
            personal::sentence(&mut self.rng)
        } else {
            plain(&mut self.rng)
        };
        if self.variant == Variant::Escaped && special {
            let wrapped = [format!("said \"no\":\n{message}"), format!("C:\\app\t{message}\n")];
            message = wrapped[self.rng.below(2) as usize].clone();
        }
        if self.variant == Variant::NonAscii {
            message = format!("{} {message}", self.rng.pick(SCRIPTS));
        }
        message
    }
}

pub(crate) const SERVICES: &[&str] =
    &["checkout-api", "billing", "inventory", "search-frontend", "auth-gateway", "notifier"];
const EVENTS: &[&str] = &[
    "request_completed",
    "payment_authorized",
    "cart_updated",
    "cache_refreshed",
    "job_finished",
    "login_succeeded",
    "stock_reserved",
    "retry_scheduled",
];
const SCRIPTS: &[&str] = &[
    "Überweisung für Grüße bestätigt –",
    "заказ оформлен и передан в доставку:",
    "注文が確定しました。",
    "η πληρωμή ολοκληρώθηκε·",
    "commande déjà expédiée à l’étage 🚚 ✅",
    "تم تأكيد الطلب",
];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "kube-probe/1.30",
    "okhttp/4.12.0",
    "Go-http-client/2.0",
    "python-requests/2.32.3",
];

fn plain(rng: &mut Prng) -> String {
    let n = rng.below(100_000);
    match rng.below(8) {
        0 => {
            format!("completed order {n} with {} items in {} ms", rng.within(1, 30), rng.below(900))
        }
        1 => format!("cache hit ratio 0.{} over the last 60 s", rng.within(100, 999)),
        2 => format!("worker {} took job {} from queue mail", rng.below(64), uuid(rng)),
        3 => format!("GET /v2/products/{n} answered 200 with {} bytes", rng.below(1 << 20)),
        4 => format!("connected to postgres at 10.{}.{}.12:5432", rng.below(256), rng.below(256)),
        5 => format!("upstream timed out (110: Connection timed out) after {} attempts", n % 9),
        6 => format!("built {} from commit {}", version(rng), rng.hex(40)),
        _ => format!("resolved lodash@{} in 0.{}s", version(rng), rng.within(10, 99)),
    }
}

fn http(rng: &mut Prng) -> Value {
    let n = rng.below(10_000_000);
    let path = rng.pick(&["orders", "products", "users", "carts", "invoices"]);
    let host = rng.pick(&["api.shop.example", "www.shop.example", "internal.example"]);
    let query = format!("page={}&sort=-created_at&id={}", rng.below(40), rng.hex(8));
    Value::Object(vec![
        ("method", Value::text(rng.pick(&["GET", "GET", "POST", "PUT", "DELETE"]))),
        ("url", Value::Text(format!("https://{host}/v2/{path}/{n}?{query}"))),
        ("status", Value::raw(rng.pick(&[200, 200, 200, 201, 204, 304, 404, 500]))),
        ("user_agent", Value::text(rng.pick(AGENTS))),
        ("request_id", Value::Text(uuid(rng))),
    ])
}

fn kubernetes(rng: &mut Prng) -> Value {
    let app = rng.pick(SERVICES);
    let pod = format!("{app}-{}-{}", rng.hex(10), rng.text("bcdfghjklmnpqrstvwxz2456789", 5));
    Value::Object(vec![
        ("namespace", Value::text(rng.pick(&["prod", "staging"]))),
        ("pod", Value::Text(pod)),
    ])
}

fn arrays(members: &mut Vec<(&'static str, Value)>, rng: &mut Prng) {
    let timings = (0..8).map(|_| Value::Raw(format!("{}.{}", rng.below(90), rng.below(100))));
    members.push(("timings", Value::Array(timings.collect())));
    let tags = ["region:eu-west-1", "tier:web", "canary:false", "zone:b"];
    members.push(("tags", Value::Array(tags.iter().map(|&t| Value::text(t)).collect())));
    let item = |rng: &mut Prng| {
        let sku = format!("SKU-{}", rng.text("ABCDEFGHJKLMNP23456789", 8));
        Value::Object(vec![("sku", Value::Text(sku)), ("qty", Value::raw(rng.within(1, 9)))])
    };
    members.push(("items", Value::Array((0..3).map(|_| item(rng)).collect())));
}

fn stack_trace(rng: &mut Prng) -> String {
    let mut trace = String::from("java.lang.IllegalStateException: pool exhausted");
    for _ in 0..rng.within(8, 24) {
        let class = rng.pick(&["OrderService", "PoolEntry", "HttpHandler", "RetryTemplate"]);
        let method = rng.pick(&["acquire", "handle", "doExecute", "invoke", "lambda$run$0"]);
        let line = rng.within(10, 900);
        trace += &format!("\n\tat com.example.shop.{class}.{method}({class}.java:{line})");
    }
    trace
}

fn version(rng: &mut Prng) -> String {
    format!("{}.{}.{}", rng.below(9), rng.below(30), rng.below(60))
}

fn uuid(rng: &mut Prng) -> String {
    let (a, b, c, d, e) = (rng.hex(8), rng.hex(4), rng.hex(3), rng.hex(3), rng.hex(12));
    format!("{a}-{b}-4{c}-a{d}-{e}")
}

/// Breaks one thing that the schema asks for.
fn violate(members: &mut Vec<(&'static str, Value)>, rng: &mut Prng) {
    let mut set = |key: &str, value: Value| {
        if let Some(member) = members.iter_mut().find(|m| m.0 == key) {
            member.1 = value;
        }
    };
    match rng.below(6) {
        0 => set("level", Value::text("INFORMATIONAL")),
        1 => set("trace_id", Value::text("4bf92f35")),
        2 => set("event", Value::text("Something happened again")),
        3 => set("timestamp", Value::text("yesterday")),
        4 => set("duration_ms", Value::raw(-1)),
        _ => members.retain(|m| m.0 != "service"),
    }
}

/// About 500 bytes that look like work at every byte.
fn flood(variant: Variant, rng: &mut Prng) -> Value {
    let many = |rng: &mut Prng, n: usize, one: fn(&mut Prng) -> String| {
        Value::Text((0..n).map(|_| one(rng)).collect::<Vec<_>>().join(" "))
    };
    match variant {
        Variant::FloodAt => Value::Text("a@".repeat(250)),
        Variant::FloodCards => many(rng, 26, personal::failing_card),
        Variant::FloodAddresses => many(rng, 16, |rng| match rng.below(3) {
            0 => personal::public_ip(rng),
            1 => personal::public_ipv6(rng),
            _ => personal::email(rng),
        }),
        Variant::FloodBraces if rng.percent(50) => {
            Value::Raw(format!("{}0{}", "{\"a\":".repeat(80), "}".repeat(80)))
        }
        Variant::FloodBraces => Value::Text("{\"a\":".repeat(80)),
        _ => many(rng, 25, |rng| {
            let len = rng.within(4, 30) as usize;
            let mut digits = rng.digits(len);
            let at = rng.below(len as u64) as usize;
            digits.insert_str(at, rng.pick(&["", "-", ".", "-"]));
            digits
        }),
    }
}

/// Milliseconds since 1970 as RFC 3339 (days to date: Hinnant's `civil_from_days`).
fn rfc3339(ms: u64) -> String {
    let (days, rest) = (ms / 86_400_000 + 719_468, ms % 86_400_000);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}
