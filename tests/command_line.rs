//! The `wamplet` command as an operator uses it: what it prints, its exit codes, its signals.

#[path = "common/process.rs"]
mod process;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use process::{LARGE_STACK, PATIENCE, Process, RawClient, loopback, node, with_large_stacks};
use serde_json::{Value, json};

fn wamplet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wamplet")).args(arguments).output().expect("the binary was built")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it prints UTF-8")
}

/// A file with this text that is gone after the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wamplet-cli-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("a temporary file");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a plain path")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn rawsocket() -> Value {
    node(json!([{ "type": "rawsocket", "endpoint": loopback() }]))
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let help = wamplet(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for word in ["start", "check", "upgrade", "schema", "completions", "Examples:", "Exit codes:"] {
        assert!(text(&help.stdout).contains(word), "{word} is missing in {}", text(&help.stdout));
    }
    let help = wamplet(&["start", "--help"]);
    for word in ["--cbdir", "--config", "--threads", "--log-format", "SIGHUP", "8080"] {
        assert!(text(&help.stdout).contains(word), "{word} is missing in {}", text(&help.stdout));
    }
    let version = wamplet(&["--version"]);
    assert_eq!(text(&version.stdout), format!("wamplet {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_arguments_end_with_2() {
    for arguments in
        [&["strat"][..], &["start", "--config"], &["start", "--threads", "0"], &["check", "a", "b"]]
    {
        let output = wamplet(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).starts_with("error:"), "{}", text(&output.stderr));
    }
    let missing = wamplet(&["start", "--cbdir", "/nonexistent"]);
    assert_eq!(missing.status.code(), Some(2));
    assert_eq!(
        text(&missing.stderr),
        "error: /nonexistent: expected config.json or config.yaml in it, found neither\n"
    );
}

#[test]
fn a_folder_of_a_node_without_its_configuration_starts_no_open_router() {
    let folder = std::env::temp_dir().join(format!("wamplet-cli-{}-node", std::process::id()));
    let node = folder.join(".crossbar");
    std::fs::create_dir_all(&node).expect("a temporary folder");
    let said = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wamplet"));
        let output = command.args(arguments).current_dir(&folder).output().expect("the binary was built");
        (output.status.code(), text(&output.stderr).to_owned())
    };
    let missing = "error: .crossbar: expected config.json or config.yaml in it, found neither\n";
    assert_eq!(said(&["start"]), (Some(2), missing.to_owned()));
    assert_eq!(said(&["check"]), (Some(2), missing.to_owned()));
    std::os::unix::fs::symlink("nowhere.json", node.join("config.json")).expect("a link");
    let dangling = said(&["start", "--log-level", "off"]);
    assert!(
        dangling.1.starts_with("error: cannot read .crossbar/config.json: No such file"),
        "{}",
        dangling.1
    );
    assert_eq!(said(&["check"]), dangling);
    std::fs::remove_dir_all(&folder).expect("it is there");
}

#[test]
fn a_configuration_of_another_name_is_looked_for_in_the_folder_of_the_node() {
    let folder = std::env::temp_dir().join(format!("wamplet-cli-{}-named", std::process::id()));
    let node = folder.join("node");
    std::fs::create_dir_all(node.join("etc")).expect("a temporary folder");
    for name in ["etc/prod.json", "config.json"] {
        let text = r#"{ "realms": [{ "name": "realm1", "roles": [
            { "name": "anonymous", "permissions": [{ "uri": "a" }] }] }],
            "transports": [{ "type": "rawsocket", "endpoint": { "type": "tcp", "port": 0 } }] }"#;
        std::fs::write(node.join(name), text).expect("a file");
    }
    let said = |arguments: &[&str], variable: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wamplet"));
        command.args(arguments).current_dir(&folder).env_remove("CROSSBAR_DIR");
        command.envs(variable.map(|folder| ("CROSSBAR_DIR", folder)));
        let output = command.output().expect("the binary was built");
        (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    let valid = |file: &str| {
        let counts = "1 realm, 1 listener, 0 components, 0 guests, 0 warnings";
        (Some(0), format!("{file} is valid: {counts}\n"))
    };
    let prod = valid("node/etc/prod.json");
    assert_eq!(said(&["check", "--cbdir", "node", "etc/prod.json"], None), prod);
    assert_eq!(said(&["check", "etc/prod.json"], Some("node")), prod);
    assert_eq!(said(&["check"], Some("node")), valid("node/config.json"));
    assert_eq!(said(&["check", "node"], None), valid("node/config.json"));
    assert_eq!(said(&["check", "--cbdir", "node"], Some("elsewhere")), valid("node/config.json"));
    let missing = "error: cannot read node/prod.json: No such file or directory (os error 2)\n";
    let started = said(&["start", "--cbdir", "node", "--config", "prod.json"], None);
    assert_eq!(started, (Some(2), missing.to_owned()));
    std::fs::remove_dir_all(&folder).expect("it is there");
}

