//! What is kept of a CALL for as long as it may have to be sent once more.
//!
//! Owns its limits: of the pieces of a call, and of the bytes of a session. When it is sent again is in
//! [`invocation`](super::invocation). [wamp: advanced/rpc_call_rerouting]

use super::super::context::Context;
use super::super::fault::{self, Refusal};
use super::super::session::Joined;
use super::invocation::Caller;
use super::invoke::Terms;
use crate::auth::authorizer::Decision;
use crate::config::Limits;
use crate::id::{RequestId, SessionKey};
use crate::message::CallOptions;
use crate::payload::Payload;

/// A CALL, for as long as it may have to be sent once more: there are more pieces to come, it waits for a callee, or its
/// callee may be unavailable.
#[derive(Debug)]
pub(super) struct Kept<P> {
    pub procedure: Box<str>,
    /// Of the first piece; they hold for all.
    pub options: CallOptions<'static>,
    pub decision: Decision,
    /// What the callee that was asked last is told.
    pub terms: Option<Terms>,
    /// The payloads until now, for the next callee; none where there can be no next one.
    pub pieces: Vec<P>,
    /// Bytes of these, and of the texts of the options.
    pub length: usize,
    /// Whether the caller has more pieces to send.
    pub is_unfinished: bool,
    /// Those who were unavailable.
    pub tried: Vec<SessionKey>,
}

impl<P> Kept<P> {
    /// Nothing of the arguments yet; `None` where the options are more than the calls of the session may keep.
    pub fn new(
        cx: &mut Context<'_, P>,
        caller: Caller,
        procedure: &str,
        options: CallOptions<'_>,
        decision: Decision,
    ) -> Option<Box<Self>> {
        let length = options.passthru.text_len();
        take_room(cx, caller, length).then(|| {
            Box::new(Self {
                procedure: procedure.into(),
                is_unfinished: options.progress,
                options: options.into_owned(),
                decision,
                terms: None,
                pieces: Vec::new(),
                length,
                tried: Vec::new(),
            })
        })
    }

    /// Of a call that is sent at once.
    #[cold]
    pub fn of_sent(
        cx: &mut Context<'_, P>,
        caller: Caller,
        options: &CallOptions<'_>,
        procedure: &str,
        decision: Decision,
        terms: Terms,
        spare: Option<P>,
    ) -> Option<Box<Self>>
    where
        P: Payload,
    {
        let mut kept = Self::new(cx, caller, procedure, options.clone(), decision)?;
        kept.terms = Some(terms);
        if let Some(payload) = spare {
            kept.keep(cx, caller, payload);
        }
        Some(kept)
    }

    /// Keeps a piece more, unless that is one too many, or more than the calls of the session may keep.
    pub fn keep(&mut self, cx: &mut Context<'_, P>, caller: Caller, payload: P) -> bool
    where
        P: Payload,
    {
        let length = payload.encoded_len();
        if self.pieces.len() == KEPT_PIECES || !take_room(cx, caller, length) {
            return false;
        }
        self.length += length;
        // It may stay for long.
        self.pieces.push(payload.into_owned());
        true
    }

    /// Its call is over for the session that called.
    #[cold]
    pub fn leave(self, joined: &mut Joined, request: RequestId) {
        joined.kept_length -= self.length;
        if self.is_unfinished {
            joined.note_cut_short(request);
        }
    }

    /// There will be no other callee.
    pub fn let_pieces_go(&mut self, cx: &mut Context<'_, P>, caller: Caller) {
        self.pieces.clear();
        let left = self.options.passthru.text_len();
        let length = std::mem::replace(&mut self.length, left) - left;
        give_room_back(cx, caller, length);
    }

    /// Its call comes to nothing: it was not sent, and does not wait.
    pub fn give_up(&self, cx: &mut Context<'_, P>, caller: Caller) {
        give_room_back(cx, caller, self.length);
    }
}

/// Counts so many bytes more, unless that is more than the calls of the session may keep.
#[inline(never)] // Half a kilobyte of a browser's download.
fn take_room<P>(cx: &mut Context<'_, P>, caller: Caller, length: usize) -> bool {
    let most = cx.limits.kept_length;
    let Some(joined) = caller.session(cx) else { return true };
    let has_room = joined.kept_length + length <= most;
    joined.kept_length += if has_room { length } else { 0 };
    has_room
}

#[inline(never)]
fn give_room_back<P>(cx: &mut Context<'_, P>, caller: Caller, length: usize) {
    if let Some(joined) = caller.session(cx) {
        joined.kept_length -= length;
    }
}

pub(super) fn kept_too_much(limits: &Limits) -> Refusal {
    let most = limits.kept_length;
    let text = format!(
        "a call that waits may have {KEPT_PIECES} pieces, and all that wait of a session {most} bytes"
    );
    Refusal::new(fault::LIMIT_EXCEEDED, text)
}

/// Payloads that are kept of one call. A call with more of them is not rerouted; where it waits for a callee to be free,
/// it ends.
const KEPT_PIECES: usize = 64;
