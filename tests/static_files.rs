//! Static files over HTTP: what is served, in which form, and what never is.

#[path = "common/http.rs"]
mod http;
#[path = "common/process.rs"]
mod process;

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use flate2::read::GzDecoder;
use http::{Answer, HttpClient, get, request};
use process::{LARGE_STACK, PATIENCE, Process, loopback, node, with_large_stacks};
use serde_json::{Value, json};

/// Time in which something of an answer must be taken.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(3);

/// A router that serves a directory at `/files` and at `/`, and a secret beside that directory.
struct Site {
    _router: Process,
    address: SocketAddr,
    folder: PathBuf,
}

impl Site {
    fn start(name: &str, options: Value) -> Self {
        let folder = std::env::temp_dir().join(format!("wamplet-site-{}-{name}", std::process::id()));
        let files = folder.join("public");
        fs::create_dir_all(files.join("below/empty")).expect("a temporary folder");
        let text = "words and words, ".repeat(1_000);
        for (name, content) in [
            ("index.html", "<p>hello".as_bytes()),
            ("app.js", text.as_bytes()),
            ("module.mjs", b"export {}"),
            ("code.wasm", b"\0asm"),
            ("packed.jgz", b"gzip"),
            ("picture.png", &[7; 5_000]),
            ("digits.txt", b"0123456789"),
            ("empty.txt", b""),
            ("with space & <b>.txt", b"odd"),
            ("data.custom", b"1"),
            ("a.tar.gz", b"package"),
            ("tar.gz", b"packed"),
            (".gz", b"hidden"),
            ("below/page.html", b"below"),
        ] {
            fs::write(files.join(name), content).expect("a temporary file");
        }
        fs::write(folder.join("secret.txt"), "secret").expect("a temporary file");
        std::os::unix::fs::symlink("../secret.txt", files.join("escape.txt")).expect("a link");
        std::os::unix::fs::symlink("..", files.join("up")).expect("a link");
        std::os::unix::fs::symlink("loop", files.join("loop")).expect("a link");
        std::os::unix::fs::symlink("nowhere", files.join("broken")).expect("a link");
        std::os::unix::fs::symlink("digits.txt", files.join("link.txt")).expect("a link");
        let service = json!({ "type": "static", "directory": files, "options": options });
        let paths = json!({
            "/": service,
            "files": service,
            "other": { "type": "json", "value": 1 },
            "metrics": { "type": "metrics" },
        });
        let web = json!({ "client_timeout": CLIENT_TIMEOUT.as_secs() });
        let transport = json!({ "type": "web", "endpoint": loopback(), "paths": paths, "options": web });
        let config = node(json!([transport]));
        let mut router = Process::start(name, &config);
        let address = router.tcp_address();
        Self { _router: router, address, folder }
    }

    #[track_caller]
    fn get(&self, path: &str) -> Answer {
        get(self.address, path)
    }