#[test]
fn a_file_that_cannot_be_read_ends_with_2_and_one_of_other_characters_with_1() {
    let latin1 = File::new("latin1.json", "");
    std::fs::write(latin1.path(), b"{\n  \"realms\": \"\xe9\" }").expect("the file is there");
    for command in [&["check"][..], &["upgrade"], &["upgrade", "--write"], &["start", "--config"]] {
        let missing = wamplet(&[command, &["/nonexistent/config.json"]].concat());
        let said = "error: cannot read /nonexistent/config.json: No such file or directory (os error 2)\n";
        assert_eq!((missing.status.code(), text(&missing.stderr)), (Some(2), said), "{command:?}");
        let unclear = wamplet(&[command, &[latin1.path()]].concat());
        let path = latin1.path();
        let said = format!("error: line 2, column 14: the text is not UTF-8\n{path} is not valid\n");
        assert_eq!((unclear.status.code(), text(&unclear.stderr)), (Some(1), said.as_str()), "{command:?}");
    }
}

#[test]
fn a_file_without_end_is_not_read_for_ever() {
    for arguments in [&["check", "/dev/zero"][..], &["start", "--config", "/dev/zero"]] {
        let output = wamplet(arguments);
        let said = "error: cannot read /dev/zero: a configuration has at most 64 MiB, this one has more\n";
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(2), said), "{arguments:?}");
    }
}

#[test]
fn marks_of_utf_8_and_endings_in_capitals_change_nothing() {
    let json = r#"{ "realms": [{ "name": "realm1", "roles": [] }] }"#;
    let yaml = "realms:\n  - { name: realm1, roles: [] }\n";
    for (name, text_of_it) in [("bom.json", json), ("bom.yaml", yaml), ("bom.YAML", yaml), ("bom.Yml", yaml)]
    {
        let file = File::new(name, &format!("\u{feff}{text_of_it}"));
        let output = wamplet(&["check", file.path()]);
        assert!(text(&output.stdout).contains("is valid: 1 realm"), "{name}: {}", text(&output.stderr));
    }
}

#[test]
fn check_prints_every_problem_with_its_place_and_ends_with_1() {
    let mut config = rawsocket();
    config["workers"][0]["realms"][0]["roles"][0]["permissions"][0]["match"] = json!("prefx");
    config["workers"][0]["transports"][0]["endpoint"]["port"] = json!("80");
    let file = File::new("broken.json", &config.to_string());
    let output = wamplet(&["check", file.path()]);
    assert_eq!(output.status.code(), Some(1));
    let path = file.path();
    assert_eq!(
        text(&output.stderr),
        format!(
            "error: workers[0].realms[0].roles[0].permissions[0].match: expected \"exact\", \"prefix\" or \
             \"wildcard\", found \"prefx\" (did you mean \"prefix\"?)\n\
             error: workers[0].transports[0].endpoint.port: expected an integer from 0 to 65535, or an \
             environment variable such as \"$PORT\", found \"80\"\n\
             {path} is not valid\n"
        )
    );
    assert_eq!(text(&output.stdout), "");
    let started = wamplet(&["start", "--config", path, "--log-level", "off"]);
    assert_eq!((started.status.code(), started.stderr), (Some(1), output.stderr), "start says the same");
}

#[test]
fn check_prints_the_warnings_of_what_is_not_valid_too() {
    let mut config = rawsocket();
    config["workers"][0]["manhole"] = json!({ "port": 1 });
    config["workers"][0]["transports"][0]["endpoint"]["port"] = json!(-1);
    let file = File::new("broken-and-more.json", &config.to_string());
    let output = wamplet(&["check", file.path()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "warning: workers[0].manhole: there is no manhole\n");
    assert_eq!(text(&output.stderr).lines().count(), 2, "{}", text(&output.stderr));
}

#[test]
fn a_file_without_a_configuration_is_not_valid() {
    for (name, text_of_it) in [("empty.yaml", ""), ("comments.yml", "# realms:\n#   - name: realm1\n")] {
        let file = File::new(name, text_of_it);
        let path = file.path();
        let output = wamplet(&["check", path]);
        let expected = format!(
            "error: config: expected a map such as {{ realms: [..], transports: [..] }}, found nothing\n\
             {path} is not valid\n"
        );
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), expected.as_str()), "{name}");
    }
}

