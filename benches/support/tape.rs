//! The yardstick: reads a file, splits its lines, builds simd-json's tape of each, writes nothing.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read};

const CHUNK: usize = 1 << 20;

/// Counts the lines of `file` that simd-json parses.
pub(crate) fn parse(file: &str) -> io::Result<u64> {
    let mut file = File::open(file)?;
    let mut chunk = vec![0; 2 * CHUNK];
    let mut line = Vec::with_capacity(1 << 16);
    let mut buffers = simd_json::Buffers::new(1 << 16);
    let (mut have, mut events) = (0, 0);
    loop {
        if have + CHUNK > chunk.len() {
            chunk.resize(have + CHUNK, 0);
        }
        let read = file.read(&mut chunk[have..have + CHUNK])?;
        if read == 0 {
            return Ok(events);
        }
        have += read;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &chunk[..have]) {
            // The parser writes into its input.
            line.clear();
            line.extend_from_slice(&chunk[start..end]);
            if let Ok(tape) = simd_json::to_tape_with_buffers(&mut line, &mut buffers) {
                black_box(&tape);
                events += 1;
            }
            start = end + 1;
        }
        chunk.copy_within(start..have, 0);
        have -= start;
    }
}