    #[track_caller]
    fn get_with(&self, path: &str, headers: &str) -> Answer {
        request(self.address, &format!("GET {path} HTTP/1.1\nHost: localhost\n{headers}"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join("public").join(name)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn files_are_served_with_their_types() {
    let mime_types = json!({
        ".custom": "application/x-custom",
        ".PNG": "image/x-mine",
        ".gz": "application/gzip",
        ".tar.GZ": "application/x-package",
    });
    let site = Site::start("types", json!({ "mime_types": mime_types }));
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/files/", "text/html; charset=utf-8"),
        ("/files/index.html", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/files/module.mjs", "text/javascript; charset=utf-8"),
        ("/files/code.wasm", "application/wasm"),
        ("/files/packed.jgz", "text/javascript; charset=utf-8"),
        ("/files/picture.png", "image/x-mine"),
        ("/files/data.custom", "application/x-custom"),
        ("/files/a.tar.gz", "application/x-package"),
        ("/files/tar.gz", "application/gzip"),
        ("/files/.gz", "application/octet-stream"),
        ("/files/link.txt", "text/plain; charset=utf-8"),
        ("/files/below/page.html", "text/html; charset=utf-8"),
    ] {
        let answer = site.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, content_type), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    assert_eq!(site.get("/files/packed.jgz").header("content-encoding"), "gzip");
    assert_eq!(site.get("/with%20space%20%26%20%3Cb%3E.txt").text(), "odd");
    assert_eq!(site.get("/empty.txt").header("content-length"), "0");
    assert_eq!(site.get("/digits.txt?v=1").text(), "0123456789");
    assert_eq!(site.get("/other").text(), "1");
}

#[test]
fn pages_of_other_origins_may_read_files_unless_the_options_say_otherwise() {
    for (name, options, allowed) in
        [("shared", json!({}), "*"), ("private", json!({ "allow_cross_origin": false }), "")]
    {
        let site = Site::start(name, options);
        for path in ["/", "/files/module.mjs", "/files"] {
            assert_eq!(site.get(path).header("access-control-allow-origin"), allowed, "{path}");
        }
    }
}

#[test]
fn nothing_outside_of_the_directory_is_served() {
    let site = Site::start("traversal", json!({ "enable_directory_listing": true }));
    for path in [
        "/../secret.txt",
        "/files/../../secret.txt",
        "/files/below/../../../secret.txt",
        "/files/%2e%2e/secret.txt",
        "/files/.%2e/secret.txt",
        "/files/%2e%2e%2fsecret.txt",
        "/files/..%2fsecret.txt",
        "/files/..%5csecret.txt",
        "/files/%252e%252e/secret.txt",
        "/files/%c0%ae%c0%ae/secret.txt",
        "/files//etc/passwd",
        "/files/%2fetc/passwd",
        "/files/%2fetc%2fpasswd",
        "//etc/passwd",
        "/files/digits.txt%00",
        "/files/digits.txt%00.html",
        "/files/escape.txt",
        "/files/up/secret.txt",
        "/files/up/",
        "/files/up",
        "/files/loop",
        "/files/loop/",
        "/files/loop/digits.txt",
        "/files/broken",
        "/files/digits.txt/",
        "/files/digits.txt/more",
        "/files/nothing",
        "/files/./digits.txt",
        "/files/%",
    ] {
        let answer = site.get(path);
        assert_eq!(answer.status, 404, "{path}: {}", String::from_utf8_lossy(&answer.body));
        assert!(!answer.text().contains("secret"), "{path}");
    }
    let long = format!("/files/{}", "a".repeat(300));
    assert_eq!(site.get(&long).status, 404);
    let absolute =
        request(site.address, "GET http://localhost/files/../../secret.txt HTTP/1.1\nHost: localhost");
    assert_eq!(absolute.status, 404);
    assert_eq!(request(site.address, "PUT /digits.txt HTTP/1.1\nHost: x").status, 405);
}

#[test]
fn a_file_that_the_client_has_is_not_sent_again() {
    let site = Site::start("conditional", json!({}));
    let first = site.get("/digits.txt");
    let (etag, modified) = (first.header("etag"), first.header("last-modified"));
    assert_eq!(first.header("cache-control"), "no-cache");
    for headers in [
        format!("If-None-Match: {etag}"),
        format!("If-None-Match: \"x\", W/{etag}"),
        "If-None-Match: *".to_owned(),
        format!("If-Modified-Since: {modified}"),
    ] {
        let answer = site.get_with("/digits.txt", &headers);
        assert_eq!((answer.status, answer.header("etag")), (304, etag), "{headers}");
    }
    for headers in [
        "If-None-Match: \"x\"".to_owned(),
        // What is said of the tag counts, whatever the date says.
        format!("If-None-Match: \"x\"\nIf-Modified-Since: {modified}"),
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT".to_owned(),
        "If-Modified-Since: nonsense".to_owned(),
    ] {
        assert_eq!(site.get_with("/digits.txt", &headers).status, 200, "{headers}");
    }
    // The next request on the connection is read rightly after an answer without a body.
    let mut client = HttpClient::connect(site.address);
    let head = format!("GET /digits.txt HTTP/1.1\nHost: x\nIf-None-Match: {etag}");
    assert_eq!(client.request(&head, b"").status, 304);
    assert_eq!(client.request("GET /digits.txt HTTP/1.1\nHost: x", b"").text(), "0123456789");
    fs::write(site.file("digits.txt"), "changed").expect("a temporary file");
    assert_eq!(site.get_with("/digits.txt", &format!("If-None-Match: {etag}")).text(), "changed");
    let site = Site::start("cached", json!({ "cache_timeout": 60 }));
    assert_eq!(site.get("/digits.txt").header("cache-control"), "max-age=60");
}

#[test]
fn a_part_of_a_file_is_served() {
    let site = Site::start("ranges", json!({}));
    let first = site.get("/digits.txt");
    assert_eq!(first.header("accept-ranges"), "bytes");
    for (range, status, content, content_range) in [
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=0-1,3-4", 200, "0123456789", ""),
        ("bytes=4-2", 200, "0123456789", ""),
    ] {
        let answer = site.get_with("/digits.txt", &format!("Range: {range}"));
        let found = (answer.status, answer.text(), answer.header("content-range"));
        assert_eq!(found, (status, content, content_range), "{range}");
    }
    let answer = site.get_with("/digits.txt", "Range: bytes=10-");
    assert_eq!((answer.status, answer.header("content-range")), (416, "bytes */10"));
    let same = format!("Range: bytes=1-1\nIf-Range: {}", first.header("etag"));
    assert_eq!(site.get_with("/digits.txt", &same).text(), "1");
    assert_eq!(site.get_with("/digits.txt", "Range: bytes=1-1\nIf-Range: \"x\"").text(), "0123456789");
    for range in ["bytes=2-4", "bytes=10-"] {
        // Ranges are of GET alone. [RFC 9110, 14.2]
        let head = request(site.address, &format!("HEAD /digits.txt HTTP/1.1\nHost: x\nRange: {range}"));
        assert_eq!((head.status, head.header("content-length")), (200, "10"), "{range}");
    }
    let part = site.get_with("/app.js", "Range: bytes=0-4\nAccept-Encoding: gzip, br");
    assert_eq!((part.text(), part.header("content-encoding")), ("words", ""));
    assert_eq!(part.header("vary"), "Accept-Encoding");
}

#[test]
fn text_is_compressed_for_those_who_accept_it() {
    let site = Site::start("compressed", json!({}));
    let plain = site.get("/app.js");
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "Accept-Encoding"));
    let packed = site.get_with("/app.js", "Accept-Encoding: gzip, deflate, br");
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "Accept-Encoding"));
    assert!(packed.body.len() < plain.body.len() / 10);
    assert_ne!(packed.header("etag"), plain.header("etag"));
    let mut text = Vec::new();
    GzDecoder::new(&packed.body[..]).read_to_end(&mut text).expect("gzip");
    assert_eq!(text, plain.body);
    let again = format!("Accept-Encoding: gzip\nIf-None-Match: {}", packed.header("etag"));
    assert_eq!(site.get_with("/app.js", &again).status, 304);
    let refused = site.get_with("/app.js", "Accept-Encoding: gzip;q=0, identity");
    assert_eq!(refused.header("content-encoding"), "");
    let picture = site.get_with("/picture.png", "Accept-Encoding: gzip, br");
    assert_eq!((picture.header("content-encoding"), picture.header("vary")), ("", ""));
    let short = site.get_with("/digits.txt", "Accept-Encoding: gzip, br");
    assert_eq!((short.header("content-encoding"), short.header("vary")), ("", "Accept-Encoding"));
    // What was compressed before is sent as it is.
    fs::write(site.file("app.js.br"), "brotli").expect("a temporary file");
    let brotli = site.get_with("/app.js", "Accept-Encoding: gzip, br");
    assert_eq!((brotli.header("content-encoding"), brotli.text()), ("br", "brotli"));
    assert_eq!(brotli.header("content-type"), "text/javascript; charset=utf-8");
    // Unless the file was written after that.
    let file = fs::File::options().write(true).open(site.file("app.js.br")).expect("it is there");
    file.set_modified(UNIX_EPOCH).expect("a time of any package");
    let outdated = site.get_with("/app.js", "Accept-Encoding: gzip, br");
    assert_eq!(outdated.header("content-encoding"), "gzip");
}

