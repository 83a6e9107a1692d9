//! E-mail addresses, as far as logs need RFC 5321 and RFC 5322: what looks like one and is a
//! file, a package, a unit or a repository is refused.

/// Ends of names that are files, units and archives. Some are real top-level domains (`zip`,
/// `mov`, `py`, `sh`, `rs`), where a log means the file.
const FILES: &str = "\
    automount avif bak bin bmp bz2 cfg cjs class conf cpp css csv deb device dll dmg doc docx \
    dylib exe gif go gz htm html ico img ini iso jar java jpeg jpg js json jsx kt less lock log \
    map md mjs mount mov mp3 mp4 path pdf pem php pid png pptx py rb rpm rs scope scss service \
    sh slice so sock socket sql svg swap tar target tgz timer tmp toml ts tsx ttf txt vue war \
    wasm webp woff woff2 xlsx xml yaml yml zip";

/// Mailboxes that are a protocol's user, never a person: `git@github.com:org/repo`.
const MACHINES: &str = "git hg svn celery rabbit ejabberd";

/// `local@domain` that can be somebody's address.
pub(super) fn email_address(text: &[u8]) -> bool {
    let Some(at) = text.iter().rposition(|&b| b == b'@') else { return false };
    let (local, domain) = (&text[..at], &text[at + 1..]);
    !local.is_empty() && !is_any(local, MACHINES) && domain_is_real(domain)
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
        && !is_any(top, FILES)
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

/// Whether `word` is one of `words`, which stand between spaces, in any case.
fn is_any(word: &[u8], words: &str) -> bool {
    words.split(' ').any(|w| word.eq_ignore_ascii_case(w.as_bytes()))
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
            "",
        ] {
            assert!(!email_address(bad.as_bytes()), "{bad}");
        }
    }
}