#[test]
fn check_warns_of_files_that_this_machine_does_not_have() {
    let mut config = rawsocket();
    let transports = config["workers"][0]["transports"].as_array_mut().expect("a list");
    let tls = json!({ "key": "key.pem", "certificate": "no-such/cert.pem" });
    transports.push(json!({
        "type": "web",
        "endpoint": { "type": "tcp", "port": 0, "tls": tls },
        "paths": {
            "/": { "type": "static", "directory": "." },
            "deep": { "type": "path", "paths": { "er": { "type": "static", "directory": "no-such" } } },
        },
    }));
    transports.push(json!({ "type": "rawsocket", "endpoint": { "type": "unix", "path": "no-such/socket" } }));
    let file = File::new("missing.json", &config.to_string());
    let output = wamplet(&["check", file.path()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let path = file.path();
    let folder = std::path::Path::new(path).parent().expect("a folder").display();
    let place = "workers[0].transports[1]";
    assert_eq!(
        text(&output.stdout),
        format!(
            "warning: {place}: the router would not start here: {folder}/no-such/cert.pem: No such file or directory \
             (os error 2)\n\
             warning: {place}: {folder}/no-such: there is no such directory; nothing is served from it\n\
             warning: workers[0].transports[2]: the router would not start here: there is no directory \
             {folder}/no-such\n\
             {path} is valid: 1 realm, 3 listeners, 0 components, 0 guests, 3 warnings\n"
        )
    );
}

#[test]
fn check_prints_warnings_and_what_is_there() {
    let mut config = rawsocket();
    config["workers"][0]["manhole"] = json!({ "port": 1 });
    let file = File::new("good.json", &config.to_string());
    let output = wamplet(&["check", file.path()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let path = file.path();
    assert_eq!(
        text(&output.stdout),
        format!(
            "warning: workers[0].manhole: there is no manhole\n\
             {path} is valid: 1 realm, 1 listener, 0 components, 0 guests, 1 warning\n"
        )
    );
}

#[test]
fn check_and_start_take_the_options_of_crossbar() {
    let mut config = rawsocket();
    config["workers"][0]["transports"][0]["endpoint"]["port"] = json!(-1);
    let file = File::new("options.json", &config.to_string());
    let (folder, name) = file.path().rsplit_once('/').expect("a folder");
    let expected = wamplet(&["check", file.path()]).stderr;
    assert!(text(&expected).contains("endpoint.port"), "{}", text(&expected));
    for arguments in [
        &["check", "--config", file.path()][..],
        &["check", "--cbdir", folder, "--config", name],
        &["start", "--config", file.path(), "--loglevel", "none"],
        &["start", "--config", file.path(), "--loglevel", "critical"],
    ] {
        let output = wamplet(arguments);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), text(&expected)), "{arguments:?}");
    }
}

#[test]
fn upgrade_prints_or_writes_version_2() {
    let permission = json!({ "uri": "com.example.*", "call": true });
    let config = json!({ "workers": [{ "type": "router", "realms": [{ "name": "realm1", "roles": [{
        "name": "anonymous", "permissions": [permission],
    }] }] }] });
    let file = File::new("old.json", &config.to_string());
    let printed = wamplet(&["upgrade", file.path()]);
    assert_eq!(printed.status.code(), Some(0), "{}", text(&printed.stderr));
    let upgraded: Value = serde_json::from_slice(&printed.stdout).expect("it prints JSON");
    let permission = &upgraded["workers"][0]["realms"][0]["roles"][0]["permissions"][0];
    assert_eq!(
        (&permission["uri"], &permission["match"], &permission["allow"]["call"]),
        (&json!("com.example."), &json!("prefix"), &json!(true))
    );
    assert_eq!(std::fs::read_to_string(file.path()).expect("it is there"), config.to_string(), "as it was");

    let written = wamplet(&["upgrade", "--write", file.path()]);
    assert_eq!((written.status.code(), text(&written.stdout)), (Some(0), ""));
    assert_eq!(std::fs::read_to_string(file.path()).expect("it is there"), text(&printed.stdout));
}

#[test]
fn upgrade_replaces_the_file_behind_a_link_with_its_mode_and_leaves_nothing_beside_it() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let folder = std::env::temp_dir().join(format!("wamplet-cli-{}-upgrade", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let (file, link) = (folder.join("secret.json"), folder.join("config.json"));
    std::fs::write(&file, json!({ "realms": [{ "name": "realm1", "roles": [] }] }).to_string())
        .expect("a file");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).expect("its owner may");
    symlink("secret.json", &link).expect("a link");
    let path = link.to_str().expect("a plain path");

    let written = wamplet(&["upgrade", "--write", path]);
    assert_eq!((written.status.code(), text(&written.stderr)), (Some(0), "version: 2 (there was none)\n"));
    let metadata = |path: &std::path::Path| std::fs::symlink_metadata(path).expect("it is there");
    assert!(metadata(&link).is_symlink());
    let first = metadata(&file);
    assert_eq!(first.mode() & 0o777, 0o640);
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 2, "nothing but the file and the link");

    let again = wamplet(&["upgrade", "--write", path]);
    let said = format!("{path} is of version 2 already, and stays as it is\n");
    assert_eq!((again.status.code(), text(&again.stderr)), (Some(0), said.as_str()));
    assert_eq!(metadata(&file).ino(), first.ino(), "it was not written again");
    std::fs::remove_dir_all(&folder).expect("it is there");
}

