//! One workload of the router alone, without sockets, for whoever counts its instructions: `run.mjs` beside this file.
//!
//! `routing WORKLOAD SERIALIZER ROUNDS` routes that many calls or publications, of frames that are made beforehand and always
//! as many; so what one costs is the difference of two runs divided by the difference of their rounds. Uses nothing but
//! the public API, so that an older router can be measured with the same file.

use std::process::ExitCode;

use bytes::Bytes;
use wamplet::codec::{self, Serializer};
use wamplet::config::Config;
use wamplet::id::SessionKey;
use wamplet::payload::EncodedPayload;
use wamplet::router::{Action, Now, Outbox, Router, Transport};

/// Rounds of one run, at most.
const MOST: usize = 12_000;

struct Driver {
    router: Router<EncodedPayload>,
    outbox: Outbox<EncodedPayload>,
    serializer: Serializer,
    sent: usize,
}

impl Driver {
    fn join(&mut self) -> SessionKey {
        let transport = Transport { serializer: self.serializer, ..Transport::default() };
        let key = self.router.handle_open(transport, Now::default()).expect("far from the limit");
        self.handle(
            key,
            r#"[1,"realm1",{"roles":{"publisher":{},"subscriber":{},"caller":{},"callee":{}}}]"#,
        );
        key
    }

    fn handle(&mut self, key: SessionKey, json: &str) {
        self.route(key, self.frame(json));
    }

    fn frame(&self, json: &str) -> Bytes {
        let frame = codec::transcode(json.as_bytes(), 1, Serializer::Json, self.serializer);
        let frame = Bytes::from(frame.expect("fits every serializer"));
        // As one from a socket's buffer, it is shared already.
        drop(frame.clone());
        frame
    }

    /// As a driver does: everything that comes out is looked at.
    fn route(&mut self, key: SessionKey, frame: Bytes) {
        self.router.handle(key, frame, Now::default(), &mut self.outbox);
        for (_, action) in self.outbox.drain() {
            let Action::Send { head, payload, .. } = action else { continue };
            self.sent += usize::from(!head.is_empty() && payload.bytes.len() < 1_000_000);
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [workload, serializer, rounds] = arguments.as_slice() else { return usage() };
    let serializer = Serializer::ALL.into_iter().find(|known| known.name() == serializer);
    let rounds = rounds.parse().ok().filter(|rounds| *rounds <= MOST);
    let (Some(serializer), Some(rounds)) = (serializer, rounds) else { return usage() };
    let router = Router::new(Config::default(), [7; 32]);
    let mut driver = Driver { router, outbox: Outbox::new(), serializer, sent: 0 };
    let expected = match workload.as_str() {
        "call" => call(&mut driver, rounds),
        "publish" => publish(&mut driver, 1, rounds),
        "fan" => publish(&mut driver, 64, rounds),
        _ => return usage(),
    };
    // A workload that was refused is no measurement.
    assert_eq!(driver.sent, expected, "not everything was routed");
    ExitCode::SUCCESS
}

/// One call at a time; answers how many messages that must be.
fn call(driver: &mut Driver, rounds: usize) -> usize {
    let (callee, caller) = (driver.join(), driver.join());
    driver.handle(callee, r#"[64,1,{},"com.myapp.procedure1"]"#);
    let frames: Vec<[Bytes; 2]> = (1..=MOST)
        .map(|id| {
            let call = format!(r#"[48,{id},{{}},"com.myapp.procedure1",["hello",{id}]]"#);
            [driver.frame(&call), driver.frame(&format!(r#"[70,{id},{{}},["world",{id}]]"#))]
        })
        .collect();
    for [call, answer] in &frames[..rounds] {
        driver.route(caller, call.clone());
        driver.route(callee, answer.clone());
    }
    3 + 2 * rounds
}

fn publish(driver: &mut Driver, subscribers: usize, rounds: usize) -> usize {
    for _ in 0..subscribers {
        let subscriber = driver.join();
        driver.handle(subscriber, r#"[32,1,{},"com.myapp.topic1"]"#);
    }
    let publisher = driver.join();
    let frames: Vec<Bytes> = (1..=MOST)
        .map(|id| driver.frame(&format!(r#"[16,{id},{{}},"com.myapp.topic1",["hello",{id}],{{"k":true}}]"#)))
        .collect();
    for frame in &frames[..rounds] {
        driver.route(publisher, frame.clone());
    }
    1 + 2 * subscribers + subscribers * rounds
}

#[expect(clippy::print_stderr, reason = "a program for people")]
fn usage() -> ExitCode {
    eprintln!("usage: routing call|publish|fan json|msgpack|cbor ROUNDS, of which there are at most {MOST}");
    ExitCode::FAILURE
}
