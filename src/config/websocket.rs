//! The options of a WebSocket listener.
//!
//! Owns Crossbar's keys for them, which are the same at a transport of its own and at a path.

use std::time::Duration;

use serde_json::Value;

use super::cursor::{Cursor, Key, Object};
use super::node::{Deflate, WebSocket, WebSocketOptions};
use super::node_reader::NodeReader;
use super::transports::WEBSOCKET_TESTEE;
use crate::codec::Serializer;

impl NodeReader<'_> {
    /// `serializers`, `auth`, `cookie` and `options`, wherever they stand.
    pub fn websocket(&mut self, object: &Object<'_>) -> Option<WebSocket> {
        self.note(object, "url");
        self.fixed(object, &DEBUG);
        let serializers = self.serializers(object);
        let auth = self.auth(object);
        let cookie = self.cookie(object);
        let options = self.optional(object, "options", |reader, options| {
            let is_alone = !object.required("endpoint").is_null();
            reader.websocket_options(options, is_alone)
        });
        let is_testee = object.required("type").is(WEBSOCKET_TESTEE);
        if is_testee {
            self.without_pings(&object.required("options"), &PINGS, "has no effect: a testee pings nobody");
        }
        let (options, serializers) = (options?.unwrap_or_default(), serializers?);
        if !options.require_websocket_subprotocol && !serializers.contains(&Serializer::Json) && !is_testee {
            let path = object.required("options").at("require_websocket_subprotocol").path();
            let message = "has no effect: clients that name no subprotocol speak JSON, which is not in \
                           \"serializers\"";
            self.report.warn(path, message);
        }
        Some(WebSocket { serializers, options, auth: auth?, cookie: cookie?, is_testee: false })
    }

    /// Warns of options of pings where there are none.
    fn without_pings(&mut self, options: &Cursor<'_>, keys: &[&str], message: &str) {
        for key in keys {
            let option = options.at(key);
            if option.value().and_then(Value::as_u64).is_some_and(|value| value > 0) {
                self.report.warn(option.path(), message);
            }
        }
    }

    /// `is_alone`: whether nothing else is on this listener.
    fn websocket_options(&mut self, given: &Cursor<'_>, is_alone: bool) -> Option<WebSocketOptions> {
        let object = given.object(&OPTION_KEYS, &mut self.report)?;
        let mut options = WebSocketOptions::default();
        for (key, option) in FLAGS {
            if let Some(value) = self.flag(&object, key) {
                *option(&mut options) = value;
            }
        }
        for (key, least, most, option) in SIZES {
            if let Some(value) = self.number(&object, key, least, most) {
                *option(&mut options) = value as usize;
            }
        }
        self.check_message_size(&object, options.max_message_size);
        for (key, option) in TIMES {
            let Some(value) = self.number(&object, key, 0, MAX_MILLISECONDS) else { continue };
            if key == OPEN_HANDSHAKE_TIMEOUT && !is_alone {
                self.report.warn(object.required(key).path(), SHARED_HANDSHAKE);
                continue;
            }
            let option = option(&mut options);
            match value {
                0 if key.ends_with("handshake_timeout") => {
                    let message = format!("there is always one: it is {} ms", option.as_millis());
                    self.report.warn(object.required(key).path(), &message);
                }
                _ => *option = Duration::from_millis(value),
            }
            if (1..SUSPICIOUS_MILLISECONDS).contains(&value) {
                let message = format!("these are milliseconds, and {value} of them are few");
                self.report.warn(object.required(key).path(), &message);
            }
        }
        if options.auto_ping_interval.is_zero() {
            self.without_pings(
                given,
                &PINGS[1..],
                "has no effect: \"auto_ping_interval\" is 0, and no ping is sent",
            );
        }
        self.fixed(&object, &FIXED);
        if let Some(origins) = object.get("allowed_origins") {
            options.allowed_origins = self.origins(&origins)?;
        }
        if let Some(compression) = object.get("compression") {
            let object = compression.object(&COMPRESSION_KEYS, &mut self.report)?;
            options.compression = self.optional(&object, "deflate", Self::deflate)?;
        }
        Some(options)
    }

    fn origins(&mut self, list: &Cursor<'_>) -> Option<Vec<String>> {
        let mut origins = Vec::new();
        for origin in list.elements(MAX_ORIGINS, "origins", &mut self.report)? {
            let Some(text) = origin.string(ORIGIN, &mut self.report) else { continue };
            // A star in front may stand for the scheme, too.
            let is_origin = (text.starts_with('*') || text.contains("://")) && !text.ends_with('/');
            if !is_origin || text.bytes().any(|b| b.is_ascii_whitespace()) {
                let meant = text.trim_end_matches('/');
                if meant.contains("://") && meant != text && !meant.ends_with(':') {
                    origin.problem_meant::<()>(ORIGIN, meant.to_owned(), &mut self.report);
                } else {
                    origin.problem::<()>(ORIGIN, &mut self.report);
                }
                continue;
            }
            origins.push(text.to_owned());
        }
        Some(origins)
    }

    fn deflate(&mut self, deflate: &Cursor<'_>) -> Option<Deflate> {
        let object = deflate.object(&DEFLATE_KEYS, &mut self.report)?;
        let defaults = Deflate::default();
        let bits = |bits: u64| bits as u8;
        Some(Deflate {
            request_no_context_takeover: self
                .flag(&object, "request_no_context_takeover")
                .unwrap_or(defaults.request_no_context_takeover),
            request_max_window_bits: self
                .number(&object, "request_max_window_bits", MIN_WINDOW_BITS, MAX_WINDOW_BITS)
                .map(bits),
            no_context_takeover: self
                .flag(&object, "no_context_takeover")
                .unwrap_or(defaults.no_context_takeover),
            max_window_bits: self
                .number(&object, "max_window_bits", MIN_WINDOW_BITS, MAX_WINDOW_BITS)
                .map_or(defaults.max_window_bits, bits),
            threshold: self
                .number(&object, "threshold", 0, MAX_SIZE)
                .map_or(defaults.threshold, |bytes| bytes as usize),
        })
    }
}

