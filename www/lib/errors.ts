// What the small client fails with: an ERROR or ABORT of somebody else's, and the end of a session.
//
// Owns the two classes, and the URIs that are ours. Which request fails with what is in `connection.ts`.

export type Kwargs = Record<string, unknown>;

/** The connection ended without a word. */
export const LOST = 'wamplet.error.connection_lost';

export class WampError extends Error {
  override name = 'WampError';
  declare readonly uri: string;
  declare readonly args: readonly unknown[];
  declare readonly kwargs: Kwargs;

  constructor(uri: string, args: readonly unknown[] = [], kwargs: Kwargs = {}) {
    super(typeof args[0] === 'string' ? args[0] : uri);
    Object.assign(this, { uri, args, kwargs });
  }
}

export class ClosedError extends WampError {
  override name = 'ClosedError';
}
