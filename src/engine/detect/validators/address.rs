//! E-mail addresses, as far as logs need RFC 5321 and RFC 5322: what looks like one and is a
//! file, a package, a unit or a repository is refused.

/// Ends of names that are files, units and archives. Some are real top-level domains (`zip`,
/// `mov`, `py`, `sh`, `rs`), where a log means the file.
const FILES: [&[u8]; 91] = [
    b"automount", b"avif", b"bak", b"bin", b"bmp", b"bz2", b"cfg", b"cjs", b"class", b"conf",
    b"cpp", b"css", b"csv", b"deb", b"device", b"dll", b"dmg", b"doc", b"docx", b"dylib", b"exe",
    b"gif", b"go", b"gz", b"htm", b"html", b"ico", b"img", b"ini", b"iso", b"jar", b"java",
    b"jpeg", b"jpg", b"js", b"json", b"jsx", b"kt", b"less", b"lock", b"log", b"map", b"md",
    b"mjs", b"mount", b"mov", b"mp3", b"mp4", b"path", b"pdf", b"pem", b"php", b"pid", b"png",
    b"pptx", b"py", b"rb", b"rpm", b"rs", b"scope", b"scss", b"service", b"sh", b"slice", b"so",
    b"sock", b"socket", b"sql", b"svg", b"swap", b"tar", b"target", b"tgz", b"timer", b"tmp",
    b"toml", b"ts", b"tsx", b"ttf", b"txt", b"vue", b"war", b"wasm", b"webp", b"woff", b"woff2",
    b"xlsx", b"xml", b"yaml", b"yml", b"zip",
];

/// Mailboxes that are a protocol's user, never a person: `git@github.com:org/repo`.
const MACHINES: [&[u8]; 6] = [b"git", b"hg", b"svn", b"celery", b"rabbit", b"ejabberd"];

/// `local@domain` that can be somebody's address.
pub(super) fn email_address(text: &[u8]) -> bool {
    let Some(at) = text.iter().rposition(|&b| b == b'@') else { return false };
    let (local, domain) = (&text[..at], &text[at + 1..]);
    !local.is_empty() && !is_any(local, &MACHINES) && domain_is_real(domain)
}

fn domain_is_real(domain: &[u8]) -> bool {
    if domain.len() > 253 {
        return false;
    }
    let mut labels = domain.rsplit(|&b| b == b'.');
    let top = labels.next().unwrap_or_default();
    let numbers = labels.clone().filter(|label| is_number(label)).count();
    labels.clone().all(is_label)
        && labels.count() > 0
        && top.len() > 1
        && !top.iter().all(u8::is_ascii_digit)
        && !is_any(top, &FILES)
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

fn is_any(word: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|w| word.eq_ignore_ascii_case(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "jane.doe@example.com", "info@163.com", "a@xn--d1acufc.xn--p1ai", "o'brien@mail.co.uk",
            "x+tag@sub.domain.museum", "jane@corp.local", "ROOT@EXAMPLE.ORG",
        ] {
            assert!(email_address(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn files_packages_units_repositories() {
        for bad in [
            "logo@2x.png", "user@1000.service", "git@github.com", "react@18.2.0-rc.js",
            "lib@1.2.next", "getty@tty1.Service", "a@b", "@b.com", "a@b..com", "a@-b.com",
            "celery@worker.example.com", "x@y.123", "app@2.0.zip", "",
        ] {
            assert!(!email_address(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(FILES.windows(2).all(|w| w[0] < w[1]));
    }
}
