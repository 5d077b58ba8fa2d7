//! The quick way through a frame: what is plainly well-formed, without tokens and without texts for what is not.
//!
//! Owns speed and nothing else. Everything here answers "well-formed, and it ends there" or `None`, which means "I do not
//! know": then the careful reader reads the same bytes again, and has the last word and the error. So nothing may pass
//! here that would not pass there, with the same message and the same span; the tests below compare the two. Not in the
//! browser's build, which has the careful readers only: they are smaller.

use crate::id::{MAX_ID, RequestId};
use crate::message::{CallOptions, Message, MessageType, PublishOptions, YieldOptions};

use super::keys::Key;
use super::{DecodeLimits, TailSpan};

mod alike;
mod binary;
mod cbor;
mod json;
mod layouts;
mod msgpack;
mod records;
#[cfg(test)]
mod tests;

pub(super) use cbor::CborScan;
pub(super) use json::JsonScan;
use layouts::Alike;
pub(crate) use layouts::Layouts;
pub(super) use msgpack::MsgPackScan;

/// Reads one serializer's bytes, front to back.
pub(super) trait Scan<'a> {
    /// How its tails are alike.
    type Tails: Alike;

    /// What it reads.
    fn frame(&self) -> &'a [u8];

    /// Enters the message array.
    fn begin(&mut self) -> Option<Elements>;

    /// Moves on to the next element of the message array, if it has one. Behind the last one the frame must end.
    fn element(&mut self, elements: &mut Elements) -> Option<bool>;

    /// Leaves a map, if it is empty.
    fn empty_map(&mut self) -> bool;

    /// Enters a map.
    fn begin_map(&mut self) -> Option<Pairs>;

    /// Takes the next key of a map, which must be a text, if there is one; else leaves the map.
    fn key(&mut self, pairs: &mut Pairs) -> Option<Option<&'a str>>;

    /// An integer from 0 in the form of one.
    fn uint(&mut self) -> Option<u64>;

    fn bool(&mut self) -> Option<bool>;

    /// A text that stands in the frame as it is.
    fn text(&mut self) -> Option<&'a str>;

    /// Leaves an item, which may have to be a list or a map, with at most `levels` levels of lists and maps.
    fn item(&mut self, levels: usize) -> Option<()>;

    /// Leaves a list with at most `levels` levels of lists and maps, itself included.
    fn list(&mut self, levels: usize) -> Option<()>;

    /// Leaves a map with texts for keys and at most `levels` levels of lists and maps, itself included.
    fn map(&mut self, levels: usize) -> Option<()>;

    /// The byte at which the next token begins, or behind the last one.
    fn position(&self) -> usize;
}

/// The text that these bytes are.
#[inline]
pub(crate) fn utf8(bytes: &[u8]) -> Option<&str> {
    // Short texts are no work for vector instructions.
    if bytes.len() < 64 { std::str::from_utf8(bytes).ok() } else { simdutf8::basic::from_utf8(bytes).ok() }
}

/// Elements of the message array that are still to come; unknown, in JSON.
pub(super) type Elements = u8;

/// A map on the way.
pub(super) struct Pairs {
    /// How many are still to come; unknown, in JSON.
    left: u64,
    is_first: bool,
}

/// Reads a message of a type that there are many of, with options that are numbers and booleans.
#[inline]
pub(super) fn decode<'a, S: Scan<'a>, P>(
    mut scan: S,
    limits: &DecodeLimits,
    layouts: Option<&mut Layouts>,
    payload: impl Fn(TailSpan) -> P,
) -> Option<Message<'a, P>> {
    // Of the levels that a frame may have the message array is one, and the tail must have another.
    let levels = limits.depth.checked_sub(1).filter(|levels| *levels > 0)?;
    let scan = &mut scan;
    let elements = &mut scan.begin()?;
    let code = MessageType::from_code(scan.uint()?)?;
    if !matches!(code, MessageType::Call | MessageType::Yield | MessageType::Publish) {
        return None;
    }
    required(scan, elements)?;
    let request = RequestId(scan.uint().filter(|id| (1..=MAX_ID).contains(id))?);
    required(scan, elements)?;
    let is_default = scan.empty_map();
    Some(match code {
        MessageType::Call => {
            let options = if is_default { CallOptions::default() } else { call_options(scan)? };
            required(scan, elements)?;
            let procedure = scan.text()?.into();
            let payload = payload(layouts::tail(scan, elements, levels, layouts)?);
            Message::Call { request, options, procedure, payload }
        }
        MessageType::Publish => {
            let options = if is_default { PublishOptions::default() } else { publish_options(scan)? };
            required(scan, elements)?;
            let topic = scan.text()?.into();
            let payload = payload(layouts::tail(scan, elements, levels, layouts)?);
            Message::Publish { request, options, topic, payload }
        }
        _ => {
            let options = if is_default { YieldOptions::default() } else { yield_options(scan)? };
            let payload = payload(layouts::tail(scan, elements, levels, layouts)?);
            Message::Yield { request, options, payload }
        }
    })
}

