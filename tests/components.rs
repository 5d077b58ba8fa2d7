//! Components and guests: real processes, real Autobahn|Python, and a router that they join.
#![cfg(feature = "native")]

#[path = "components/world.rs"]
mod world;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wamplet::codec::Serializer;
use wamplet::config::node::{Component, Guest, Node, RestartPolicy};
use wamplet::native::components::Children;
use wamplet::router::Identity;

use world::{
    ASYNCIO, Directory, GRACE, Line, Log, World, component, gone, is_running, project_components, python,
    restart, shell, start, start_guest,
};

// -- a class joins

#[tokio::test]
async fn the_documented_session_monitor_joins_with_its_role_and_prints_who_else_joins_and_leaves() {
    let (log, world) = (Log::start(), World::default());
    let children = start(component("monitor.MySessionMonitor", &project_components()), &world);
    // It prints nothing when it has subscribed, so others come and go until it has.
    let others = async {
        loop {
            world.somebody_joins_and_leaves();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (joined, left) = tokio::select! {
        () = others => unreachable!("it goes on for ever"),
        lines = async { (log.line("on_session_join: ").await, log.line("on_session_leave: ").await) } => lines,
    };
    assert!(joined.text.contains("'authrole': 'anonymous'"), "{joined:?}");
    let started = log.line("started").await;
    let expected = Line {
        level: "INFO".into(),
        component: "monitor.MySessionMonitor".into(),
        stream: "stdout".into(),
        pid: started.pid,
        text: left.text.clone(),
    };
    assert_eq!(left, expected);
    let identity = Identity {
        realm: Some("realm1".into()),
        authid: Some("monitor.MySessionMonitor".into()),
        authrole: "monitor".into(),
        authmethod: "component".into(),
        authprovider: "static".into(),
        authextra: None,
    };
    assert_eq!(world.identities(), [identity]);
    assert_eq!(world.serializers(), [Serializer::MsgPack]);

    children.stop(GRACE).await;
    assert!(!is_running(started.pid), "it ends with the router");
    assert_eq!(log.router_says(), Vec::<String>::new());
}

#[tokio::test]
async fn a_class_of_asyncio_gets_its_extra_and_all_its_callbacks() {
    let (log, world, files) = (Log::start(), World::default(), Directory::new("asyncio"));
    files.file("watcher.py", ASYNCIO);
    let extra = json!({ "answer": 42 });
    let children = start(Component { extra, ..component("watcher.Watcher", &files.0) }, &world);
    log.line("onJoin ").await;
    world.somebody_joins_and_leaves();
    log.line("joined: ").await;
    children.stop(GRACE).await;
    let printed: Vec<String> =
        log.lines().into_iter().filter(|line| line.text.starts_with("on")).map(|line| line.text).collect();
    let expected = [
        "onConnect realm1 {'answer': 42}",
        "onJoin msgpack as monitor",
        "onLeave wamp.close.goodbye_and_out",
        "onDisconnect",
    ];
    assert_eq!(printed, expected);
    assert_eq!(log.router_says(), Vec::<String>::new());
}

const ONCE: &str = r#"
import sys
from autobahn.twisted.wamp import ApplicationSession

class Once(ApplicationSession):
    def onJoin(self, details):
        print("stdin:", repr(sys.stdin.read()), "arguments:", sys.argv)
        self.leave()
"#;

#[tokio::test]
async fn a_component_that_leaves_is_not_started_again() {
    let (log, world, files) = (Log::start(), World::default(), Directory::new("once"));
    files.file("once.py", ONCE);
    let children = start(component("once.Once", &files.0), &world);
    log.line("stdin: '' arguments: ['once.Once']").await;
    log.line("workers[0].components[0]: ended").await;
    assert_eq!(log.router_says(), Vec::<String>::new());
    children.stop(GRACE).await;
}

#[tokio::test]
async fn a_component_that_loses_the_router_is_started_again() {
    let (log, world) = (Log::start(), World::default());
    let children = start(component("monitor.MySessionMonitor", &project_components()), &world);
    while world.serializers().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.lose_all();
    log.line("the connection to the router was lost; starts again in 20ms").await;
    while world.identities().len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    children.stop(GRACE).await;
}

// -- what goes wrong is one line

const TROUBLE: &str = r#"
from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp.exception import ApplicationError

class Constructor(ApplicationSession):
    def __init__(self, config):
        raise ValueError("no\nluck")

class Join(ApplicationSession):
    async def onJoin(self, details):
        raise ApplicationError("com.example.error.broken", "no luck")

class Plain:
    pass
"#;

#[tokio::test]
async fn what_is_wrong_with_a_component_is_one_line() {
    let files = Directory::new("wrong");
    files.file("trouble.py", TROUBLE);
    files.file("needs.py", "import no_such_dependency\n");
    files.file("syntax.py", "class Broken(:\n");
    let bare = files.script("bare", &format!("#!/bin/sh\nexec '{}' -S \"$@\"\n", python().display()));
    let (interpreter, directory) = (python().display().to_string(), files.0.display().to_string());
    let missing = files.0.join("missing").display().to_string();
    let at = "workers[0].components[0]: ";
    let over = "; not started again";
    let again = "; given up after 1 failed starts in a row";
    let table = [
        ("trouble.Constructor", &interpreter, format!("the constructor raised ValueError: no luck{again}")),
        (
            "trouble.Join",
            &interpreter,
            format!("onJoin raised ApplicationError: com.example.error.broken: no luck{again}"),
        ),
        (
            "trouble.Jion",
            &interpreter,
            format!(
                "\"trouble\" ({directory}/trouble.py) has no class \"Jion\" (did you mean \"Join\"?){over}"
            ),
        ),
        (
            "trouble.Plain",
            &interpreter,
            format!(
                "expected trouble.Plain to be a subclass of ApplicationSession of autobahn.twisted.wamp or \
                 autobahn.asyncio.wamp{over}"
            ),
        ),
        (
            "missing.Monitor",
            &interpreter,
            format!("found no module \"missing\" for missing.Monitor; pythonpath is {directory}{over}"),
        ),
        (
            "needs.Monitor",
            &interpreter,
            format!(
                "cannot import \"needs\": ModuleNotFoundError: No module named 'no_such_dependency'{over}"
            ),
        ),
        (
            "syntax.Monitor",
            &interpreter,
            format!("cannot import \"syntax\": SyntaxError: invalid syntax (syntax.py, line 1){over}"),
        ),
        ("Monitor", &interpreter, format!("expected a class as \"module.Class\", found \"Monitor\"{over}")),
        (
            "trouble.Join",
            &bare.display().to_string(),
            format!(
                "{interpreter} has no module \"autobahn\"; run: {interpreter} -m pip install \
                 'autobahn[twisted]'{over}"
            ),
        ),
        (
            "trouble.Join",
            &missing,
            format!(
                "found no Python interpreter: {missing}: no such file; it is what WAMPLET_PYTHON names{over}"
            ),
        ),
    ];
    let world = World::default();
    for (classname, python, expected) in table {
        let log = Log::start();
        let children = start(
            Component {
                python: None,
                env: vec![("WAMPLET_PYTHON".into(), python.clone())],
                restart: restart(RestartPolicy::OnFailure, 1),
                ..component(classname, &files.0)
            },
            &world,
        );
        log.line(at).await;
        assert_eq!(log.router_says(), [format!("ERROR {at}{expected}")], "{:#?}", log.lines());
        children.stop(GRACE).await;
    }
}

#[tokio::test]
async fn a_missing_python_is_one_line() {
    let (log, world) = (Log::start(), World::default());
    let children = start(
        Component {
            python: None,
            env: vec![("PATH".into(), "/no/such/directory".into()), ("WAMPLET_PYTHON".into(), String::new())],
            ..component("monitor.MySessionMonitor", &project_components())
        },
        &world,
    );
    log.line("found no Python interpreter").await;
    let expected = "ERROR workers[0].components[0]: found no Python interpreter: \"python3\" is in no directory of \
                    PATH; install Python 3 or name one in WAMPLET_PYTHON; not started again";
    assert_eq!(log.router_says(), [expected]);
    children.stop(GRACE).await;
}

#[tokio::test]
async fn the_traceback_of_a_component_shows_its_own_lines_and_not_the_launcher() {
    let (log, world, files) = (Log::start(), World::default(), Directory::new("traceback"));
    files.file("trouble.py", TROUBLE);
    let children = start(
        Component { restart: restart(RestartPolicy::Never, 1), ..component("trouble.Constructor", &files.0) },
        &world,
    );
    log.line("the constructor raised").await;
    let stderr: Vec<String> =
        log.lines().into_iter().filter(|line| line.stream == "stderr").map(|line| line.text).collect();
    let expected = [
        "Traceback (most recent call last):".to_owned(),
        format!("  File \"{}/trouble.py\", line 7, in __init__", files.0.display()),
        "    raise ValueError(\"no\\nluck\")".to_owned(),
        "ValueError: no".to_owned(),
        "luck".to_owned(),
    ];
    assert_eq!(stderr, expected);
    children.stop(GRACE).await;
}

// -- the ticket

/// Stands in for the launcher: reads the settings, and comes with a wrong ticket, with the right one, and once more.
const STRANGER: &str = r#"
import json, os, socket, stat, sys
launcher = sys.stdin.buffer.read(int(sys.argv[-2]))
connection = json.loads(sys.stdin.buffer.readline())["connection"]
path, ticket = connection["path"], connection["ticket"]
print("mode", oct(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode)))
shown = " ".join(sys.argv) + " ".join(os.environ.values())
print("ticket of", len(ticket), "digits", "is shown" if ticket in shown else "is secret")

def come(ticket):
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        s.sendall(ticket.encode() + b"\x7f\xf2\0\0")
        return s.recv(4)
    except OSError as error:
        return type(error).__name__

print("wrong:", come(ticket[:-1] + ("0" if ticket[-1] != "0" else "1")))
print("right:", come(ticket))
print("again:", come(ticket))
print("directory is", "there" if os.path.exists(os.path.dirname(path)) else "gone")
"#;

#[tokio::test]
async fn a_ticket_lets_in_once_and_only_who_has_it() {
    let (log, world, files) = (Log::start(), World::default(), Directory::new("ticket"));
    let stranger = files.script("stranger", &format!("#!{}\n{STRANGER}", python().display()));
    // The stranger is given the options of an interpreter, which it takes for its arguments.
    let env = vec![("WAMPLET_PYTHON".into(), stranger.display().to_string())];
    let children = start(Component { python: None, env, ..component("any.Class", &files.0) }, &world);
    log.line("workers[0].components[0]: ended").await;
    let printed: Vec<String> =
        log.lines().into_iter().filter(|line| !line.stream.is_empty()).map(|line| line.text).collect();
    assert_eq!(printed[..2], ["mode 0o700", "ticket of 64 digits is secret"]);
    assert!(["wrong: b''", "wrong: ConnectionResetError"].contains(&printed[2].as_str()), "{printed:?}");
    assert_eq!(
        printed[3..],
        [r"right: b'\x7f\xf2\x00\x00'", "again: FileNotFoundError", "directory is gone"]
    );
    assert_eq!(world.identities().len(), 1);
    children.stop(GRACE).await;
}

// -- guests

#[tokio::test]
async fn a_guest_gets_its_arguments_environment_and_directory() {
    let (log, files) = (Log::start(), Directory::new("guest"));
    let script = "#!/bin/sh\necho \"$1 in $(pwd -P) with $NUMBER and ${HOME-nothing}\"\n";
    files.script("tool", script);
    let children = start_guest(Guest {
        name: "tool".into(),
        executable: "./tool".into(),
        arguments: vec!["hello world".into()],
        env: vec![("NUMBER".into(), "7".into())],
        inherit_env: false,
        workdir: Some(files.0.clone()),
        ..shell("")
    });
    let real = files.0.canonicalize().expect("it is there");
    let line = log.line(&format!("hello world in {} with 7 and nothing", real.display())).await;
    assert_eq!((line.component.as_str(), line.stream.as_str()), ("tool", "stdout"));
    log.line("workers[1]: ended").await;
    children.stop(GRACE).await;
}

#[tokio::test]
async fn a_guest_of_a_plain_name_is_in_its_directory_or_else_in_the_path() {
    let files = Directory::new("plain-name");
    files.script("tool", "#!/bin/sh\necho here\n");
    // Neither is a program that could go before those of the path.
    files.file("echo", "text");
    std::fs::create_dir(files.0.join("printf")).expect("the directory is new");
    for (executable, arguments) in [("tool", vec![]), ("echo", vec!["here"]), ("printf", vec!["here"])] {
        let log = Log::start();
        let children = start_guest(Guest {
            executable: executable.into(),
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            workdir: Some(files.0.clone()),
            ..shell("")
        });
        log.line("here").await;
        log.line("workers[1]: ended").await;
        children.stop(GRACE).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_guest_is_one_line() {
    let files = Directory::new("wrong-guest");
    files.file("data", "text");
    files.script("orphan", "#!/no/such/interpreter\n");
    let at = files.0.display();
    let table = [
        (
            "no-such-program-7",
            "found no executable: \"no-such-program-7\" is in no directory of PATH".to_owned(),
        ),
        ("./absent", format!("found no executable: {at}/./absent: no such file")),
        ("./data", format!("found no executable: {at}/./data is not executable (run: chmod +x {at}/./data)")),
        (
            "./orphan",
            format!(
                "cannot run {at}/./orphan: No such file or directory (os error 2) (is its first line right?)"
            ),
        ),
    ];
    for (executable, expected) in table {
        let log = Log::start();
        let children =
            start_guest(Guest { executable: executable.into(), workdir: Some(files.0.clone()), ..shell("") });
        log.line("workers[1]: ").await;
        assert_eq!(log.router_says(), [format!("ERROR workers[1]: {expected}; not started again")]);
        children.stop(GRACE).await;
    }
    let log = Log::start();
    let children = start_guest(Guest { workdir: Some(files.0.join("none")), ..shell("") });
    log.line("workers[1]: ").await;
    let expected = format!("expected a directory as workdir, found none at {at}/none");
    assert_eq!(log.router_says(), [format!("ERROR workers[1]: {expected}; not started again")]);
    children.stop(GRACE).await;
}

#[tokio::test]
async fn a_guest_whose_standard_input_is_closed_reads_its_end_at_once() {
    let log = Log::start();
    let children = start_guest(Guest { closes_stdin: true, ..shell("cat; echo read it all") });
    log.line("read it all").await;
    log.line("workers[1]: ended").await;
    children.stop(GRACE).await;
}

#[tokio::test]
async fn a_guest_that_fails_is_started_again_and_given_up() {
    let log = Log::start();
    let guest = Guest { restart: restart(RestartPolicy::OnFailure, 3), ..shell("echo run; exit 3") };
    let children = start_guest(guest);
    log.line("given up").await;
    let expected = [
        "WARN workers[1]: ended with exit status: 3; starts again in 20ms",
        "WARN workers[1]: ended with exit status: 3; starts again in 40ms",
        "ERROR workers[1]: ended with exit status: 3; given up after 3 failed starts in a row",
    ];
    assert_eq!(log.router_says(), expected);
    assert_eq!(log.lines().iter().filter(|line| line.text == "run").count(), 3);
    children.stop(GRACE).await;
}

#[tokio::test]
async fn a_guest_that_is_always_wanted_is_started_again_after_a_good_end() {
    let log = Log::start();
    let children =
        start_guest(Guest { restart: restart(RestartPolicy::Always, 1), ..shell("echo run; exit 0") });
    log.nth(3, "run").await;
    children.stop(GRACE).await;
}

// -- output

#[tokio::test]
async fn output_is_logged_line_by_line_whatever_it_is() {
    let log = Log::start();
    let script = r"printf 'out\r\n\n'; printf 'a\377b\n' >&2; printf '%08191d\303\244%05d\nend' 0 0";
    let children = start_guest(shell(script));
    log.line("workers[1]: ended").await;
    let lines = |stream: &str| -> Vec<(String, String)> {
        let lines = log.lines().into_iter().filter(|line| line.stream == stream);
        lines.map(|line| (line.level, line.text)).collect()
    };
    let info = |text: &str| ("INFO".to_owned(), text.to_owned());
    // A long line comes in pieces, none of which ends within a character.
    let expected = [info("out"), info(&"0".repeat(8191)), info("ä00000"), info("end")];
    assert_eq!(lines("stdout"), expected);
    assert_eq!(lines("stderr"), [("WARN".to_owned(), "a\u{FFFD}b".to_owned())]);
    children.stop(GRACE).await;
}

#[tokio::test]
async fn control_characters_are_written_out() {
    let log = Log::start();
    let children = start_guest(shell(r"printf '10%%\r20%%\t\033[1m\000\302\205.\n'"));
    log.line("workers[1]: ended").await;
    let lines = log.lines();
    let printed: Vec<&str> =
        lines.iter().filter(|line| !line.stream.is_empty()).map(|line| line.text.as_str()).collect();
    assert_eq!(printed, ["10%\\x0d20%\t\\x1b[1m\\x00\\x85."]);
    children.stop(GRACE).await;
}

#[tokio::test]
async fn too_much_output_is_dropped_and_counted() {
    const PRINTED: u64 = 100_000;
    let log = Log::start();
    let children = start_guest(shell(&format!("seq {PRINTED}")));
    log.line("workers[1]: ended").await;
    let logged = log.lines().iter().filter(|line| line.stream == "stdout").count() as u64;
    let said = log.router_says();
    assert!(!said.is_empty());
    let dropped: u64 = said.iter().map(|line| dropped_lines(line)).sum();
    assert_eq!(logged + dropped, PRINTED);
    children.stop(GRACE).await;
}

fn dropped_lines(line: &str) -> u64 {
    let count = line.strip_prefix("WARN ").and_then(|line| {
        line.strip_suffix(" lines of stdout dropped: no more than 1000 a second are logged")
    });
    count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{line}"))
}

const LOUD: &str = r#"
import sys
from autobahn.twisted.wamp import ApplicationSession

class Loud(ApplicationSession):
    def __init__(self, config):
        print("again and again\n" * 20_000, end="", file=sys.stderr)
        raise ValueError("no luck")
"#;

#[tokio::test]
async fn the_last_word_of_a_component_is_not_lost_in_its_output() {
    let (log, world, files) = (Log::start(), World::default(), Directory::new("loud"));
    files.file("loud.py", LOUD);
    let component =
        Component { restart: restart(RestartPolicy::Never, 1), ..component("loud.Loud", &files.0) };
    let children = start(component, &world);
    let line = log.line("workers[0].components[0]: ").await;
    assert!(line.text.ends_with("the constructor raised ValueError: no luck; not started again"), "{line:?}");
    assert!(log.router_says().iter().any(|line| line.contains(" lines of stderr dropped")));
    children.stop(GRACE).await;
}

// -- the end

#[tokio::test]
async fn whoever_does_not_end_in_time_is_killed_with_all_that_it_started() {
    let log = Log::start();
    let script = "trap '' TERM; sh -c 'trap \"\" TERM; echo inner $$; while :; do sleep 1; done' & \
                  echo outer $$; while :; do sleep 1; done";
    let children = start_guest(shell(script));
    let pid = |line: Line| line.text.split(' ').nth(1).and_then(|pid| pid.parse::<u32>().ok());
    let outer = pid(log.line("outer ").await).expect("a number");
    let inner = pid(log.line("inner ").await).expect("a number");
    assert!(is_running(outer) && is_running(inner) && outer != inner);
    children.stop(Duration::from_millis(100)).await;
    gone(outer).await;
    gone(inner).await;
    assert_eq!(log.router_says(), ["WARN workers[1]: did not end within 100ms: killed"]);
}

#[tokio::test]
async fn what_a_guest_leaves_behind_ends_with_it() {
    let log = Log::start();
    let children = start_guest(shell("sleep 1000 & echo left $!; exit 0"));
    let left = log.line("left ").await.text[5..].parse().expect("a number");
    log.line("workers[1]: ended").await;
    gone(left).await;
    children.stop(GRACE).await;
}

#[tokio::test]
async fn dropping_the_children_kills_them() {
    let log = Log::start();
    let children = start_guest(shell("trap '' TERM; echo ready; while :; do sleep 1; done"));
    let pid = log.line("ready").await.pid;
    drop(children);
    gone(pid).await;
}

/// What must end when its router is killed, though it does not even have a connection to lose.
const STUCK: &str = r#"
import subprocess, time
print("stuck", subprocess.Popen(["sleep", "1000"]).pid)
time.sleep(1000)
"#;

/// The other process of the next test: a router with a component that has joined, one that never will, and a guest
/// that watches its standard input.
#[tokio::test]
#[ignore = "is run by the next test, in a process of its own"]
async fn a_router_that_will_be_killed() {
    let Some(directory) = std::env::var_os("WAMPLET_TEST_DIRECTORY").map(PathBuf::from) else { return };
    let (log, world) = (Log::start(), World::default());
    let node = Node {
        components: vec![
            component("monitor.MySessionMonitor", &project_components()),
            component("stuck.Stuck", &directory),
        ],
        guests: vec![shell("echo ready; cat > /dev/null")],
        ..Node::default()
    };
    let _children = Children::start(&node, Arc::new(world.clone()));
    log.line("ready").await;
    let child_of_component = log.line("stuck ").await.text[6..].to_owned();
    while world.serializers().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut pids: Vec<String> = log
        .lines()
        .into_iter()
        .filter(|line| line.text == "started")
        .map(|line| line.pid.to_string())
        .collect();
    pids.push(child_of_component);
    std::fs::write(directory.join("pids"), pids.join(" ") + "\n").expect("it can be written");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn children_end_with_a_router_that_is_killed() {
    let files = Directory::new("killed");
    files.file("stuck.py", STUCK);
    let test = std::env::current_exe().expect("a test has a file");
    let mut router = tokio::process::Command::new(test)
        .args(["--exact", "a_router_that_will_be_killed", "--ignored"])
        .env("WAMPLET_TEST_DIRECTORY", &files.0)
        .kill_on_drop(true)
        .spawn()
        .expect("this test runs");
    let text = loop {
        if let Ok(text) = std::fs::read_to_string(files.0.join("pids"))
            && text.ends_with('\n')
        {
            break text;
        }
        assert_eq!(router.try_wait().expect("it is ours"), None, "it stays until it is killed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let pids: Vec<u32> = text.split_whitespace().map(|pid| pid.parse().expect("a number")).collect();
    assert_eq!(pids.len(), 4);
    assert!(pids.iter().all(|pid| is_running(*pid)));
    router.kill().await.expect("it is ours");
    for pid in pids {
        gone(pid).await;
    }
}
