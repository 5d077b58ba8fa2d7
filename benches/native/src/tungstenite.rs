//! The second relay: WebSocket as most servers in Rust have it, tokio with a task per connection and tungstenite.
//!
//! Routes like [`crate::relay`], on one thread as well; messages are passed on as the library gives them, uncopied.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

/// Per group its sources and its sinks.
type Groups = Rc<RefCell<Vec<[Vec<UnboundedSender<Message>>; 2]>>>;

/// Serves WebSocket on a free port of loopback, prints the port, and never returns but with an error.
pub fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{{\"ws\":{}}}", listener.local_addr()?.port());
        let groups = Groups::default();
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let groups = groups.clone();
            // A connection that fails ends; the generator notices.
            tokio::task::spawn_local(async move { relay(socket, groups).await.ok() });
        }
    })
}

async fn relay(socket: TcpStream, groups: Groups) -> Result<()> {
    let socket = tokio_tungstenite::accept_hdr_async(socket, choose_protocol).await?;
    let (mut sink, mut stream) = socket.split();
    let greeting = stream.next().await.context("no greeting")??.into_data();
    ensure!(greeting.len() == 2, "expected role and group");
    let (role, group) = (usize::from(greeting[0] & 1), usize::from(greeting[1]));
    sink.send(Message::binary(vec![0])).await?;

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
        anyhow::Ok(())
    });
    while let Some(Ok(message)) = stream.next().await {
        if message.is_close() {
            break;
        }
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
