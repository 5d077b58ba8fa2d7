// Messages on their way to one port, gathered so that those of one task leave in one postMessage.
//
// That is the one big throughput lever in a browser: a hop between tabs costs the same for one message as for fifty.
// Owns the batch and its size cap; when to flush is up to the owner (a microtask in the client, the end of a router
// batch in the host).

import { BATCH_SIZE } from './wire.ts';

export class Outbox {
  readonly #post: (batch: unknown[], transfer: Transferable[]) => void;
  #batch: unknown[] = [];
  #transfer: Transferable[] = [];
  #size = 0;

  constructor(post: (batch: unknown[], transfer: Transferable[]) => void) {
    this.#post = post;
  }

  /** Characters or bytes that wait. */
  get size(): number {
    return this.#size;
  }

  get isEmpty(): boolean {
    return this.#batch.length === 0;
  }

  /** Adds a head and its tail. */
  pushMessage(head: string, tail: unknown, size: number, transfer: readonly Transferable[] = []): void {
    this.#makeRoom(size);
    this.#batch.push(head, tail);
    this.#transfer.push(...transfer);
    this.#grow(size);
  }

  /** Adds a frame of a binary serializer. */
  pushFrame(frame: Uint8Array): void {
    this.#makeRoom(frame.byteLength);
    this.#batch.push(frame);
    this.#grow(frame.byteLength);
  }

  flush(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    const transfer = this.#transfer;
    this.#batch = [];
    this.#transfer = [];
    this.#size = 0;
    this.#post(batch, transfer);
  }

  /** What waits must not wait for a large message to be copied. */
  #makeRoom(size: number): void {
    if (this.#size + size > BATCH_SIZE) this.flush();
  }

  #grow(size: number): void {
    this.#size += size;
    if (this.#size >= BATCH_SIZE) this.flush();
  }
}