/// A day.
pub(super) const MAX_MILLISECONDS: u64 = 86_400_000;
/// Who writes less has probably seconds in mind.
const SUSPICIOUS_MILLISECONDS: u64 = 100;
pub(super) const MAX_SIZE: u64 = 1 << 30;
const MAX_ORIGINS: usize = 1_000;
/// zlib has no raw stream with the 8 bits that RFC 7692 knows beside these.
pub(super) const MIN_WINDOW_BITS: u64 = 9;
pub(super) const MAX_WINDOW_BITS: u64 = 15;

const OPEN_HANDSHAKE_TIMEOUT: &str = "open_handshake_timeout";
const SHARED_HANDSHAKE: &str =
    "has no effect at a path: \"client_timeout\" in the options of \"web\" holds for all";
const PINGS: [&str; 3] = ["auto_ping_interval", "auto_ping_timeout", "auto_ping_size"];

const ORIGIN: &str = "\"*\" or an origin such as \"https://*.example.com:*\", without a path";

pub(super) const DEBUG: [(&str, bool, &str); 1] =
    [("debug", false, "has no effect: how much is logged is said on the command line")];

/// Of the service at a path.
pub(super) const SERVICE_KEYS: [(&str, Key); 8] = [
    ("type", Key::Served),
    ("id", Key::Served),
    ("url", Key::Served),
    ("serializers", Key::Served),
    ("options", Key::Served),
    ("auth", Key::Served),
    ("cookie", Key::Served),
    ("debug", Key::Served),
];

type Flag = fn(&mut WebSocketOptions) -> &mut bool;
type Size = fn(&mut WebSocketOptions) -> &mut usize;
type Time = fn(&mut WebSocketOptions) -> &mut Duration;

pub(super) const FLAGS: [(&str, Flag); 7] = [
    ("allow_null_origin", |options| &mut options.allow_null_origin),
    ("enable_webstatus", |options| &mut options.enable_webstatus),
    ("validate_utf8", |options| &mut options.validate_utf8),
    ("require_masked_client_frames", |options| &mut options.require_masked_client_frames),
    ("fail_by_drop", |options| &mut options.fail_by_drop),
    ("require_websocket_subprotocol", |options| &mut options.require_websocket_subprotocol),
    ("show_server_version", |options| &mut options.show_server_version),
];

