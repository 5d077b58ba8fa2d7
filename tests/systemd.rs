//! What systemd hears of a router that it started as a service of type `notify`. [sd_notify(3)]
#![cfg(feature = "native")]

#[path = "common/process.rs"]
mod process;

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use process::{PATIENCE, Process, RawClient, loopback, node};
use serde_json::{Value, json};

/// Stands for systemd.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    /// Starts the router as a service.
    fn start(name: &str, config: &Value) -> (Self, Process) {
        let folder = std::env::temp_dir().join(format!("wamplet-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        std::fs::write(folder.join("config.json"), config.to_string()).expect("a temporary file");
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).expect("the folder is new");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        let mut command = Command::new(env!("CARGO_BIN_EXE_wamplet"));
        command.args(["start", "--config", "config.json"]).env("NOTIFY_SOCKET", path);
        (Self { socket }, Process::run(folder, command))
    }

    #[track_caller]
    fn hear(&self) -> String {
        let mut text = [0; 4096];
        let length = self.socket.recv(&mut text).expect("the router says something");
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    /// Waits for the beginning of a reload, and for its end.
    #[track_caller]
    fn hear_of_reload(&self) {
        let told = self.hear();
        let at = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("a reload").trim_end();
        assert!(at.parse::<u64>().is_ok_and(|at| at > 0), "{told:?}");
        assert_eq!(self.hear(), "READY=1\n");
    }
}

#[test]
fn systemd_hears_when_the_router_is_ready_reloads_and_stops() {
    let config = node(json!([{ "type": "rawsocket", "endpoint": loopback() }]));
    let (systemd, mut router) = Manager::start("systemd", &config);
    assert_eq!(systemd.hear(), "READY=1\n");
    let address = router.tcp_address();
    RawClient::join(address);

    router.configure(&config);
    systemd.hear_of_reload();
    // It goes on with what it had, and that is ready, too.
    router.configure(&json!({ "workers": 1 }));
    systemd.hear_of_reload();
    RawClient::join(address);

    router.signal("TERM");
    assert_eq!(systemd.hear(), "STOPPING=1\n");
    assert_eq!(router.exit_code(), Some(0));
}

#[test]
fn children_do_not_speak_for_the_service() {
    let mut config = node(json!([{ "type": "rawsocket", "endpoint": loopback() }]));
    let guest = json!({
        "type": "guest", "executable": "/bin/sh",
        "arguments": ["-c", "echo told ${NOTIFY_SOCKET:-nothing}"],
    });
    config["workers"].as_array_mut().expect("workers").push(guest);
    let (_systemd, mut router) = Manager::start("systemd-child", &config);
    router.wait_for("told nothing");
}
