// Something between Autobahn|JS and its transport that sees every message, as the arrays that a transport handles.

/** A transport class like `Transport` that calls `see('sent' | 'received', message)` for each message. */
export function tapped(Transport, see) {
  return class TappedTransport {
    constructor(options) {
      this.factory = new Transport(options);
      this.type = this.factory.type;
    }

    create() {
      const transport = this.factory.create();
      const tap = {
        get info() {
          return transport.info;
        },
        send(message) {
          see('sent', message);
          return transport.send(message);
        },
        close: (code, reason) => transport.close(code, reason),
      };
      // Autobahn sets these three on what `create` returns, some now and some later.
      transport.onopen = () => tap.onopen?.();
      transport.onclose = (event) => tap.onclose?.(event);
      transport.onmessage = (message) => {
        see('received', message);
        tap.onmessage?.(message);
      };
      return tap;
    }
  };
}
