//! Lines of a file or of stdin, read ahead by a thread of their own, so that Ctrl-C is heard while a line is waited for.
//! Invariant: every line comes once, in order, with its number; at most `BLOCKS_AHEAD` blocks are held. A line ends
//! with LF or CRLF, which is no part of it; what follows the last line end is a line if it is not empty.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use mainstem_core::{Error, Result};

const BLOCK_BYTES: usize = 64 * 1024;
const BLOCKS_AHEAD: usize = 16;

/// Lines that were read together.
#[derive(Debug, Default)]
pub(super) struct Block {
    data: Vec<u8>,
    ends: Vec<usize>,
    first: usize,
}

impl Block {
    /// The lines with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let lines = starts.zip(&self.ends).map(|(start, end)| trim_end(&self.data[start..*end]));
        (self.first..).zip(lines)
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What comes next.
pub(super) enum Next {
    Block(Block),
    /// Nothing yet.
    Waiting,
    End,
}

/// The lines of a stream.
pub(super) struct Lines {
    blocks: Receiver<Result<Block>>,
}

impl Lines {
    /// Begins to read; `name` is for errors.
    pub(super) fn of(stream: impl Read + Send + 'static, name: String) -> Result<Self> {
        let (send, blocks) = sync_channel(BLOCKS_AHEAD);
        let read = move || {
            let mut reader = BufReader::with_capacity(BLOCK_BYTES, stream);
            let mut first = 1;
            loop {
                let block = read_block(&mut reader, first).map_err(|error| {
                    let text = format!("cannot read {name} after line {}", first - 1);
                    Error::unavailable(text).with_source(error)
                });
                let done = match &block {
                    Ok(block) if block.ends.is_empty() => return,
                    Ok(block) => {
                        first += block.ends.len();
                        false
                    }
                    Err(_) => true,
                };
                if send.send(block).is_err() || done {
                    return;
                }
            }
        };
        // It is not joined: it may wait for a line that never comes, and holds nothing that must be let go of.
        let started = std::thread::Builder::new().name("lines".to_owned()).spawn(read);
        started
            .map_err(|e| Error::internal("the reading thread cannot be started").with_source(e))?;
        Ok(Self { blocks })
    }

    /// Waits at most `patience`.
    pub(super) fn next(&self, patience: Duration) -> Result<Next> {
        match self.blocks.recv_timeout(patience) {
            Ok(block) => block.map(Next::Block),
            Err(RecvTimeoutError::Timeout) => Ok(Next::Waiting),
            Err(RecvTimeoutError::Disconnected) => Ok(Next::End),
        }
    }
}

/// The lines that are there, up to the size of a block; waits for the first. None: the end.
fn read_block(reader: &mut BufReader<impl Read>, first: usize) -> std::io::Result<Block> {
    let mut block = Block { first, ..Block::default() };
    loop {
        if reader.read_until(b'\n', &mut block.data)? == 0 {
            return Ok(block);
        }
        block.ends.push(block.data.len());
        if block.data.len() >= BLOCK_BYTES || !reader.buffer().contains(&b'\n') {
            return Ok(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_their_numbers() {
        let long = "x".repeat(BLOCK_BYTES);
        let text = format!("a\n\r\n{long}\nb\r\nlast");
        let lines = Lines::of(std::io::Cursor::new(text), "it".into()).unwrap();
        let mut seen = Vec::new();
        loop {
            match lines.next(Duration::from_secs(60)).unwrap() {
                Next::Block(block) => {
                    seen.extend(
                        block.lines().map(|(n, l)| (n, String::from_utf8_lossy(l).into_owned())),
                    );
                }
                Next::Waiting => panic!("it has an end"),
                Next::End => break,
            }
        }
        let expected = ["a", "", &long, "b", "last"];
        let expected: Vec<_> = (1..).zip(expected.map(str::to_owned)).collect();
        assert!(seen == expected, "{} lines", seen.len());
    }
}