#[test]
fn a_long_file_arrives_whole() {
    let site = Site::start("long", json!({}));
    let content: Vec<u8> = (0..3_000_000_u32).map(|index| (index * 7 % 251) as u8).collect();
    fs::write(site.file("long.bin"), &content).expect("a temporary file");
    let answer = site.get("/long.bin");
    assert_eq!(answer.header("content-length"), "3000000");
    assert!(answer.body == content);
    fs::write(site.file("long.csv"), &content).expect("a temporary file");
    let packed = site.get_with("/long.csv", "Accept-Encoding: gzip");
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).expect("gzip");
    assert!(unpacked == content);
}

#[test]
fn a_directory_shows_its_index_or_a_list_or_nothing() {
    let site = Site::start("no-listing", json!({}));
    assert_eq!(site.get("/").text(), "<p>hello");
    let redirect = site.get("/below?x=1&y=a/b?c");
    assert_eq!((redirect.status, redirect.header("location")), (307, "./below/?x=1&y=a/b?c"));
    assert_eq!(site.get("/below?x=ö").header("location"), "./below/?x=ö");
    assert_eq!(site.get("/below").header("location"), "./below/");
    assert_eq!(site.get("/files").header("location"), "./files/");
    assert_eq!(site.get("/files/below").header("location"), "./below/");
    assert_eq!(site.get("//below").header("location"), "./below/");
    assert_eq!(site.get("/below/").status, 404);
    fs::rename(site.file("below/page.html"), site.file("below/index.htm")).expect("a temporary file");
    assert_eq!(site.get("/below/").text(), "below");

    let site = Site::start("listing", json!({ "enable_directory_listing": true }));
    assert_eq!(site.get("/files/").text(), "<p>hello");
    fs::remove_file(site.file("index.html")).expect("a temporary file");
    let list = site.get("/files/");
    assert_eq!((list.status, list.header("content-type")), (200, "text/html; charset=utf-8"));
    let odd = "<a href=\"./with%20space%20%26%20%3Cb%3E.txt\">with space &amp; &lt;b&gt;.txt</a>";
    for link in [odd, "<a href=\"./below/\">below/</a>"] {
        assert!(list.text().contains(link), "{link} is not in {}", list.text());
    }
    assert!(!list.text().contains("../"), "{}", list.text());
    assert!(site.get("/below/empty/").text().contains("<a href=\"../\">../</a>"));
}

