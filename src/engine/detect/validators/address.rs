//! E-mail addresses, as far as logs need RFC 5321 and RFC 5322: what looks like one and is a
//! file, a package, a unit or a repository is refused.

use std::sync::LazyLock;

/// Ends of names that are files, units and archives. Some are real top-level domains (`zip`,
/// `mov`, `py`, `sh`, `rs`), where a log means the file.
static FILES: LazyLock<Words> = LazyLock::new(|| {
    Words::new(
        "\
    automount avif bak bin bmp bz2 cfg cjs class conf cpp css csv deb device dll dmg doc docx \
    dylib exe gif go gz htm html ico img ini iso jar java jpeg jpg js json jsx kt less lock log \
    map md mjs mount mov mp3 mp4 path pdf pem php pid png pptx py rb rpm rs scope scss service \
    sh slice so sock socket sql svg swap tar target tgz timer tmp toml ts tsx ttf txt vue war \
    wasm webp woff woff2 xlsx xml yaml yml zip",
    )
});

/// Mailboxes that are a protocol's user, never a person: `git@github.com:org/repo`.
static MACHINES: LazyLock<Words> =
    LazyLock::new(|| Words::new("git hg svn celery rabbit ejabberd"));

/// `local@domain` that can be somebody's address.
pub(super) fn email_address(text: &[u8]) -> bool {
    let Some(at) = text.iter().rposition(|&b| b == b'@') else { return false };
    let (local, domain) = (&text[..at], &text[at + 1..]);
    !local.is_empty()
        && !MACHINES.has(local)
        && domain_is_real(domain)
        && (!is_hash(domain) || !is_class(local))
}

/// Whether the first label is what Java writes behind an object's class: 6 to 8 hex digits.
fn is_hash(domain: &[u8]) -> bool {
    let label = domain.split(|&b| b == b'.').next().unwrap_or_default();
    (6..=8).contains(&label.len())
        && label.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
        && label.iter().any(u8::is_ascii_digit)
}

/// `HikariPool`, `com.zaxxer.Pool`: a class's name, and its package before it or a second capital
/// in it.
fn is_class(local: &[u8]) -> bool {
    let mut parts = local.rsplit(|&b| b == b'.');
    let name = parts.next().unwrap_or_default();
    let capital = |p: &[u8]| p.first().is_some_and(u8::is_ascii_uppercase);
    let capitals = name.iter().filter(|b| b.is_ascii_uppercase()).count();
    capital(name) && (capitals > 1 || name.len() < local.len()) && !parts.any(capital)
}

fn domain_is_real(domain: &[u8]) -> bool {
    if domain.len() > 253 {
        return false;
    }
    let mut labels = domain.rsplit(|&b| b == b'.');
    let top = labels.next().unwrap_or_default();
    let numbers = labels.clone().filter(is_number).count();
    labels.clone().all(is_label)
        && labels.count() > 0
        && top.len() > 1
        && !top.iter().all(u8::is_ascii_digit)
        && !FILES.has(top)
        && numbers < 2 // `18.2.0-rc.next` is a version
}

fn is_label(label: &[u8]) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label.first() != Some(&b'-')
        && label.last() != Some(&b'-')
}

fn is_number(label: &&[u8]) -> bool {
    label.iter().all(u8::is_ascii_digit)
}

/// Words, each as one number, by the low bits of their first letter: comparing texts one by one
/// took a third of the time on a flood of addresses.
struct Words([Vec<u128>; 32]);

impl Words {
    /// `words` stand between spaces, in lower case, and have 16 letters at most.
    fn new(words: &str) -> Self {
        let mut by_letter = Self(Default::default());
        for word in words.split(' ').filter_map(|w| packed(w.as_bytes())) {
            by_letter.0[word as usize & 31].push(word);
        }
        by_letter
    }

    /// Whether `word` is one of them, in any case.
    fn has(&self, word: &[u8]) -> bool {
        packed(word).is_some_and(|w| self.0[w as usize & 31].contains(&w))
    }
}

fn packed(word: &[u8]) -> Option<u128> {
    let mut bytes = [0; 16];
    bytes.get_mut(..word.len())?.copy_from_slice(word);
    bytes.make_ascii_lowercase();
    Some(u128::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "jane.doe@example.com",
            "info@163.com",
            "a@xn--d1acufc.xn--p1ai",
            "o'brien@mail.co.uk",
            "x+tag@sub.domain.museum",
            "jane@corp.local",
            "ROOT@EXAMPLE.ORG",
            "jane@abc123.com",
            "Jane.Doe@abc123.com",
            "Jane@abc123.com",
        ] {
            assert!(email_address(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn files_packages_units_repositories() {
        for bad in [
            "logo@2x.png",
            "user@1000.service",
            "git@github.com",
            "react@18.2.0-rc.js",
            "lib@1.2.next",
            "getty@tty1.Service",
            "a@b",
            "@b.com",
            "a@b..com",
            "a@-b.com",
            "celery@worker.example.com",
            "x@y.123",
            "app@2.0.zip",
            "com.zaxxer.hikari.pool.HikariPool@6d06d69c.run",
            "ThreadPool@12345678.run",
            "",
        ] {
            assert!(!email_address(bad.as_bytes()), "{bad}");
        }
    }
}