#[test]
fn upgrade_prints_yaml_as_json_and_writes_none() {
    let yaml = "# ours\nrealms: [{ name: realm1, roles: [] }]\n";
    let file = File::new("old.yaml", yaml);
    let printed: Value = serde_json::from_slice(&wamplet(&["upgrade", file.path()]).stdout).expect("JSON");
    assert_eq!(printed["version"], json!(2));
    let refused = wamplet(&["upgrade", "--write", file.path()]);
    assert_eq!(refused.status.code(), Some(2));
    let said = format!("error: {} is YAML, and --write would make JSON of it", file.path());
    assert!(text(&refused.stderr).starts_with(&said), "{}", text(&refused.stderr));
    assert_eq!(std::fs::read_to_string(file.path()).expect("it is there"), yaml);
}

#[test]
fn schema_and_completions_are_printed() {
    let schema: Value = serde_json::from_slice(&wamplet(&["schema"]).stdout).expect("a JSON Schema");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for shell in ["bash", "zsh", "fish"] {
        let script = wamplet(&["completions", shell]);
        assert!(text(&script.stdout).contains("wamplet"), "{shell}");
    }
}

#[test]
fn a_port_that_is_taken_ends_with_3_and_says_which() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let mut config = rawsocket();
    config["workers"][0]["transports"][0]["endpoint"]["port"] = json!(address.port());
    let file = File::new("taken.json", &config.to_string());
    let output = wamplet(&["start", "--config", file.path(), "--log-level", "off"]);
    assert_eq!(output.status.code(), Some(3));
    let expected = format!(
        "error: workers[0].transports[0]: cannot listen on tcp {address}: Address already in use (os error 98)\n"
    );
    assert_eq!(text(&output.stderr), expected);
}

