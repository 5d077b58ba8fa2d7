//! What broker, dealer and meta API need from the router while they handle one input.

use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use super::fault::Refusal;
use super::outbox::Outbox;
use super::question::Questions;
use super::session::Sessions;
use super::timers::Timers;
use crate::config::Limits;
use crate::id::{MAX_ID, RequestId, SessionKey};
use crate::message::{Message, MessageType, Passthru};
use crate::payload::{Payload, Values};

/// The time, told by the driver with every input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds that only ever grow; for deadlines.
    pub mono_ms: u64,
    /// Nanoseconds since 1970-01-01 UTC; for what people read.
    pub unix_ns: u64,
}

/// The router's parts, borrowed for the time of one input.
pub(crate) struct Context<'a, P> {
    pub sessions: &'a mut Sessions,
    pub timers: &'a mut Timers,
    pub questions: &'a mut Questions,
    pub random: &'a mut Random,
    pub limits: &'a Limits,
    pub now: Now,
    pub outbox: &'a mut Outbox<P>,
}

impl<P: Payload> Context<'_, P> {
    /// Answers a request with ERROR; without its sentence, where the peer cannot take that much.
    pub(crate) fn send_error(
        &mut self,
        key: SessionKey,
        request_type: MessageType,
        request: RequestId,
        refusal: &Refusal,
    ) {
        let Some(session) = self.sessions.get(key) else { return };
        let accepts = session.transport.accepts();
        let payload =
            own_payload(P::from_values(&Values::args([refusal.text.as_str().into()])), accepts.serializer);
        let error = |payload| {
            let details = Passthru::default();
            Message::Error { request_type, request, details, error: refusal.error.into(), payload }
        };
        if !self.outbox.try_send(key, accepts, error(payload)) {
            self.outbox.send(key, accepts, error(P::default()));
        }
    }
}

/// A payload of the router's own, for a receiver.
pub(crate) fn own_payload<P: Payload>(payload: P, serializer: crate::codec::Serializer) -> P {
    payload.into_serializer(serializer).expect("the router's own values fit every serializer")
}

/// The one source of chance: ids, authids, and the choice of a random callee.
#[derive(Debug)]
pub(crate) struct Random(ChaCha12Rng);

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// An id of global scope: uniform over `1..=2^53`.
    pub(crate) fn id(&mut self) -> u64 {
        self.next_u64() % MAX_ID + 1
    }

    /// Chance for a challenge.
    pub(crate) fn entropy(&mut self) -> [u8; 32] {
        let mut entropy = [0; 32];
        for chunk in entropy.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes());
        }
        entropy
    }

    /// A number below `end`, which is not zero. The bias is below `end` / 2^64.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next_u64() % end as u64).expect("less than a usize")
    }

    /// An authid for an anonymous session.
    pub(crate) fn authid(&mut self) -> String {
        serial(|_, end| self.below(end))
    }
}

/// An authid of six groups of four characters that people do not mix up: for each position, what is chosen below an end.
pub(crate) fn serial(mut choose: impl FnMut(usize, usize) -> usize) -> String {
    const ALPHABET: &[u8; 27] = b"345679ACEFGHJKLMNPQRSTUVWXY";
    let mut authid = String::with_capacity(29);
    for position in 0..24 {
        if position > 0 && position % 4 == 0 {
            authid.push('-');
        }
        authid.push(ALPHABET[choose(position, ALPHABET.len())] as char);
    }
    authid
}