#[test]
fn the_default_file_stands_for_all_that_is_not_there() {
    let site = Site::start("default-file", json!({ "default_file": "module.mjs" }));
    for path in
        ["/settings", "/files/settings/of/ann/", "/digits.txt/more", "/below/", "/loop", "/escape.txt"]
    {
        let answer = site.get(path);
        assert_eq!((answer.status, answer.text()), (200, "export {}"), "{path}");
        assert_eq!(answer.header("content-type"), site.get("/module.mjs").header("content-type"), "{path}");
    }
    for (path, content) in [("/", "<p>hello"), ("/digits.txt", "0123456789"), ("/below/page.html", "below")] {
        assert_eq!(site.get(path).text(), content, "{path}");
    }

    let site = Site::start("default-file-below", json!({ "default_file": "below/page.html" }));
    let answer = site.get("/settings");
    assert_eq!((answer.status, answer.text()), (200, "below"));

    let site = Site::start("no-default-file", json!({ "default_file": "escape.txt" }));
    assert_eq!(site.get("/settings").status, 404, "it is outside");
    fs::remove_file(site.file("escape.txt")).expect("a temporary file");
    assert_eq!(site.get("/settings").status, 404, "it is not there");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_file_harms_nobody() {
    let site = Site::start("leaves", json!({}));
    fs::write(site.file("long.bin"), vec![0; 50_000_000]).expect("a temporary file");
    for _ in 0..10 {
        let mut client = HttpClient::connect(site.address);
        client.socket.write_all(b"GET /long.bin HTTP/1.1\r\nHost: x\r\n\r\n").expect("the router reads");
        client.bytes(10_000);
    }
    assert_eq!(site.get("/digits.txt").text(), "0123456789");
}

#[test]
fn a_client_that_takes_nothing_of_a_file_is_dropped() {
    let site = Site::start("takes-nothing", json!({}));
    fs::write(site.file("long.bin"), vec![0; 60_000_000]).expect("a temporary file");
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = HttpClient::connect(site.address);
        client.send("GET /long.bin HTTP/1.1\nHost: x", b"");
        clients.push(client);
    }
    let others = |metrics: &Answer| {
        let line = metrics.text().lines().find(|line| line.starts_with("wamplet_connections "));
        line != Some("wamplet_connections 1")
    };
    const PAUSE: Duration = Duration::from_millis(50);
    let mut pauses = PATIENCE.as_millis() / PAUSE.as_millis();
    while others(&site.get("/metrics")) {
        assert!(pauses > 0, "connections of clients that take nothing are kept");
        pauses -= 1;
        std::thread::sleep(PAUSE);
    }
    for mut client in clients {
        let mut received = Vec::new();
        // Whether it ends with a reset is up to the system; it must not be the whole.
        let _ = client.socket.read_to_end(&mut received);
        assert!(received.len() < 60_000_000);
    }
}

