//! The extensions that a client offers, and what permessage-deflate comes to. [RFC 6455, 9.1; RFC 7692, 7]

use crate::config::node::Deflate;
use crate::native::websocket::Negotiated;

/// One extension and its parameters.
#[derive(Debug, PartialEq, Eq)]
struct Offer<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Option<&'a str>)>,
}

/// What is agreed on and what the answer says of it; `None` if nothing is. Offers that cannot be met are passed over.
///
/// An `Err` says what is wrong with a header that is none.
pub(super) fn negotiate(header: &str, config: &Deflate) -> Result<Option<(Negotiated, String)>, String> {
    let offers = parse(header)?;
    Ok(offers
        .iter()
        .filter(|offer| offer.name.eq_ignore_ascii_case(NAME))
        .find_map(|offer| accept(offer, config)))
}

fn accept(offer: &Offer<'_>, config: &Deflate) -> Option<(Negotiated, String)> {
    let mut server_no_context_takeover = config.no_context_takeover;
    let mut client_no_context_takeover = config.request_no_context_takeover;
    let mut server_bits = config.max_window_bits;
    // What the client's own window may be asked to be; `None` if it does not let itself be asked.
    let mut client_bits: Option<u8> = None;
    for (index, (name, value)) in offer.parameters.iter().enumerate() {
        if offer.parameters[..index].iter().any(|(earlier, _)| earlier == name) {
            return None;
        }
        match (*name, value) {
            ("server_no_context_takeover", None) => server_no_context_takeover = true,
            ("client_no_context_takeover", None) => client_no_context_takeover = true,
            ("server_max_window_bits", Some(value)) => {
                // zlib's raw streams have no window of 8 bits: a client that insists on it goes without.
                server_bits = server_bits.min(window_bits(value).filter(|bits| *bits > 8)?);
            }
            ("client_max_window_bits", None) => client_bits = Some(15),
            ("client_max_window_bits", Some(value)) => client_bits = Some(window_bits(value)?),
            _ => return None,
        }
    }
    let asked_client_bits =
        client_bits.and_then(|offered| Some(config.request_max_window_bits?.min(offered)));
    let mut answer = NAME.to_owned();
    for (is_agreed, parameter) in [
        (server_no_context_takeover, "server_no_context_takeover"),
        (client_no_context_takeover, "client_no_context_takeover"),
    ] {
        if is_agreed {
            answer.push_str("; ");
            answer.push_str(parameter);
        }
    }
    if server_bits < 15 {
        answer.push_str(&format!("; server_max_window_bits={server_bits}"));
    }
    if let Some(bits) = asked_client_bits {
        answer.push_str(&format!("; client_max_window_bits={bits}"));
    }
    let negotiated = Negotiated {
        server_no_context_takeover,
        client_no_context_takeover,
        server_max_window_bits: server_bits,
        // A larger window reads what was written with one of 8 bits.
        client_max_window_bits: asked_client_bits.unwrap_or(15).max(9),
        threshold: config.threshold,
    };
    Some((negotiated, answer))
}

/// 8 to 15, without leading zeros.
fn window_bits(value: &str) -> Option<u8> {
    match value.as_bytes() {
        [digit @ (b'8' | b'9')] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// Reads `a; b; c=1; d="2", e`.
fn parse(header: &str) -> Result<Vec<Offer<'_>>, String> {
    let mut offers = Vec::new();
    for offer in header.split(',') {
        if offer.trim().is_empty() {
            continue;
        }
        let mut parts = offer.split(';').map(str::trim);
        let name = parts.next().filter(|name| is_token(name)).ok_or_else(|| malformed(offer))?;
        let mut parameters = Vec::new();
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(unquote(value.trim_start()))),
                None => (part, None),
            };
            if !is_token(name) || value.is_some_and(|value| !is_token(value)) {
                return Err(malformed(offer));
            }
            parameters.push((name, value));
        }
        offers.push(Offer { name, parameters });
    }
    Ok(offers)
}

/// What a quoted value holds must be a token too, so that neither `,` nor `;` can be within it. [RFC 6455, 9.1]
fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

fn malformed(offer: &str) -> String {
    format!("Sec-WebSocket-Extensions: expected extensions with their parameters, found {:?}", offer.trim())
}

/// Whether a text is what HTTP calls a token. [RFC 9110, 5.6.2]
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

const NAME: &str = "permessage-deflate";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn answer(header: &str, config: Deflate) -> Option<String> {
        negotiate(header, &config).expect("a header that can be read").map(|(_, answer)| answer)
    }

    #[test]
    fn the_first_offer_that_can_be_met_is_taken() {
        let expected = [
            ("", None),
            ("x-webkit-deflate-frame", None),
            ("permessage-deflate", Some("permessage-deflate")),
            ("permessage-deflate; client_max_window_bits", Some("permessage-deflate")),
            (
                "permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
                Some("permessage-deflate; server_no_context_takeover; server_max_window_bits=10"),
            ),
            (
                "permessage-deflate; server_max_window_bits=\"9\", permessage-deflate",
                Some("permessage-deflate; server_max_window_bits=9"),
            ),
            ("permessage-deflate; server_max_window_bits=8, permessage-deflate", Some("permessage-deflate")),
            ("permessage-deflate; server_max_window_bits=8", None),
            ("permessage-deflate; server_max_window_bits=16", None),
            ("permessage-deflate; server_max_window_bits=010", None),
            ("permessage-deflate; server_max_window_bits", None),
            ("permessage-deflate; client_max_window_bits=7", None),
            ("permessage-deflate; client_no_context_takeover=1", None),
            ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
            ("permessage-deflate; unheard_of", None),
            ("permessage-deflate; unheard_of, other, permessage-deflate", Some("permessage-deflate")),
        ];
        for (header, expected) in expected {
            assert_eq!(answer(header, Deflate::default()).as_deref(), expected, "{header:?}");
        }
    }

    #[test]
    fn the_configuration_asks_for_what_the_client_lets_itself_be_asked() {
        let config = Deflate {
            request_no_context_takeover: true,
            request_max_window_bits: Some(11),
            no_context_takeover: true,
            max_window_bits: 12,
            threshold: 7,
        };
        let taken = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                     server_max_window_bits=12";
        assert_eq!(answer("permessage-deflate", config).as_deref(), Some(taken));
        let asked = format!("{taken}; client_max_window_bits=11");
        assert_eq!(answer("permessage-deflate; client_max_window_bits", config), Some(asked));
        let header = "permessage-deflate; client_max_window_bits=8; server_max_window_bits=9";
        let (negotiated, answer) = negotiate(header, &config).expect("a header").expect("an agreement");
        assert!(answer.ends_with("server_max_window_bits=9; client_max_window_bits=8"), "{answer}");
        assert_eq!((negotiated.server_max_window_bits, negotiated.client_max_window_bits), (9, 9));
        assert_eq!(negotiated.threshold, 7);
    }

    #[test]
    fn a_header_that_is_none_is_said_to_be_none() {
        for header in ["permessage deflate", "permessage-deflate;", "a; =1", "a; b=", "a; b=\"c d\"", "\"a\""]
        {
            assert!(negotiate(header, &Deflate::default()).is_err(), "{header:?}");
        }
    }
}
