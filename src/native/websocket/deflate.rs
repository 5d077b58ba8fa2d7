//! permessage-deflate: messages compressed and decompressed. [RFC 7692, 7.2]

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Negotiated, protocol};
use crate::native::connection::Failure;

/// Compresses what is sent.
pub(super) struct Deflater {
    compress: Compress,
    forgets: bool,
}

/// Decompresses what comes.
pub(super) struct Inflater {
    decompress: Decompress,
    forgets: bool,
}

impl Deflater {
    pub fn new(agreed: Negotiated) -> Self {
        // The window matters more than the effort: messages resemble each other.
        let compress =
            Compress::new_with_window_bits(Compression::fast(), false, agreed.server_max_window_bits);
        Self { compress, forgets: agreed.server_no_context_takeover }
    }

    /// Compresses one message.
    pub fn compress(&mut self, message: &[u8]) -> Vec<u8> {
        let mut output = Vec::with_capacity(message.len() / 2 + SPARE);
        let begun = self.compress.total_in();
        loop {
            let taken = usize::try_from(self.compress.total_in() - begun).unwrap_or(message.len());
            if output.capacity() - output.len() < SPARE {
                output.reserve(output.len().max(SPARE));
            }
            self.compress
                .compress_vec(&message[taken..], &mut output, FlushCompress::Sync)
                .expect("compressing bytes cannot fail");
            let is_taken = self.compress.total_in() - begun == message.len() as u64;
            // Room that was left says that nothing is left inside.
            if is_taken && output.len() < output.capacity() {
                break;
            }
        }
        // [RFC 7692, 7.2.1] the flush ends with an empty block, whose last four bytes go without saying.
        if output.ends_with(&TAIL) {
            output.truncate(output.len() - TAIL.len());
        }
        if self.forgets {
            self.compress.reset();
        }
        output
    }
}

impl Inflater {
    pub fn new(agreed: Negotiated) -> Self {
        Self {
            decompress: Decompress::new_with_window_bits(false, agreed.client_max_window_bits),
            forgets: agreed.client_no_context_takeover,
        }
    }

    /// Appends what `data` decompresses to, unless the message becomes longer than `most` bytes.
    pub fn append(
        &mut self,
        data: &[u8],
        is_last: bool,
        most: usize,
        message: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        self.inflate(data, most, message)?;
        if is_last {
            self.inflate(&TAIL, most, message)?;
            if self.forgets {
                self.decompress.reset(false);
            }
        }
        Ok(())
    }

    fn inflate(&mut self, mut data: &[u8], most: usize, message: &mut Vec<u8>) -> Result<(), Failure> {
        loop {
            if message.len() > most {
                return Err(Failure::Oversized(message.len()));
            }
            // Grows by what came out, so that a few bytes cannot ask for the whole limit.
            message.reserve(message.len().clamp(SPARE, MAX_STEP));
            let (taken, given) = (self.decompress.total_in(), message.len());
            let status = self.decompress.decompress_vec(data, message, FlushDecompress::Sync);
            let taken = usize::try_from(self.decompress.total_in() - taken).unwrap_or(data.len());
            data = &data[taken..];
            match status {
                Err(_) => return Err(protocol(1007, "a compressed message is no deflate stream")),
                // [RFC 7692, 7.2.3.5] a final block ends the stream; the next one begins anew.
                Ok(Status::StreamEnd) => self.decompress.reset(false),
                Ok(Status::Ok | Status::BufError) => {}
            }
            if data.is_empty() && message.len() < message.capacity() {
                break;
            }
            if taken == 0 && message.len() == given {
                return Err(protocol(1007, "a compressed message is no deflate stream"));
            }
        }
        if message.len() > most { Err(Failure::Oversized(message.len())) } else { Ok(()) }
    }
}

/// The end of every flush, left out on the wire.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Room that is always made.
const SPARE: usize = 256;

/// Most room that is made at once.
const MAX_STEP: usize = 1 << 20;
