//! Which component begins after which, and when clients are let in: the real binary, and real Autobahn|Python.
#![cfg(feature = "native")]

#[path = "common/process.rs"]
mod process;
#[path = "components/world.rs"]
mod world;

use serde_json::{Value, json};

use process::{Process, RawClient, loopback, node};
use world::{Directory, python};

/// A procedure that is there after a while, and a session that needs it.
const FIRST_AND_SECOND: &str = r#"
import asyncio
from autobahn.asyncio.wamp import ApplicationSession

class First(ApplicationSession):
    async def onJoin(self, details):
        await asyncio.sleep(0.5)
        await self.register(lambda: "it is there", self.config.extra["procedure"])
        print("first is ready:", self.config.extra["procedure"])

class Second(ApplicationSession):
    async def onJoin(self, details):
        print("second calls:", await self.call(self.config.extra["procedure"]))

class Broken(ApplicationSession):
    async def onJoin(self, details):
        raise RuntimeError("no luck")

class Endless(ApplicationSession):
    async def onJoin(self, details):
        print("it goes on")
        while True:
            await asyncio.sleep(1)
"#;

fn class(name: &str, more: &Value) -> Value {
    let mut component = json!({ "type": "class", "classname": format!("order.{name}"), "realm": "realm1" });
    component.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    component
}

/// A node with these components in its router worker.
fn node_of(files: &Directory, components: &Value) -> Value {
    files.file("order.py", FIRST_AND_SECOND);
    let mut config = node(json!([{ "type": "rawsocket", "endpoint": loopback() }]));
    config["workers"][0]["options"] = json!({ "pythonpath": [files.0], "python": python() });
    config["workers"][0]["components"] = components.clone();
    config
}

/// The position of the line that contains `text`.
#[track_caller]
fn position(router: &Process, text: &str) -> usize {
    let found = router.seen.iter().position(|line| line.contains(text));
    found.unwrap_or_else(|| panic!("no {text:?} in {:#?}", router.seen))
}

/// A client finds what the first component has registered, and so does the second one.
#[track_caller]
fn first_is_found(router: &mut Process) {
    let mut client = RawClient::join(router.tcp_address());
    let result = client.request(48, &[json!({}), json!("com.example.inside")]);
    assert_eq!(result, json!([50, 1, {}, ["it is there"]]));
    router.wait_for("second calls: it is there");
    router.wait_for("wamplet is ready");
}

#[test]
fn components_and_clients_find_what_the_components_before_them_register() {
    let files = Directory::new("order");
    let extra = json!({ "extra": { "procedure": "com.example.inside" } });
    let inside = json!([class("First", &extra), class("Second", &extra)]);
    let mut router = Process::start("order", &node_of(&files, &inside));
    first_is_found(&mut router);
    assert!(position(&router, "first is ready") < position(&router, "second calls"));
}

#[test]
fn components_of_a_container_begin_one_after_the_other() {
    let files = Directory::new("order-of-a-container");
    let path = files.0.join("router");
    let mut config = node_of(&files, &json!([]));
    config["workers"][0]["transports"] =
        json!([{ "type": "rawsocket", "endpoint": { "type": "unix", "path": path } }]);
    let more = json!({
        "transport": {
            "type": "rawsocket",
            "endpoint": { "type": "unix", "path": path },
            "serializer": "cbor",
        },
        "extra": { "procedure": "com.example.contained" },
    });
    let container = json!({
        "type": "container",
        "options": config["workers"][0]["options"],
        "components": [class("First", &more), class("Second", &more)],
    });
    config["workers"].as_array_mut().expect("workers").push(container);
    let mut router = Process::start("order-of-a-container", &config);
    router.wait_for("second calls: it is there");
    assert!(position(&router, "first is ready") < position(&router, "second calls"));
    assert!(!router.seen.iter().any(|line| line.contains("starts again")), "{:#?}", router.seen);
}

#[test]
fn nobody_waits_for_a_component_that_has_failed() {
    let files = Directory::new("order-of-failures");
    let never = json!({ "restart": "never" });
    let extra = json!({ "extra": { "procedure": "com.example.inside" } });
    let components = json!([class("Broken", &never), class("First", &extra)]);
    let mut router = Process::start("order-of-failures", &node_of(&files, &components));
    router.wait_for("first is ready");
    router.wait_for("wamplet is ready");
    assert!(!router.seen.iter().any(|line| line.contains("not ready after")), "{:#?}", router.seen);
}

#[test]
fn a_component_that_fails_before_its_turn_lets_nobody_past_those_before_it() {
    let files = Directory::new("order-of-early-failures");
    let extra = json!({ "extra": { "procedure": "com.example.inside" } });
    let components = json!([
        class("First", &extra),
        class("Missing", &json!({})),
        class("Second", &extra),
        class("Missing", &json!({}))
    ]);
    let mut router = Process::start("order-of-early-failures", &node_of(&files, &components));
    first_is_found(&mut router);
    assert!(position(&router, "first is ready") < position(&router, "wamplet is ready"));
}

#[test]
fn nobody_waits_for_ever_for_a_component_that_is_never_ready() {
    let files = Directory::new("endless");
    let extra = json!({ "extra": { "procedure": "com.example.inside" } });
    let components = json!([class("Endless", &json!({})), class("First", &extra)]);
    let mut router = Process::start("endless", &node_of(&files, &components));
    let address = router.tcp_address();
    router.wait_for("it goes on");
    RawClient::join(address);
    router.wait_for("workers[0].components[1]: not ready after 10s: clients are let in");
    router.wait_for("workers[0].components[0]: not ready after 10s: the component behind it begins");
    router.wait_for("first is ready");
}
