//! The bytes that wait to be written to one socket.
//!
//! Owns what is copied and what stays where it is, and how one write takes the most of both. It has no limit: whoever puts
//! bytes in ([`outgoing`](super::outgoing)) asks for its length first.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

/// Bytes that wait to be written. Small ones are copied together; large payloads stay where they are, once for all their
/// receivers.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub own: Vec<u8>,
    /// How much of `own` was written.
    written: usize,
    /// Payloads that stay where they are, and the position in `own` before which each is to be written.
    shared: VecDeque<(usize, Bytes)>,
    shared_bytes: usize,
}

impl Queue {
    pub fn len(&self) -> usize {
        self.own.len() - self.written + self.shared_bytes
    }

    pub fn is_empty(&self) -> bool {
        self.written == self.own.len() && self.shared.is_empty()
    }

    /// Appends bytes of the peer's own.
    pub fn append(&mut self, bytes: Vec<u8>) {
        if self.own.is_empty() {
            self.own = bytes;
        } else {
            self.own.extend_from_slice(&bytes);
        }
    }

    /// Appends a payload, which others may be sent, too.
    pub fn put(&mut self, bytes: Bytes) {
        if bytes.len() < SHARED {
            self.own.extend_from_slice(&bytes);
        } else {
            self.shared_bytes += bytes.len();
            self.shared.push_back((self.own.len(), bytes));
        }
    }

    /// Has `write` write the beginning of what waits, and takes away what it wrote.
    pub fn write(&mut self, write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>) -> io::Result<()> {
        let written = if self.shared.is_empty() {
            write(&[IoSlice::new(&self.own[self.written..])])?
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut used = 0;
            let mut position = self.written;
            for (before, bytes) in self.shared.iter().take(SLICES / 2) {
                for slice in [&self.own[position..*before], bytes] {
                    if !slice.is_empty() {
                        slices[used] = IoSlice::new(slice);
                        used += 1;
                    }
                }
                position = *before;
            }
            if self.shared.len() <= SLICES / 2 && position < self.own.len() {
                slices[used] = IoSlice::new(&self.own[position..]);
                used += 1;
            }
            write(&slices[..used])?
        };
        self.advance(written);
        Ok(())
    }

    fn advance(&mut self, mut length: usize) {
        while let Some((before, bytes)) = self.shared.front_mut() {
            let own = (*before - self.written).min(length);
            self.written += own;
            length -= own;
            let shared = bytes.len().min(length);
            drop(bytes.split_to(shared));
            self.shared_bytes -= shared;
            length -= shared;
            if !bytes.is_empty() {
                self.forget_written();
                return;
            }
            self.shared.pop_front();
        }
        self.written += length;
        if self.written == self.own.len() {
            self.written = 0;
            if self.own.capacity() > KEPT {
                self.own = Vec::new();
            } else {
                self.own.clear();
            }
        } else {
            self.forget_written();
        }
    }

    /// A queue that is never empty must not grow by what was written. What is moved is less than what was written, so
    /// that it costs each byte once.
    fn forget_written(&mut self) {
        if self.written <= KEPT || self.written * 2 <= self.own.len() {
            return;
        }
        self.own.drain(..self.written);
        for (before, _) in &mut self.shared {
            *before -= self.written;
        }
        self.written = 0;
    }
}

/// Bytes of a payload from which on it is not copied: below, copying is cheaper than one more slice to write.
const SHARED: usize = 16 << 10;

/// Slices of one write: eight large payloads and what stands between them.
const SLICES: usize = 17;

/// Bytes of a queue's memory that are kept for the next message.
const KEPT: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_order_whatever_each_write_takes() {
        for step in [1, 7, 1_000, 50_000, usize::MAX] {
            let mut queue = Queue::default();
            let mut expected = Vec::new();
            for index in 0..40_u8 {
                queue.own.push(index);
                expected.push(index);
                let payload = vec![index; if index % 3 == 0 { SHARED + usize::from(index) } else { 10 }];
                expected.extend_from_slice(&payload);
                queue.put(payload.into());
            }
            assert_eq!(queue.len(), expected.len());
            let mut sent = Vec::new();
            while !queue.is_empty() {
                let write = |slices: &[IoSlice<'_>]| {
                    let mut left = step;
                    for slice in slices {
                        let taken = slice.len().min(left);
                        sent.extend_from_slice(&slice[..taken]);
                        left -= taken;
                    }
                    Ok(slices.iter().map(|slice| slice.len()).sum::<usize>().min(step))
                };
                queue.write(write).expect("writing into a Vec");
            }
            assert!(sent == expected, "written {step} bytes at a time");
            assert_eq!(queue.len(), 0);
        }
    }

    #[test]
    fn a_queue_that_is_never_empty_does_not_keep_what_was_written() {
        let mut queue = Queue::default();
        let (mut expected, mut sent) = (0_u64, 0_u64);
        let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        for number in 0..2_000_u32 {
            let own = vec![number as u8; 3_000];
            expected += sum(&own);
            queue.own.extend_from_slice(&own);
            let shared = vec![1; SHARED];
            expected += sum(&shared);
            queue.put(shared.into());
            while queue.len() > 300_000 {
                let write = |slices: &[IoSlice<'_>]| {
                    sent += sum(&slices[0]);
                    Ok(slices[0].len())
                };
                queue.write(write).expect("writing into nothing");
            }
            assert!(queue.own.len() < 4 * KEPT, "{} bytes are kept", queue.own.len());
        }
        while !queue.is_empty() {
            let write = |slices: &[IoSlice<'_>]| {
                sent += sum(&slices[0]);
                Ok(slices[0].len())
            };
            queue.write(write).expect("writing into nothing");
        }
        assert_eq!(sent, expected);
    }
}
