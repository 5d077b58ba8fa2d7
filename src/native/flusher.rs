//! One write for each peer and turn of a thread: what was sent waits until everybody who could be read has been read.
//!
//! Owns the list of peers to write to. A turn of a thread is what it does between two looks at its sockets: the flusher is
//! a task that is woken by the first message and runs behind the connections that were ready with it. Ten publishers who
//! were ready together cause one write for each of their subscribers, not ten.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::outgoing::Peer;

/// What one thread has to write.
struct Pending {
    touched: Vec<Arc<Peer>>,
    /// Of the thread's flusher, if it has one.
    waker: Option<Waker>,
}

thread_local! {
    static PENDING: RefCell<Pending> = const { RefCell::new(Pending { touched: Vec::new(), waker: None }) };
    /// Whether the connection of this thread whose turn it is has to end it.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

/// Lends `put` the list of peers to write to, and sees to it that they are written to.
pub(super) fn flush_after<T>(put: impl FnOnce(&mut Vec<Arc<Peer>>) -> T) -> T {
    let mut touched = PENDING.with_borrow_mut(|pending| std::mem::take(&mut pending.touched));
    let is_new = touched.is_empty();
    let answer = put(&mut touched);
    PENDING.with_borrow_mut(|pending| {
        match &pending.waker {
            Some(waker) if is_new && !touched.is_empty() => waker.wake_by_ref(),
            Some(_) => {}
            // A thread without a flusher: a program that only holds a hub.
            None => touched.drain(..).for_each(|peer| peer.flush()),
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
            std::mem::take(&mut pending.touched)
        });
        touched.drain(..).for_each(|peer| peer.flush());
        // Its memory stays for the next turn.
        PENDING.with_borrow_mut(|pending| pending.touched = touched);
        Poll::Pending
    })
    .await
}
