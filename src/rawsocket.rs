//! RawSocket: handshake and framing as pure functions. [wamp: advanced/transport_rawsocket]
