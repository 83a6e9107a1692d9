//! A growing file, without the rest of the source.

use std::io::Write as _;

use super::*;

/// A line that arrives in small pieces is read only a few times, not again with each piece.
#[test]
fn a_line_that_grows_slowly_is_not_read_again_and_again() {
    const PIECE: usize = 100;
    const PIECES: usize = 3000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let mut log = File::create(&path).unwrap();
    for before in [&b""[..], b"{\"id\":1}\n"] {
        log.write_all(before).unwrap();
        let file = File::open(&path).unwrap();
        let metadata = file.metadata().unwrap();
        let (now, age) = (Instant::now(), Duration::from_secs(60));
        let offset = metadata.len();
        let position = Position { offset, ..Position::default() };
        let node = Node::of(&metadata);
        let mut tail = Tail::new(path.clone(), file, node, Packing::Plain, position, now).unwrap();
        let (mut read, mut buf) = (0, vec![0; 64 << 10]);
        let mut turn = |tail: &mut Tail, offset: u64, settles: u64| {
            assert!(tail.begin(now, age).unwrap());
            if !tail.has_news(now, age).unwrap() {
                return false;
            }
            let mut n = 1;
            while n > 0 {
                n = tail.read(&mut buf).unwrap();
                read += n;
            }
            let settled = Reached { offset, inside_line: false, frame: 0, waits: false, settles };
            tail.end(settled, now);
            true
        };
        for _ in 0..PIECES {
            log.write_all(&[b'x'; PIECE]).unwrap();
            turn(&mut tail, offset, 1 << 30);
        }
        assert!(!turn(&mut tail, offset, 1 << 30), "nothing new");
        assert!(tail.partial.is_some(), "its age is known");
        log.write_all(b"\n").unwrap();
        let end = offset + (PIECES * PIECE) as u64 + 1;
        assert!(turn(&mut tail, end, 0), "a line end is news");
        // Finally, a line that is too long.
        log.write_all(&[b'x'; 2000]).unwrap();
        turn(&mut tail, end, end + 3000);
        log.write_all(&[b'x'; 900]).unwrap();
        assert!(!turn(&mut tail, end, end + 3000));
        log.write_all(&[b'x'; 200]).unwrap();
        assert!(turn(&mut tail, end, end + 3000), "too long is news");
        assert!(read < 2 * PIECES * PIECE, "{read} bytes of {end}");
        log.write_all(b"\n").unwrap();
    }
}
