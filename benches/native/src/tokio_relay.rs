//! The second relay: what the usual libraries make of the same task, tokio with a task per connection, tungstenite for
//! WebSocket, tokio-util's length-delimited frames for RawSocket.
//!
//! Routes like [`crate::relay`], on one thread as well; messages are passed on as the libraries give them, uncopied.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt, TryStreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// Per group its sources and its sinks.
type Groups<M> = Rc<RefCell<Vec<[Vec<UnboundedSender<M>>; 2]>>>;

/// Serves both transports on free ports of loopback, prints the ports, and never returns but with an error.
pub fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let websocket = TcpListener::bind("127.0.0.1:0").await?;
        let rawsocket = TcpListener::bind("127.0.0.1:0").await?;
        println!("{{\"ws\":{},\"rs\":{}}}", websocket.local_addr()?.port(), rawsocket.local_addr()?.port());
        tokio::try_join!(accept(websocket, relay_websocket), accept(rawsocket, relay_rawsocket))?;
        Ok(())
    })
}

async fn accept<M: 'static, R: Future<Output = Result<()>> + 'static>(
    listener: TcpListener,
    relay: fn(TcpStream, Groups<M>) -> R,
) -> Result<()> {
    let groups = Groups::<M>::default();
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        // A connection that fails ends; the generator notices.
        tokio::task::spawn_local(relay(socket, groups.clone()));
    }
}

async fn relay_websocket(socket: TcpStream, groups: Groups<Message>) -> Result<()> {
    let socket = tokio_tungstenite::accept_hdr_async(socket, choose_protocol).await?;
    let (sink, stream) = socket.split();
    let messages = stream.try_take_while(|message| std::future::ready(Ok(!message.is_close())));
    relay(sink, messages.boxed_local(), groups, |message| message.into_data(), Message::binary).await
}

async fn relay_rawsocket(mut socket: TcpStream, groups: Groups<Bytes>) -> Result<()> {
    let mut hello = [0; 4];
    socket.read_exact(&mut hello).await?;
    socket.write_all(&hello).await?;
    // The type of a message is 0, so that its header is a length of four bytes.
    let mut frames = Framed::new(socket, LengthDelimitedCodec::new());
    // As tungstenite: with the 8 KiB of its own it would write every few messages.
    frames.set_backpressure_boundary(128 << 10);
    let (sink, stream) = frames.split();
    relay(sink, stream.map_ok(|message| message.freeze()), groups, |message| message, Bytes::from_static)
        .await
}

/// Passes messages on. The first one says role and group, and gets an answer.
async fn relay<M: Clone + 'static, E: Into<anyhow::Error> + 'static>(
    mut sink: impl Sink<M, Error = E> + Unpin + 'static,
    mut stream: impl Stream<Item = Result<M, E>> + Unpin,
    groups: Groups<M>,
    into_bytes: fn(M) -> Bytes,
    message: fn(&'static [u8]) -> M,
) -> Result<()> {
    let greeting = into_bytes(stream.try_next().await.map_err(Into::into)?.context("no greeting")?);
    ensure!(greeting.len() == 2, "expected role and group");
    let (role, group) = (usize::from(greeting[0] & 1), usize::from(greeting[1]));
    sink.send(message(&[0])).await.map_err(Into::into)?;

    let (sender, mut queue) = unbounded_channel();
    {
        let mut groups = groups.borrow_mut();
        if groups.len() <= group {
            groups.resize_with(group + 1, Default::default);
        }
        groups[group][role].push(sender.clone());
    }
    tokio::task::spawn_local(async move {
        while let Some(message) = queue.recv().await {
            sink.feed(message).await?;
            if queue.is_empty() {
                sink.flush().await?;
            }
        }
        Ok::<(), E>(())
    });
    while let Ok(Some(message)) = stream.try_next().await {
        for receiver in &groups.borrow()[group][1 - role] {
            // A receiver that is leaving takes no more.
            receiver.send(message.clone()).ok();
        }
    }
    groups.borrow_mut()[group][role].retain(|member| !member.same_channel(&sender));
    Ok(())
}

#[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
fn choose_protocol(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    const PROTOCOL: &str = "Sec-WebSocket-Protocol";
    if let Some(protocol) = request.headers().get(PROTOCOL) {
        response.headers_mut().insert(PROTOCOL, protocol.clone());
    }
    Ok(response)
}
