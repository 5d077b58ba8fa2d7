// A client's port in a page whose router is in another tab: no port can be sent there, so what goes in and out of it is
// passed on over a channel.
//
// Owns that each message arrives once and in order, and the end of both when either ends. Whoever has the port can tell
// no difference, and learns nothing of the channel.

import { closePort, type Endpoint, listen } from './endpoint.ts';
import { sentence } from './environment.ts';
import { type CloseInfo, isMessage } from './wire.ts';

/** Joins a port and a line that is about to become a port of the router, until either ends or `gone` is aborted. */
export function bridge(port: MessagePort, line: Endpoint, gone: AbortSignal): void {
  const end = (why?: CloseInfo) => {
    stopPort();
    stopLine();
    gone.removeEventListener('abort', lost);
    closePort(line);
    if (why !== undefined) port.postMessage({ close: why.code, reason: why.reason, wasClean: why.wasClean });
    port.close();
  };
  const lost = () => end({ code: 1006, reason: 'the router is gone', wasClean: false });
  const stopPort = listen(port, {
    onMessage: (data) => {
      try {
        line.postMessage(data);
        if (isMessage(data, 'gone')) end();
      } catch (error) {
        end({ code: 1002, reason: sentence(error), wasClean: true });
      }
    },
    onGone: () => end(),
  });
  const stopLine = listen(line, {
    onMessage: (data) => {
      if (isMessage(data, 'gone')) end();
      else port.postMessage(data);
    },
    onGone: () => {},
  });
  if (gone.aborted) lost();
  else gone.addEventListener('abort', lost);
}
