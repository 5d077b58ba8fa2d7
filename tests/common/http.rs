//! An HTTP client of a few lines: what it sends is exactly what a test wrote.

#![allow(dead_code, reason = "each test binary uses another part of this module")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::process::connect;

/// The answer to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, `""` if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a body of JSON")
    }
}

/// One connection, for one request after the other.
pub struct HttpClient<S = TcpStream> {
    pub socket: S,
}

impl HttpClient {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self { socket: connect(address) }
    }
}

impl<S: Read + Write> HttpClient<S> {
    /// Sends a head, whose lines need no `\r`, and a body; reads the answer.
    #[track_caller]
    pub fn request(&mut self, head: &str, body: &[u8]) -> Answer {
        self.send(head, body);
        let has_body = !head.starts_with("HEAD ");
        self.answer(has_body)
    }

    #[track_caller]
    pub fn send(&mut self, head: &str, body: &[u8]) {
        let lines: Vec<&str> = head.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let bytes = [lines.join("\r\n").as_bytes(), b"\r\n\r\n", body].concat();
        self.socket.write_all(&bytes).expect("the router reads");
    }

    #[track_caller]
    pub fn answer(&mut self, has_body: bool) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.socket.read_exact(&mut byte).expect("the router answers");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("a head of text");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let mut answer = Answer { status: status.expect("a status line"), headers, body: Vec::new() };
        if has_body && !matches!(answer.status, 101 | 204 | 304) {
            answer.body = self.body(&answer);
        }
        answer
    }

    #[track_caller]
    fn body(&mut self, answer: &Answer) -> Vec<u8> {
        if answer.header("transfer-encoding") != "chunked" {
            let length = answer.header("content-length").parse().expect("a length");
            return self.bytes(length);
        }
        let mut body = Vec::new();
        loop {
            let mut size = Vec::new();
            while !size.ends_with(b"\r\n") {
                size.extend(self.bytes(1));
            }
            let size = String::from_utf8(size).expect("a chunk's size");
            let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size");
            body.extend(self.bytes(size));
            self.bytes(2);
            if size == 0 {
                return body;
            }
        }
    }

    #[track_caller]
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.socket.read_exact(&mut bytes).expect("the router goes on");
        bytes
    }
}

/// The answer to one request on a connection of its own.
#[track_caller]
pub fn request(address: SocketAddr, head: &str) -> Answer {
    HttpClient::connect(address).request(head, b"")
}

/// The answer to a GET.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, &format!("GET {path} HTTP/1.1\nHost: localhost"))
}