#[inline(never)]
fn call_options<'a, S: Scan<'a>>(scan: &mut S) -> Option<CallOptions<'a>> {
    let mut options = CallOptions::default();
    let (mut pairs, mut seen) = (scan.begin_map()?, 0);
    while let Some(key) = known_key(scan, &mut pairs, &mut seen)? {
        match key {
            Key::DiscloseMe => options.disclose_me = scan.bool()?,
            Key::Progress => options.progress = scan.bool()?,
            Key::ReceiveProgress => options.receive_progress = scan.bool()?,
            Key::Timeout => options.timeout = scan.uint()?,
            _ => return None,
        }
    }
    Some(options)
}

#[inline(never)]
fn publish_options<'a, S: Scan<'a>>(scan: &mut S) -> Option<PublishOptions<'a>> {
    let mut options = PublishOptions::default();
    let (mut pairs, mut seen) = (scan.begin_map()?, 0);
    while let Some(key) = known_key(scan, &mut pairs, &mut seen)? {
        match key {
            Key::Acknowledge => options.acknowledge = scan.bool()?,
            Key::DiscloseMe => options.disclose_me = scan.bool()?,
            Key::ExcludeMe => options.exclude_me = scan.bool()?,
            Key::Retain => options.retain = scan.bool()?,
            Key::RetainMs => options.retain_ms = Some(scan.uint().filter(|ms| *ms > 0)?),
            _ => return None,
        }
    }
    Some(options)
}

#[inline(never)]
fn yield_options<'a, S: Scan<'a>>(scan: &mut S) -> Option<YieldOptions<'a>> {
    let mut options = YieldOptions::default();
    let (mut pairs, mut seen) = (scan.begin_map()?, 0);
    while let Some(key) = known_key(scan, &mut pairs, &mut seen)? {
        match key {
            Key::Progress => options.progress = scan.bool()?,
            _ => return None,
        }
    }
    Some(options)
}

/// The next key of options, which must be known and new.
fn known_key<'a, S: Scan<'a>>(scan: &mut S, pairs: &mut Pairs, seen: &mut u64) -> Option<Option<Key>> {
    let Some(name) = scan.key(pairs)? else { return Some(None) };
    let key = Key::from_name(name)?;
    let is_new = *seen & key.bit() == 0;
    *seen |= key.bit();
    is_new.then_some(Some(key))
}

fn required<'a, S: Scan<'a>>(scan: &mut S, elements: &mut Elements) -> Option<()> {
    scan.element(elements)?.then_some(())
}

/// Leaves the tail, of which `elements` are to come and behind which the frame must end, item by item.
fn walked_tail<'a, S: Scan<'a>>(scan: &mut S, elements: &mut Elements, levels: usize) -> Option<TailSpan> {
    if !scan.element(elements)? {
        return Some(TailSpan::default());
    }
    let start = scan.position();
    scan.list(levels)?;
    let end = scan.position();
    if !scan.element(elements)? {
        return Some(TailSpan { start, end, elements: 1 });
    }
    scan.map(levels)?;
    let end = scan.position();
    if scan.element(elements)? {
        return None;
    }
    Some(TailSpan { start, end, elements: 2 })
}

/// [`Scan::element`] where the message array says how many it has.
#[inline]
fn counted_element(left: &mut Elements, is_at_end: bool) -> Option<bool> {
    if let Some(less) = left.checked_sub(1) {
        *left = less;
        return Some(true);
    }
    is_at_end.then_some(false)
}

/// [`Scan::key`] where a map says how many it has.
#[inline]
fn counted_key<'a, S: Scan<'a>>(scan: &mut S, pairs: &mut Pairs) -> Option<Option<&'a str>> {
    let Some(left) = pairs.left.checked_sub(1) else { return Some(None) };
    pairs.left = left;
    scan.text().map(Some)
}

/// [`Scan::map`] where other keys are well-formed, too.
#[inline]
fn text_keyed_map<'a, S: Scan<'a>>(scan: &mut S, levels: usize) -> Option<()> {
    let levels = levels.checked_sub(1)?;
    let mut pairs = scan.begin_map()?;
    while scan.key(&mut pairs)?.is_some() {
        scan.item(levels)?;
    }
    Some(())
}

/// The text of `len` bytes that begins at `start`. Leaves `at` behind it, before it is looked at: that is quicker, and
/// where it is none nobody goes on.
#[inline]
fn text<'a>(bytes: &'a [u8], start: usize, len: u64, at: &mut usize) -> Option<&'a str> {
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    *at = end;
    std::str::from_utf8(bytes.get(start..end)?).ok()
}
