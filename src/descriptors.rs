//! Which of the three standard descriptors were closed at the start.
//!
//! Before `main`, the Rust runtime opens `/dev/null` for each closed one, so that no file that is
//! opened later gets its number. Output to it is lost, although every write succeeds. Afterwards
//! such a descriptor cannot be distinguished from one that was intended: the runtime opens
//! `/dev/null` for reading and writing, but so do others (Python's `subprocess.DEVNULL`, and
//! `runc`, if a container has no standard input). So they are examined before the runtime starts,
//! by a function in `.init_array`, which the loader calls before `main`.

#![allow(unsafe_code)] // To be called before `main` is to have a place in a section of the program.

use std::{
    path::{Component, Path},
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use rustix::{io::fcntl_getfd, stdio};

/// A bit for each descriptor.
static CLOSED: AtomicU8 = AtomicU8::new(0);

#[used]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
static LOOK: extern "C" fn() = look;

/// Runs before the runtime is ready, so it may only use system calls.
extern "C" fn look() {
    let all = [stdio::stdin(), stdio::stdout(), stdio::stderr()];
    let closed = all.iter().enumerate().filter(|(_, fd)| fcntl_getfd(fd).is_err());
    CLOSED.store(closed.fold(0, |bits, (n, _)| bits | 1 << n), Relaxed);
}

/// Returns whether the descriptor with this number was closed.
fn was_closed(number: usize) -> bool {
    CLOSED.load(Relaxed) & 1 << number != 0
}

/// Returns whether standard input was closed.
pub fn stdin_was_closed() -> bool {
    was_closed(0)
}

/// Returns whether standard output was closed.
pub fn stdout_was_closed() -> bool {
    was_closed(1)
}

/// Returns whether `path` names one of the three, and it was closed.
pub fn was_closed_at(path: &Path) -> bool {
    let mut names = path.components().rev().map(Component::as_os_str);
    let names: Vec<_> = names.by_ref().take(4).filter_map(|name| name.to_str()).collect();
    let number = match names[..] {
        ["stdin", "dev", "/"] => Some(0),
        ["stdout", "dev", "/"] => Some(1),
        ["stderr", "dev", "/"] => Some(2),
        [number, "fd", "dev", "/"] | [number, "fd", "self", "proc"] => number.parse().ok(),
        _ => None,
    };
    number.is_some_and(|number| number < 3 && was_closed(number))
}
