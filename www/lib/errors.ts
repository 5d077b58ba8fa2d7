// What the small client fails with: an ERROR or ABORT of somebody else's, and the end of a session.
//
// Owns the two classes, and the URIs that are ours. Which request fails with what is in `connection.ts`.

export type Kwargs = Record<string, unknown>;

/** The connection ended without a word. */
export const LOST = 'wamplet.error.connection_lost';

export class WampError extends Error {
  readonly uri: string;
  readonly args: readonly unknown[];
  readonly kwargs: Kwargs;

  constructor(uri: string, args: readonly unknown[] = [], kwargs: Kwargs = {}) {
    super(typeof args[0] === 'string' ? args[0] : uri);
    this.name = 'WampError';
    this.uri = uri;
    this.args = args;
    this.kwargs = kwargs;
  }
}

export class ClosedError extends WampError {
  constructor(uri: string, reason: string) {
    super(uri, [`the session ended: ${reason}`]);
    this.name = 'ClosedError';
  }
}