#[test]
fn a_client_that_is_slow_gets_the_whole_file() {
    const PIECE: usize = 3_000_000;
    const PIECES: u32 = 20;
    let pause = CLIENT_TIMEOUT / (PIECES - 4);
    let site = Site::start("slow", json!({}));
    fs::write(site.file("long.bin"), vec![7; PIECE * PIECES as usize]).expect("a temporary file");
    let mut client = HttpClient::connect(site.address);
    client.send("GET /long.bin HTTP/1.1\nHost: x", b"");
    assert_eq!(client.answer(false).status, 200);
    for _ in 0..PIECES {
        std::thread::sleep(pause);
        assert!(client.bytes(PIECE).iter().all(|byte| *byte == 7));
    }
    assert_eq!(client.request("GET /digits.txt HTTP/1.1\nHost: x", b"").text(), "0123456789");
}

#[test]
fn a_file_of_a_time_that_has_no_date_in_http_is_served_without_one() {
    let site = Site::start("far-time", json!({}));
    fs::write(site.file("far.txt"), "far").expect("a temporary file");
    let file = fs::File::options().write(true).open(site.file("far.txt")).expect("it is there");
    for seconds in [253_402_300_799, 253_402_300_800, 300_000_000_000] {
        // Where the file system cannot keep such a time, it has another.
        let _ = file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(site.get("/far.txt").text(), "far", "{seconds}");
    }
}

#[test]
fn a_file_that_changed_has_another_tag_whatever_time_it_bears() {
    let site = Site::start("same-time", json!({}));
    let mut tags = Vec::new();
    for content in ["one", "two"] {
        fs::write(site.file("same.txt"), content).expect("a temporary file");
        let file = fs::File::options().write(true).open(site.file("same.txt")).expect("it is there");
        file.set_modified(UNIX_EPOCH).expect("a time of any package");
        let answer = site.get("/same.txt");
        assert_eq!(answer.text(), content);
        tags.push(answer.header("etag").to_owned());
        // The clock of a file system goes in steps of some milliseconds.
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_ne!(tags[0], tags[1]);
}

/// What the system gives when it has no more threads, or no more memory for one.
#[cfg(target_os = "linux")]
#[test]
fn files_are_served_by_a_process_that_gets_no_more_threads() {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

    let folder = std::env::temp_dir().join(format!("wamplet-site-{}-threads", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    fs::write(folder.join("digits.txt"), b"0123456789").expect("a temporary file");
    let paths = json!({ "/": { "type": "static", "directory": folder } });
    let config = node(json!([{ "type": "web", "endpoint": loopback(), "paths": paths }]));
    fs::write(folder.join("config.json"), config.to_string()).expect("a temporary file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wamplet"));
    command.args(["start", "--config", "config.json", "--threads", "3"]);
    with_large_stacks(&mut command);
    let mut router = Process::run(folder, command);
    let address = router.tcp_address();
    router.wait_for("is ready");
    let pid = i32::try_from(router.id()).ok().and_then(Pid::from_raw);
    // Half a thread's for everything else.
    let most = (router.virtual_memory_kib() << 10) + LARGE_STACK / 2;
    prlimit(pid, Resource::As, Rlimit { current: Some(most), ..getrlimit(Resource::As) })
        .expect("the limit of a child");
    for _ in 0..6 {
        assert_eq!(get(address, "/digits.txt").body, b"0123456789");
    }
    router.reload(&config);
}
