//! Few writes: what was sent waits until everybody who could be read has been read, or until it is worth its writes.
//!
//! Owns the list of peers to write to. A turn of a thread is what it does between two looks at its sockets: the flusher is
//! a task that is woken by the first message and runs behind the connections that were ready with it. Ten publishers who
//! were ready together cause one write for each of their subscribers, not ten. Only where many messages wait for few peers
//! these have them at once, and work on them while the thread reads on: peers that got everything at the end of a turn
//! would sleep until then, and the thread would sleep while they work.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::outgoing::Peer;

/// Messages for each peer to write to, on average, that are worth the writes. Measured: with any number from 4 to 16, calls
/// cost the same.
const WORTH_A_WRITE: usize = 8;

/// Time after which the messages of one connection wait for its next turn: a few may be for thousands of subscribers each.
const TURN: Duration = Duration::from_millis(2);

/// The peers to write to.
pub(super) struct Touched {
    peers: Vec<Arc<Peer>>,
    /// What was put in for them.
    messages: usize,
}

impl Touched {
    const fn new() -> Self {
        Self { peers: Vec::new(), messages: 0 }
    }

    /// Takes note of a message for a peer that is not among these.
    pub fn put_first(&mut self, peer: &Arc<Peer>) {
        self.peers.push(Arc::clone(peer));
        self.messages += 1;
    }

    /// Takes note of a message for one of these.
    pub fn put_behind(&mut self) {
        self.messages += 1;
    }

    /// How many were put in since the last writes.
    pub fn messages(&self) -> usize {
        self.messages
    }

    fn is_worth_writing(&self) -> bool {
        self.messages >= WORTH_A_WRITE * self.peers.len()
    }

    fn flush(&mut self) {
        self.messages = 0;
        self.peers.drain(..).for_each(|peer| peer.flush());
    }
}

/// How long the messages of one connection have been handled: others want to be handled, too.
#[derive(Default)]
pub(super) struct Turn {
    begun: Option<Instant>,
}

impl Turn {
    /// Whether it is over; asked for the first time, it begins.
    pub fn is_over(&mut self) -> bool {
        match self.begun {
            Some(begun) => begun.elapsed() >= TURN,
            None => {
                self.begun = Some(Instant::now());
                false
            }
        }
    }
}

/// What one thread has to write.
struct Pending {
    touched: Touched,
    /// Of the thread's flusher, once it runs.
    waker: Option<Waker>,
}

thread_local! {
    static PENDING: RefCell<Pending> = const { RefCell::new(Pending { touched: Touched::new(), waker: None }) };
    /// Whether the connection of this thread whose turn it is has to end it.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

/// Lends `put` the list of peers to write to, and sees to it that they are written to.
pub(super) fn flush_after<T>(put: impl FnOnce(&mut Touched) -> T) -> T {
    let mut touched =
        PENDING.with_borrow_mut(|pending| std::mem::replace(&mut pending.touched, Touched::new()));
    let is_new = touched.peers.is_empty();
    let answer = put(&mut touched);
    PENDING.with_borrow_mut(|pending| {
        match &pending.waker {
            Some(waker) if !touched.is_worth_writing() => {
                if is_new {
                    waker.wake_by_ref();
                }
            }
            // Or before the flusher runs: the first sessions of the HTTP bridge join at the start.
            _ => touched.flush(),
        }
        pending.touched = touched;
    });
    answer
}

/// Has the connection whose messages are handled read no more in this turn: somebody has to write first.
pub(super) fn end_turn() {
    ENDS.set(true);
}

/// Whether somebody said so since this was asked.
pub(super) fn is_turn_over() -> bool {
    ENDS.replace(false)
}

/// The flusher of the thread that runs it. Never ends.
pub(super) async fn run() {
    poll_fn(|cx| {
        let mut touched = PENDING.with_borrow_mut(|pending| {
            pending.waker = Some(cx.waker().clone());
            std::mem::replace(&mut pending.touched, Touched::new())
        });
        touched.flush();
        // Its memory stays for the next turn.
        PENDING.with_borrow_mut(|pending| pending.touched = touched);
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::super::outgoing::{BURST, Framing, QueueLimits, Queued, Writer};
    use super::*;
    use crate::codec::Serializer;
    use crate::config::Overflow;
    use crate::payload::EncodedPayload;

    fn peer(writer: Writer) -> Arc<Peer> {
        let limits =
            QueueLimits { bytes: 1 << 20, messages: usize::MAX, burst: BURST, overflow: Overflow::Close };
        Arc::new(Peer::new("test", Serializer::Json, Framing::RawSocket, writer, limits))
    }

    fn put(peer: &Arc<Peer>, messages: usize) {
        flush_after(|touched| {
            for _ in 0..messages {
                match peer.send(b"[]", EncodedPayload::default(), false) {
                    Queued::First => touched.put_first(peer),
                    queued => {
                        assert_eq!(queued, Queued::Behind);
                        touched.put_behind();
                    }
                }
            }
        });
    }

    fn waits(peer: &Peer) -> bool {
        !peer.lock().queue.is_empty()
    }

    #[tokio::test]
    async fn messages_wait_for_the_end_of_the_turn_unless_they_are_worth_their_writes() -> std::io::Result<()>
    {
        let ((here, _there), (here_too, _there_too)) = (UnixStream::pair()?, UnixStream::pair()?);
        let one = peer(Writer::Unix(here.into_split().1));
        let other = peer(Writer::Unix(here_too.into_split().1));
        tokio::spawn(run());
        tokio::task::yield_now().await;

        put(&one, 1);
        put(&other, WORTH_A_WRITE);
        assert!(waits(&one) && waits(&other));
        tokio::task::yield_now().await;
        assert!(!waits(&one) && !waits(&other));

        put(&one, 1);
        put(&other, WORTH_A_WRITE);
        put(&one, WORTH_A_WRITE - 1);
        assert!(!waits(&one) && !waits(&other));
        Ok(())
    }
}