#[test]
#[cfg(target_os = "linux")]
fn children_have_the_limit_of_open_files_that_the_router_was_started_with() {
    let folder = std::env::temp_dir().join(format!("wamplet-test-{}-files", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    // Its first instructions may run before the limit is set.
    let look = "for i in $(seq 100); do [ $(ulimit -S -n) = 99 ] && break; sleep 0.1; done\n\
                echo may open $(ulimit -S -n) of $(ulimit -H -n)";
    let guest = json!({ "type": "guest", "executable": "/bin/sh", "arguments": ["-c", look] });
    let mut config = rawsocket();
    config["workers"].as_array_mut().expect("workers").push(guest);
    std::fs::write(folder.join("config.json"), config.to_string()).expect("a temporary file");
    let mut command = Command::new("/bin/sh");
    let start = r#"ulimit -S -n 99 && exec "$0" start --config config.json"#;
    command.args(["-c", start, env!("CARGO_BIN_EXE_wamplet")]);
    let mut router = Process::run(folder, command);
    let line = router.wait_for("may open ");
    let of_router = std::fs::read_to_string(format!("/proc/{}/limits", router.id())).expect("it runs");
    let of_router = of_router.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    let of_router: Vec<&str> = of_router.split_whitespace().skip(3).take(2).collect();
    assert_eq!(of_router[0], of_router[1], "the router has all it can have");
    assert!(line.contains(&format!("may open 99 of {} ", of_router[1])), "{line}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_router_without_open_files_to_spare_says_so_once_and_accepts_again_when_there_are_some() {
    let folder = std::env::temp_dir().join(format!("wamplet-test-{}-few-files", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let config = rawsocket();
    std::fs::write(folder.join("config.json"), config.to_string()).expect("a temporary file");
    let mut command = Command::new("/bin/sh");
    let start = r#"ulimit -n 24 && exec "$0" start --config config.json"#;
    command.args(["-c", start, env!("CARGO_BIN_EXE_wamplet")]);
    let mut router = Process::run(folder, command);
    let address = router.tcp_address();
    let crowd: Vec<_> =
        (0..40).map(|_| std::net::TcpStream::connect(address).expect("the system's queue")).collect();
    router.wait_for("cannot accept a connection");
    std::thread::sleep(Duration::from_millis(500));
    drop(crowd);
    RawClient::join(address);
    let lines = router.reload(&config);
    assert!(!lines.iter().any(|line| line.contains("cannot accept")), "{lines:#?}");
}

/// Containers have a limit of threads; one of memory has the same effect, for root, too.
#[test]
#[cfg(target_os = "linux")]
fn a_router_that_gets_too_few_threads_says_so_and_ends_with_3() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut config = rawsocket();
    let port = taken.local_addr().expect("it is bound").port();
    config["workers"][0]["transports"][0]["endpoint"]["port"] = port.into();
    let config = File::new("few-threads", &config.to_string());
    let start = r#"ulimit -c 0 && ulimit -v "$1" && exec "$0" start --threads 3 --config "$2""#;
    let mut failures = 0;
    loop {
        // So many threads, and half of one for everything else.
        let limit = (failures * LARGE_STACK + LARGE_STACK / 2) >> 10;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", start, env!("CARGO_BIN_EXE_wamplet"), &limit.to_string(), config.path()]);
        let output = with_large_stacks(&mut command).output().expect("a shell");
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let error = text(&output.stderr);
        if error.contains("cannot listen") {
            break;
        }
        assert!(error.contains("error: the system gives no thread: "), "{error}");
        failures += 1;
    }
    // One more where the first that reads files has not come to rest when the configuration is to be read.
    assert!((7..=8).contains(&failures), "it started with {failures} threads");
}

#[test]
fn sigterm_and_sigint_say_goodbye_to_all_and_end_with_0() {
    for signal in ["TERM", "INT"] {
        let mut router = Process::start(&format!("ends-{signal}"), &rawsocket());
        let address = router.tcp_address();
        let mut polite = RawClient::join(address);
        let mut silent = RawClient::join(address);
        router.signal(signal);
        for client in [&mut polite, &mut silent] {
            let goodbye = client.receive();
            assert_eq!((&goodbye[0], &goodbye[2]), (&json!(6), &json!("wamp.close.system_shutdown")));
        }
        polite.send(&json!([6, {}, "wamp.close.goodbye_and_out"]));
        // The other one says nothing, and is not waited for for ever.
        assert_eq!(router.exit_code(), Some(0));
        assert_eq!(silent.try_receive(), None);
    }
}

/// A router that is about to read its configuration; it does so when that is written.
fn about_to_read(name: &str) -> (Process, impl Fn() + use<>) {
    let folder = std::env::temp_dir().join(format!("wamplet-test-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let file = folder.join("config.json");
    assert!(Command::new("mkfifo").arg(&file).status().expect("mkfifo is everywhere").success());
    let router = Process::start_with(folder, &["start", "--config", "config.json"]);
    // A pipe opens when both sides do.
    let pipe = std::fs::File::create(&file).expect("the router opens it");
    let text = rawsocket().to_string();
    let first = std::cell::Cell::new(Some(pipe));
    let write = move || {
        let mut pipe =
            first.take().unwrap_or_else(|| std::fs::File::create(&file).expect("it is read again"));
        pipe.write_all(text.as_bytes()).expect("the router reads");
    };
    (router, write)
}

#[test]
fn a_signal_before_the_router_is_ready_means_what_it_means_later() {
    let (mut router, write) = about_to_read("early-hup");
    router.signal("HUP");
    write();
    router.wait_for("is ready");
    write();
    router.wait_for("was read again");
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));

    for signal in ["TERM", "INT"] {
        let (mut router, _write) = about_to_read(&format!("early-{signal}"));
        router.signal(signal);
        assert_eq!(router.exit_code(), Some(0), "it waits for no configuration");
        router.wait_for(&format!("SIG{signal}: ended before the router was ready"));
    }
}

#[test]
fn a_file_that_takes_its_time_at_a_reload_holds_up_neither_clients_nor_the_end() {
    let (mut router, write) = about_to_read("slow-hup");
    write();
    let address = router.tcp_address();
    router.signal("HUP");
    let _silent = std::fs::File::create(router.folder().join("config.json")).expect("it is read again");
    RawClient::join(address).call("wamp.session.count", json!([]));
    router.wait_for("config.json is still being read");
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));
}

#[test]
fn sighup_reads_permissions_anew_and_drops_nobody() {
    let mut config = rawsocket();
    let mut router = Process::start("reload", &config);
    let address = router.tcp_address();
    let mut client = RawClient::join(address);
    client.subscribe("com.example.topic");

    config["workers"][0]["realms"][0]["roles"][0]["permissions"][0]["allow"]["subscribe"] = json!(false);
    router.reload(&config);
    let refused = client.request(32, &[json!({}), json!("com.example.other")]);
    assert_eq!((&refused[0], &refused[4]), (&json!(8), &json!("wamp.error.not_authorized")));

    std::fs::write(router.folder().join("config.json"), "{ \"workers\": [").expect("the file of the router");
    router.signal("HUP");
    router.wait_for("is not valid, the old configuration stays");
    let refused = client.request(32, &[json!({}), json!("com.example.other")]);
    assert_eq!(refused[4], "wamp.error.not_authorized", "as before");
    client.publish("com.example.topic", json!([1]));
}

/// What a client hears that joins a realm which no configuration names.
fn join_elsewhere(address: std::net::SocketAddr) -> Value {
    let mut client = RawClient::connect(address);
    client.send(&process::hello_to("elsewhere"));
    client.receive()
}

#[test]
fn sighup_never_opens_a_router_to_everybody_or_empties_it() {
    let config = rawsocket();
    let mut router = Process::start("reload-any-realm", &config);
    let address = router.tcp_address();
    let transports = &config["workers"][0]["transports"];
    for text in ["{}".to_owned(), json!({ "transports": transports }).to_string()] {
        std::fs::write(router.folder().join("config.json"), text).expect("the file of the router");
        router.signal("HUP");
        router.wait_for("is not valid, the old configuration stays");
        router.wait_for("config: expected \"realms\", which this router has had so far");
        let abort = join_elsewhere(address);
        assert_eq!((&abort[0], &abort[2]), (&json!(3), &json!("wamp.error.no_such_realm")));
    }
    let mut client = RawClient::join(address);
    let nothing_to_join =
        json!({ "version": 2, "workers": [{ "type": "router", "transports": transports }] });
    router.configure(&nothing_to_join);
    router.wait_for("\"realms\", which this router has had so far (restart it to serve none), found none");
    client.subscribe("com.example.topic");
    // Who begins with any realm may get some, and then keeps them.
    let open = json!({ "transports": transports });
    let mut router = Process::start("reload-named", &open);
    let address = router.tcp_address();
    assert_eq!(join_elsewhere(address)[0], json!(2));
    let steps = [(&config, "was read again"), (&open, "the old configuration stays")];
    for (text, outcome) in steps {
        std::fs::write(router.folder().join("config.json"), text.to_string()).expect("its file");
        router.signal("HUP");
        router.wait_for(outcome);
        assert_eq!(join_elsewhere(address)[0], json!(3));
    }
}

#[test]
fn sighup_reads_limits_anew() {
    let config =
        |limits: Value| process::node_with(json!([{ "type": "rawsocket", "endpoint": loopback() }]), limits);
    let mut router =
        Process::start("reload-limits", &config(json!({ "transports": 1, "goodbye_timeout_ms": 600_000 })));
    let address = router.tcp_address();
    let mut publisher = RawClient::join(address);
    let mut refused = process::connect(address);
    let mut answer = [0; 4];
    refused.write_all(&[0x7f, 0xf1, 0, 0]).expect("it reads");
    std::io::Read::read_exact(&mut refused, &mut answer).expect("it answers");
    assert_eq!(answer, [0x7f, 0x40, 0, 0], "one is what there may be");
    drop(refused);

    let limits = json!({ "transports": 5, "queue_length": 100_000, "goodbye_timeout_ms": 100 });
    let file = router.folder().join("config.json");
    std::fs::write(file, config(limits).to_string()).expect("the file of the router");
    router.signal("HUP");
    router.wait_for("was read again");
    let mut slow = RawClient::join(address);
    slow.subscribe("com.example.topic");
    // Less than the default, and more than sockets hold.
    let payload = "x".repeat(50_000);
    for _ in 0..250 {
        publisher.publish("com.example.topic", json!([payload]));
    }
    router.wait_for("it takes too little of what is sent to it");
    // The publisher does not answer GOODBYE, and is not waited for as long as the old file says.
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));
}