pub(super) const SIZES: [(&str, u64, u64, Size); 4] = [
    ("max_frame_size", 0, MAX_SIZE, |options| &mut options.max_frame_size),
    ("max_message_size", 0, MAX_SIZE, |options| &mut options.max_message_size),
    ("auto_fragment_size", 0, MAX_SIZE, |options| &mut options.auto_fragment_size),
    ("auto_ping_size", 4, 125, |options| &mut options.auto_ping_size),
];

pub(super) const TIMES: [(&str, Time); 4] = [
    (OPEN_HANDSHAKE_TIMEOUT, |options| &mut options.open_handshake_timeout),
    ("close_handshake_timeout", |options| &mut options.close_handshake_timeout),
    ("auto_ping_interval", |options| &mut options.auto_ping_interval),
    ("auto_ping_timeout", |options| &mut options.auto_ping_timeout),
];

/// Flags that have one value here, and what to say of the other.
pub(super) const FIXED: [(&str, bool, &str); 7] = [
    ("enable_rfc6455", true, "RFC 6455 is the WebSocket that is served"),
    ("enable_hybi10", false, "only the WebSocket of RFC 6455 is served, not its drafts"),
    ("mask_server_frames", false, "has no effect: RFC 6455 wants the frames of a server unmasked"),
    ("apply_mask", true, "has no effect: masks are always applied"),
    ("echo_close_codereason", false, "has no effect: a close is answered with its code alone"),
    ("tcp_nodelay", true, "has no effect: TCP_NODELAY is set on all sockets"),
    ("auto_ping_restart_on_any_traffic", true, "has no effect: a ping is sent after silence alone"),
];

pub(super) const OPTION_KEYS: [(&str, Key); 28] = [
    ("allowed_origins", Key::Served),
    ("allow_null_origin", Key::Served),
    ("enable_webstatus", Key::Served),
    ("validate_utf8", Key::Served),
    ("require_masked_client_frames", Key::Served),
    ("max_frame_size", Key::Served),
    ("max_message_size", Key::Served),
    ("auto_fragment_size", Key::Served),
    ("fail_by_drop", Key::Served),
    ("open_handshake_timeout", Key::Served),
    ("close_handshake_timeout", Key::Served),
    ("auto_ping_interval", Key::Served),
    ("auto_ping_timeout", Key::Served),
    ("auto_ping_size", Key::Served),
    ("compression", Key::Served),
    ("require_websocket_subprotocol", Key::Served),
    ("show_server_version", Key::Served),
    ("enable_rfc6455", Key::Served),
    ("enable_hybi10", Key::Served),
    ("mask_server_frames", Key::Served),
    ("apply_mask", Key::Served),
    ("echo_close_codereason", Key::Served),
    ("tcp_nodelay", Key::Served),
    ("auto_ping_restart_on_any_traffic", Key::Served),
    (
        "external_port",
        Key::NotServed("has no effect: the host and port of a request are not compared with it"),
    ),
    ("enable_hixie76", Key::NotServed("only the WebSocket of RFC 6455 is served, not its drafts")),
    ("enable_flash_policy", Key::NotServed("has no effect: Flash is not served")),
    ("flash_policy", Key::NotServed("has no effect: Flash is not served")),
];

pub(super) const COMPRESSION_KEYS: [(&str, Key); 3] = [
    ("deflate", Key::Served),
    ("bzip2", Key::NotServed("permessage-bzip2 is not served: clients that offer it go uncompressed")),
    ("snappy", Key::NotServed("permessage-snappy is not served: clients that offer it go uncompressed")),
];

pub(super) const DEFLATE_KEYS: [(&str, Key); 6] = [
    ("request_no_context_takeover", Key::Served),
    ("request_max_window_bits", Key::Served),
    ("no_context_takeover", Key::Served),
    ("max_window_bits", Key::Served),
    ("threshold", Key::Served),
    ("memory_level", Key::NotServed("has no effect: memory is for \"max_window_bits\" to say")),
];
