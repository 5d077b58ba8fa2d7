//! WebSocket and RawSocket frames as pure functions, for the generator and for the lean relay alike.

use std::ops::Range;

use anyhow::{Result, bail, ensure};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    WebSocket,
    RawSocket,
}

/// The generator's key and its only right answer, so that no relay needs SHA-1. They are the example of RFC 6455.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
pub const PONG: u8 = 10;

/// Larger than any message of a workload; a longer one means that frame boundaries were lost.
const LONGEST: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Message,
    Ping,
    Pong,
    Close,
}

pub struct Frame {
    pub kind: Kind,
    /// The first byte of a WebSocket frame: what a relay passes on unchanged.
    pub first: u8,
    pub mask: Option<[u8; 4]>,
    /// Relative to the bytes given; still masked, if there is a mask.
    pub body: Range<usize>,
}

/// The frame at the start of `bytes`, or `None` if that is not there as a whole.
pub fn parse(transport: Transport, bytes: &[u8]) -> Result<Option<Frame>> {
    let header = match transport {
        Transport::WebSocket => parse_websocket(bytes)?,
        Transport::RawSocket => parse_rawsocket(bytes)?,
    };
    let Some((kind, mask, start, length)) = header else { return Ok(None) };
    ensure!(length <= LONGEST, "a frame of {length} bytes");
    if bytes.len() < start + length {
        return Ok(None);
    }
    Ok(Some(Frame { kind, first: bytes[0], mask, body: start..start + length }))
}

type Header = (Kind, Option<[u8; 4]>, usize, usize);

#[inline]
fn parse_websocket(bytes: &[u8]) -> Result<Option<Header>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let (length, mut start) = match (second & 0x7f, rest) {
        (126, [a, b, ..]) => (usize::from(u16::from_be_bytes([*a, *b])), 4),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]) as usize, 10)
        }
        (126 | 127, _) => return Ok(None),
        (length, _) => (usize::from(length), 2),
    };
    let kind = match first & 0x0f {
        TEXT | BINARY => Kind::Message,
        CLOSE => Kind::Close,
        PING => Kind::Ping,
        PONG => Kind::Pong,
        opcode => bail!("an unexpected WebSocket opcode {opcode}"),
    };
    ensure!(first & 0xf0 == 0x80, "a WebSocket frame that is fragmented or compressed");
    let mut mask = None;
    if second & 0x80 != 0 {
        let Some(key) = bytes.get(start..start + 4) else { return Ok(None) };
        mask = Some([key[0], key[1], key[2], key[3]]);
        start += 4;
    }
    Ok(Some((kind, mask, start, length)))
}

#[inline]
fn parse_rawsocket(bytes: &[u8]) -> Result<Option<Header>> {
    let [kind, a, b, c, ..] = bytes else { return Ok(None) };
    let kind = match kind {
        0 => Kind::Message,
        1 => Kind::Ping,
        2 => Kind::Pong,
        _ => bail!("an unexpected RawSocket frame type {kind}"),
    };
    Ok(Some((kind, None, 4, u32::from_be_bytes([0, *a, *b, *c]) as usize)))
}

/// Appends a client's WebSocket frame around what `write` appends.
pub fn write_masked(opcode: u8, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    // Any mask costs the server the same, unless it is zero.
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    // Room for the longer of the two headers that a workload needs; a short message moves up afterwards.
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    write(out);
    let length = out.len() - start - 8;
    if length <= 125 {
        out.copy_within(start + 8.., start + 6);
        out.truncate(out.len() - 2);
        out[start..start + 2].copy_from_slice(&[0x80 | opcode, 0x80 | length as u8]);
        out[start + 2..start + 6].copy_from_slice(&MASK);
        unmask(&mut out[start + 6..], MASK);
    } else {
        let length = u16::try_from(length).expect("messages of the workloads are short");
        out[start..start + 2].copy_from_slice(&[0x80 | opcode, 0x80 | 126]);
        out[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
        out[start + 4..start + 8].copy_from_slice(&MASK);
        unmask(&mut out[start + 8..], MASK);
    }
}

/// Appends a server's WebSocket frame with the body of a client's.
#[inline]
pub fn write_unmasked(first: u8, body: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    match body.len() {
        length @ 0..=125 => out.extend_from_slice(&[first, length as u8]),
        length @ 126..=0xffff => out.extend_from_slice(&[first, 126, (length >> 8) as u8, length as u8]),
        length => {
            out.extend_from_slice(&[first, 127]);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let start = out.len();
    out.extend_from_slice(body);
    unmask(&mut out[start..], mask);
}

/// Appends a RawSocket frame around what `write` appends.
pub fn write_raw(kind: u8, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    out[start] = kind;
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (index, byte) in rest.iter_mut().enumerate() {
        *byte ^= mask[index % 4];
    }
}

/// Where the head of an HTTP message ends, the empty line included.
pub fn end_of_http(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_masks_a_relay_unmasks() {
        for length in [0, 1, 7, 125, 126, 127, 1000, 65_535] {
            let body: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let mut sent = b"before".to_vec();
            write_masked(BINARY, &mut sent, |out| out.extend_from_slice(&body));
            let sent = &sent[6..];
            for cut in [0, 1, sent.len() - 1] {
                assert!(
                    matches!(parse(Transport::WebSocket, &sent[..cut]), Ok(None)),
                    "{length}: cut at {cut}"
                );
            }
            let frame = parse(Transport::WebSocket, sent).expect("a frame").expect("all of it");
            let mut relayed = Vec::new();
            write_unmasked(frame.first, &sent[frame.body], frame.mask.expect("a mask"), &mut relayed);
            let frame = parse(Transport::WebSocket, &relayed).expect("a frame").expect("all of it");
            assert!(frame.mask.is_none());
            assert_eq!(relayed[frame.body], body);
        }
    }

    #[test]
    fn a_rawsocket_frame_comes_back_as_it_was_written() {
        let mut sent = Vec::new();
        write_raw(0, &mut sent, |out| out.extend_from_slice(&[7; 300]));
        assert!(matches!(parse(Transport::RawSocket, &sent[..303]), Ok(None)));
        let frame = parse(Transport::RawSocket, &sent).expect("a frame").expect("all of it");
        assert_eq!(sent[frame.body], [7; 300]);
    }
}