#[test]
fn the_log_names_listeners_sessions_and_rejected_input() {
    let mut router = Process::start("log", &rawsocket());
    let address = router.tcp_address();
    router.wait_for("wamplet is ready");
    let mut client = RawClient::connect(address);
    let session = client.hello("realm1")[1].to_string();
    let attached = router.wait_for("session attached");
    for part in [&*session, "realm1", "anonymous", "tcp4:127.0.0.1:"] {
        assert!(attached.contains(part), "{part} is missing in {attached:?}");
    }
    client.send_bytes(b"[99]");
    let rejected = router.wait_for("rejected input");
    assert!(rejected.contains("wamp.error.protocol_violation"), "{rejected}");
    let detached = router.wait_for("session detached");
    assert!(detached.contains(&session), "{detached}");
    let mut stranger = std::net::TcpStream::connect(address).expect("it listens");
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it reads");
    router.wait_for("expected 0x7F as the first octet");
}

#[test]
fn no_peer_writes_lines_of_its_own_into_the_log() {
    let mut router = Process::start("forged", &rawsocket());
    let address = router.tcp_address();
    router.wait_for("wamplet is ready");
    let key = r"a\nINFO wamplet is forged";
    let duplicate = format!(r#"[1,"realm1",{{"{key}":1,"{key}":2}}]"#);
    RawClient::connect(address).send_bytes(duplicate.as_bytes());
    let rejected = router.wait_for("rejected input");
    assert!(rejected.contains("wamplet is forged"), "in one line: {rejected:?}");
}

#[test]
fn a_json_log_is_one_object_a_line() {
    let mut config = rawsocket();
    config["workers"][0]["realms"][0]["stats"] = json!({ "trigger_after_duration": 60 });
    let file = File::new("json-log.json", &config.to_string());
    let arguments = ["start", "--config", file.path(), "--log-format", "json"];
    let folder = std::env::temp_dir().join(format!("wamplet-cli-{}-json", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let mut router = Process::start_with(folder, &arguments);
    router.wait_for("wamplet is ready");
    for line in &router.seen {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(entry["level"].is_string() && entry["timestamp"].is_string(), "{line}");
        assert!(entry["target"].as_str().is_some_and(|target| target.starts_with("wamplet")), "{line}");
    }
    let counted = router.seen.iter().find(|line| line.contains("session statistics")).expect("they are on");
    assert!(
        counted.contains(r#""trigger_after_duration":60,"trigger_on_join":true"#),
        "a field each: {counted}"
    );
    router.signal("TERM");
    let farewell = router.wait_for("goodbye");
    assert!(farewell.contains(r#""SIGTERM: saying goodbye to all","connections":0"#), "{farewell}");
}

#[test]
fn a_start_that_fails_says_so_in_the_form_of_its_log_whatever_is_logged() {
    let mut misspelt = rawsocket();
    misspelt["workers"][0]["realms"][0]["roles"][0]["permissions"][0]["match"] = json!("prefx");
    misspelt["workers"][0]["transports"][0]["serializers"] = json!([]);
    let misspelt = File::new("json-misspelt.json", &misspelt.to_string());
    let broken = File::new("json-broken.json", "{\n \"version\": 2,,\n}");
    let mut taken = rawsocket();
    taken["workers"][0]["transports"][0]["endpoint"] =
        json!({ "type": "unix", "path": "/nonexistent/socket" });
    let taken = File::new("json-taken.json", &taken.to_string());
    for (file, code, count) in
        [(misspelt.path(), 1, 3), (broken.path(), 1, 2), ("/nonexistent", 2, 1), (taken.path(), 3, 1)]
    {
        let plain = wamplet(&["start", "--config", file, "--log-level", "off"]);
        let plain: Vec<&str> = text(&plain.stderr).lines().collect();
        assert_eq!(plain.len(), count, "{plain:?}");
        for level in ["off", "error"] {
            let output = wamplet(&["start", "--config", file, "--log-format", "json", "--log-level", level]);
            assert_eq!(output.status.code(), Some(code), "{file}");
            let lines = text(&output.stderr).lines();
            let entries: Vec<Value> = lines
                .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
                .collect();
            assert_eq!(entries.len(), plain.len(), "{entries:?}");
            for (entry, plain) in entries.iter().zip(&plain) {
                assert_eq!(entry["message"], plain.trim_start_matches("error: "));
                assert_eq!((&entry["level"], &entry["target"]), (&json!("ERROR"), &json!("wamplet::cli")));
                assert!(entry["timestamp"].is_string(), "{entry}");
            }
            if file == misspelt.path() {
                let problem =
                    entries.iter().find(|entry| entry["did_you_mean"].is_string()).expect("it is one");
                assert_eq!(problem["file"], file);
                assert_eq!(problem["path"], "workers[0].realms[0].roles[0].permissions[0].match");
                assert_eq!(problem["expected"], "\"exact\", \"prefix\" or \"wildcard\"");
                assert_eq!(
                    (&problem["found"], &problem["did_you_mean"]),
                    (&json!("\"prefx\""), &json!("prefix"))
                );
            }
            if file == broken.path() {
                assert_eq!((&entries[0]["line"], &entries[0]["column"]), (&json!(2), &json!(15)));
            }
        }
    }
}

/// A router on a unix socket, whose log goes where the test wants.
struct Logging {
    child: Child,
    folder: PathBuf,
}

impl Logging {
    fn start(name: &str, log: Stdio) -> Self {
        let folder = std::env::temp_dir().join(format!("wamplet-cli-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let endpoint = json!({ "type": "unix", "path": folder.join("socket") });
        let mut config = node(json!([{ "type": "rawsocket", "endpoint": endpoint }]));
        config["workers"][0]["realms"][0]["name"] = json!(long_realm());
        std::fs::write(folder.join("config.json"), config.to_string()).expect("a temporary file");
        let child = Command::new(env!("CARGO_BIN_EXE_wamplet"))
            .args(["start", "--config", "config.json", "--threads", "1"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary was built");
        Self { child, folder }
    }

    #[track_caller]
    fn connect(&mut self) -> RawClient<UnixStream> {
        for _ in 0..PATIENCE.as_millis() / 10 {
            assert_eq!(self.child.try_wait().expect("it was started"), None, "it runs");
            if let Ok(socket) = UnixStream::connect(self.folder.join("socket")) {
                socket.set_read_timeout(Some(PATIENCE)).expect("a socket option");
                return RawClient::on(socket);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("nobody listens on {}", self.folder.display());
    }

    /// More lines than a pipe and the router can hold.
    #[track_caller]
    fn flood(&mut self) -> RawClient<UnixStream> {
        let mut client = self.connect();
        let realm = long_realm();
        for _ in 0..2 * 1_048_576 / (2 * realm.len()) {
            client.hello(&realm);
            client.send(&json!([6, {}, "wamp.close.normal"]));
            assert_eq!(client.receive()[0], 6);
        }
        client.hello(&realm);
        client
    }

    #[track_caller]
    fn end(&mut self, mut last: RawClient<UnixStream>) {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill is everywhere").success());
        assert_eq!(last.receive()[2], "wamp.close.system_shutdown");
        drop(last);
        assert_eq!(self.child.wait().expect("it was started").code(), Some(0));
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The name of a realm that makes the lines of the log long.
fn long_realm() -> String {
    format!("com.example.{}", "x".repeat(1_000))
}

#[test]
fn a_log_that_cannot_be_written_costs_the_log_only() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("a device of Linux");
    let (reader, ended) = std::io::pipe().expect("a pipe");
    drop(reader);
    for (name, log) in [("full", Stdio::from(full)), ("ended", Stdio::from(ended))] {
        let mut router = Logging::start(&format!("log-{name}"), log);
        let mut client = router.connect();
        client.hello(&long_realm());
        client.subscribe("com.example.topic");
        router.end(client);
    }
}

#[test]
fn a_log_that_nobody_reads_keeps_no_session_and_no_signal_waiting() {
    let mut router = Logging::start("log-held", Stdio::piped());
    let mut client = router.flood();
    client.subscribe("com.example.topic");
    router.end(client);
}

#[test]
fn a_log_that_is_read_again_says_how_many_lines_are_lost() {
    let mut router = Logging::start("log-late", Stdio::piped());
    let client = router.flood();
    let log = BufReader::new(router.child.stderr.take().expect("it is piped"));
    let mut lines = log.lines().map_while(Result::ok);
    let lost = lines.find(|line| line.contains("lines of the log are lost")).expect("it says so");
    let number = lost.split_whitespace().find_map(|word| word.parse::<u64>().ok()).expect("how many");
    assert!(number > 0, "{lost}");
    // All that is logged until the end is there.
    let rest = std::thread::spawn(move || lines.last());
    router.end(client);
    let last = rest.join().expect("it reads").expect("a line");
    assert!(last.ends_with("ended"), "{last}");
}
