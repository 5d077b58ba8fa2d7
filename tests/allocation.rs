//! The warm paths allocate nothing, and what stays takes little: a counting global allocator proves it.
//!
//! Alone in its process and in one test, because the counter counts every thread.

#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use wamplet::codec::{self, Serializer};
use wamplet::config::Config;
use wamplet::id::SessionKey;
use wamplet::payload::EncodedPayload;
use wamplet::router::pattern_index::PatternIndex;
use wamplet::router::{Action, Now, Outbox, Router, Transport};
use wamplet::uri::MatchPolicy;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every method passes its arguments on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Driver {
    router: Router<EncodedPayload>,
    outbox: Outbox<EncodedPayload>,
}

impl Driver {
    fn new() -> Self {
        Self { router: Router::new(Config::default(), [7; 32]), outbox: Outbox::new() }
    }

    fn join(&mut self, serializer: Serializer) -> SessionKey {
        let transport = Transport { serializer, ..Transport::default() };
        let key = self.router.handle_open(transport, Now::default()).expect("far from the limit");
        let hello = r#"[1,"realm1",{"roles":{"publisher":{},"subscriber":{},"caller":{},"callee":{}}}]"#;
        assert_eq!(self.handle(key, frame(serializer, hello)), 1);
        key
    }

    /// Handles a frame and looks at what comes out, as a driver does; answers how many messages that are.
    fn handle(&mut self, key: SessionKey, frame: Bytes) -> usize {
        self.router.handle(key, frame, Now::default(), &mut self.outbox);
        let mut sent = 0;
        for (_, action) in self.outbox.drain() {
            let Action::Send { head, payload, .. } = action else { panic!("nobody is closed") };
            assert!(!head.is_empty() && payload.bytes.len() < 1_000);
            sent += 1;
        }
        sent
    }
}

/// A frame that is shared already, as one that came from a socket's read buffer is.
fn frame(serializer: Serializer, json: &str) -> Bytes {
    let bytes = codec::transcode(json.as_bytes(), 1, Serializer::Json, serializer);
    let bytes = Bytes::from(bytes.expect("a test message fits every serializer"));
    // A `Bytes` made from a `Vec` allocates its counter when it is cloned for the first time.
    drop(bytes.clone());
    bytes
}

/// How many allocations `run` makes.
fn allocations(run: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    run();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// Publishes 300 times to 1000 subscribers; the first 100 times warm it up.
fn publish_to_a_thousand(from: Serializer, receivers: &[Serializer], options: &str, patterns: bool) -> usize {
    let mut d = Driver::new();
    for receiver in receivers.iter().cycle().take(1_000) {
        let key = d.join(*receiver);
        let subscribe = frame(*receiver, r#"[32,1,{},"com.myapp.topic1"]"#);
        assert_eq!(d.handle(key, subscribe), 1);
        if patterns {
            let subscribe = frame(*receiver, r#"[32,2,{"match":"prefix"},"com.myapp."]"#);
            assert_eq!(d.handle(key, subscribe), 1);
            let subscribe = frame(*receiver, r#"[32,3,{"match":"wildcard"},"com..topic1"]"#);
            assert_eq!(d.handle(key, subscribe), 1);
        }
    }
    let events = if patterns { 3_000 } else { 1_000 };
    let publisher = d.join(from);
    let publish = |id: u32| {
        frame(from, &format!(r#"[16,{id},{options},"com.myapp.topic1",["hello",{id},[1.5]],{{"k":true}}]"#))
    };
    for id in 1..=100 {
        d.handle(publisher, publish(id));
    }
    let frames: Vec<Bytes> = (101..=300).map(publish).collect();
    allocations(|| {
        for frame in frames {
            assert!(d.handle(publisher, frame) >= events);
        }
    })
}

/// Calls 3000 times, one in flight; the first 1000 times warm it up.
fn call_and_yield(caller: Serializer, callee: Serializer, options: &str) -> usize {
    let mut d = Driver::new();
    let (callee_key, caller_key) = (d.join(callee), d.join(caller));
    assert_eq!(d.handle(callee_key, frame(callee, r#"[64,1,{},"com.myapp.procedure1"]"#)), 1);
    let frames: Vec<[Bytes; 2]> = (1..=3_000)
        .map(|id| {
            [
                frame(caller, &format!(r#"[48,{id},{options},"com.myapp.procedure1",["hello",{id}]]"#)),
                frame(callee, &format!(r#"[70,{id},{{}},["world",{id}]]"#)),
            ]
        })
        .collect();
    let mut round = |[call, answer]: &[Bytes; 2]| {
        assert_eq!(d.handle(caller_key, call.clone()), 1);
        assert_eq!(d.handle(callee_key, answer.clone()), 1);
    };
    frames[..1_000].iter().for_each(&mut round);
    allocations(|| frames[1_000..].iter().for_each(&mut round))
}

#[test]
fn the_warm_paths_allocate_nothing() {
    use Serializer::{Cbor, Json, MsgPack};
    // That the counter counts at all.
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(7)))), 1);

    for serializer in Serializer::ALL {
        let count = publish_to_a_thousand(serializer, &[serializer], "{}", false);
        assert_eq!(count, 0, "{serializer:?}: a publication to 1000 subscribers");
        let count = publish_to_a_thousand(serializer, &[serializer], r#"{"acknowledge":true}"#, true);
        assert_eq!(count, 0, "{serializer:?}: an acknowledged publication to 1000 subscribers of patterns");
        let count = publish_to_a_thousand(serializer, &[serializer], r#"{"disclose_me":true}"#, false);
        assert_eq!(count, 0, "{serializer:?}: a publication that reveals its publisher");
    }
    // 200 publications from JSON to the other two: the cost is per publication and serializer, not per receiver.
    // Transcoding a small payload takes five allocations.
    let count = publish_to_a_thousand(Json, &[Json, MsgPack, Cbor], "{}", false);
    assert!(count <= 200 * 2 * 5, "mixed serializers: {count} allocations");

    for serializer in Serializer::ALL {
        for options in ["{}", r#"{"disclose_me":true,"receive_progress":true}"#, r#"{"timeout":60000}"#] {
            let count = call_and_yield(serializer, serializer, options);
            assert_eq!(count, 0, "{serializer:?} {options}: a call and its result");
        }
    }
    // 2000 calls and results, each transcoded.
    let count = call_and_yield(Json, MsgPack, "{}");
    assert!(count <= 2_000 * 2 * 5, "mixed serializers: {count} allocations");

    // A pattern takes memory for its text, whatever it is made of: a session may have thousands.
    let patterns: Vec<String> = (0..1_000).map(|number| format!("x{number}{}.", ".a".repeat(62))).collect();
    for policy in [MatchPolicy::Prefix, MatchPolicy::Wildcard] {
        let mut index = PatternIndex::new(7);
        let count = allocations(|| {
            for pattern in &patterns {
                index.insert(pattern, policy, 1);
            }
        });
        assert!(count <= 6 * patterns.len(), "1000 patterns ({}): {count} allocations", policy.as_str());
    }
}
