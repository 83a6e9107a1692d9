//! Incomplete lines at the end of a log, and whose they are.

use std::io::Write as _;

use super::*;

/// A line.
fn long(len: usize) -> String {
    format!("{{\"long\":\"{}\"}}\n", "x".repeat(len))
}

/// Creates a file as a run leaves it that is killed while it appends `text`, after this many bytes.
fn killed(scene: &Scene, text: &str, len: usize) -> fs::File {
    fs::write(scene.path("x"), "{\"old\":1}\n").unwrap();
    let mut file = fs::File::options().read(true).append(true).open(scene.path("x")).unwrap();
    let written = &text.as_bytes()[..len - 10];
    for piece in mark::pieces(text.len()).filter(|piece| piece.start <= written.len()) {
        mark::announce(&file, 10, text.as_bytes(), piece);
    }
    file.write_all(written).unwrap();
    file
}

#[test]
fn only_what_is_proven_to_be_its_own_is_cut_off_and_nothing_that_came_after_it() {
    let (one, two) = (long(10_000), format!("{}{}", long(20), long(10_000)));
    let far = long(200_000);
    for (text, len, added, cut) in [
        (&one, 4096, "", true),
        (&one, 8192, "", true),
        (&two, 8192, "", true),
        // Longer than one piece: it ends at a page, or at a piece.
        (&far, 30 * 4096, "", true),
        (&far, 10 + (128 << 10), "", true),
        // No kill can cut here.
        (&one, 4095, "", false),
        (&one, 5000, "", false),
        // Another process appended to it, with or without a line end.
        (&one, 4096, "{\"theirs\":", false),
        (&one, 4096, "x", false),
        (&two, 2 * 4096, "half\nand half", false),
        (&one, one.len() + 10, "{\"theirs\":", false),
        (&one, one.len() + 10, "{\"theirs\":1}\n", false),
        // Up to the end of the next page.
        (&one, 4096, &"y".repeat(4096), false),
    ] {
        let scene = Scene::new("x");
        let mut file = killed(&scene, text, len);
        file.write_all(added.as_bytes()).unwrap();
        drop(file);
        let before = scene.read("x");
        let mut log = scene.open();
        log.write(b"{}\n").unwrap();
        log.finish().unwrap();
        let whole = before.rfind('\n').map_or(0, |at| at + 1);
        let end = if before.ends_with('\n') { "" } else { "\n" };
        let wanted = match cut {
            true => format!("{}{{}}\n", &before[..whole]),
            false => format!("{before}{end}{{}}\n"),
        };
        assert!(scene.read("x") == wanted, "{len} {added:.20}: {:?}", scene.said());
        assert_eq!(scene.said().len(), usize::from(!before.ends_with('\n')));
    }
}

#[test]
fn it_is_added_to_half_a_line_is_cut_off_and_nothing_is_taken_back() {
    let scene = Scene::new("x");
    // As a killed run leaves it.
    let half = killed(&scene, &long(10_000), 4096);
    assert!(mark::is_own(&half, 10, 4096), "this needs a file system with extended attributes");
    drop(half);
    let mut log = scene.open();
    assert_eq!(
        scene.said(),
        ["x: removed 4086 bytes of an incomplete line that an earlier run left"]
    );
    log.write(b"{}\n{\"never whole").unwrap();
    let second = scene.failing(|_, _| Ok(())).err().unwrap();
    assert!(second.to_string().contains("x: another run is writing to it"), "{second}");
    log.abort();
    assert_eq!(scene.read("x"), "{\"old\":1}\n{}\n");
    drop(log);
    drop(scene.open());
}

#[test]
fn half_a_line_that_somebody_adds_meanwhile_gets_a_line_end_before_the_next_line() {
    let scene = Scene::new("x");
    let mut log = scene.open();
    let mut theirs = fs::File::options().append(true).create(true).open(scene.path("x")).unwrap();
    for added in ["", "whole\n", "half", "half again"] {
        log.write(b"{}\n").unwrap();
        theirs.write_all(added.as_bytes()).unwrap();
    }
    log.write(b"{}\n").unwrap();
    log.finish().unwrap();
    assert_eq!(scene.read("x"), "{}\n{}\nwhole\n{}\nhalf\n{}\nhalf again\n{}\n");
    assert_eq!(scene.said().len(), 2);
}
