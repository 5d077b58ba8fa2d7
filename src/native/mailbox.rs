//! A transport whose messages are fetched instead of written: what long polling needs, and the HTTP bridge.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;

use super::gate::Gate;
use super::hub::Hub;
use super::outgoing::{Framing, Peer, QueueLimits, Writer};
use crate::id::SessionKey;
use crate::router::{OpenRefused, Transport};

/// What may wait in a mailbox; what happens to more is for `limits.overflow` to say, as for all peers.
#[derive(Clone, Copy, Debug)]
pub(super) struct MailboxLimits {
    pub bytes: usize,
    pub messages: usize,
}

/// The messages for one transport. Dropping it is the end of the transport.
#[derive(Debug)]
pub(super) struct Mailbox {
    hub: Arc<Hub>,
    key: SessionKey,
    peer: Arc<Peer>,
}

impl Mailbox {
    /// Lets a transport in, whose peer authenticates as its gate says, if it has one.
    pub fn open(
        hub: &Arc<Hub>,
        transport: Transport,
        gate: Option<&Gate>,
        MailboxLimits { bytes, messages }: MailboxLimits,
    ) -> Result<Self, OpenRefused> {
        let limits = QueueLimits { bytes, messages, burst: 0, ..hub.queue_limits() };
        let peer =
            Arc::new(Peer::new(&transport.peer, transport.serializer, Framing::Later, Writer::Task, limits));
        let key = hub.open(transport, gate, Arc::clone(&peer))?;
        Ok(Self { hub: Arc::clone(hub), key, peer })
    }

    /// The transport's key, for [`Hub::handle`].
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// The next message; `None` when the router has closed the transport and nothing is left.
    pub async fn receive(&self) -> Option<Bytes> {
        poll_fn(|cx| {
            let mut outgoing = self.peer.lock();
            outgoing.set_waker(cx.waker());
            outgoing.unblock();
            match outgoing.next_message() {
                Some(message) => Poll::Ready(Some(message)),
                None if outgoing.closing.is_some() || outgoing.overflowed => Poll::Ready(None),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// The next message, if there is one.
    pub fn try_receive(&self) -> Option<Bytes> {
        self.peer.lock().next_message()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.hub.closed(self.key);
    }
}
