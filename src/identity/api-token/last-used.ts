import type { Clock, Instant } from '../../core/index.ts';
import type { ControlStore } from '../../store/index.ts';
import type { Events } from '../../telemetry/index.ts';

const WRITE_EVERY_MS = 60_000;
const PENDING_MAX = 10_000;

/**
 * When each token was last used, written in one transaction at most once a minute (and on `flush`), so that proving
 * who is asking never waits for a disk.
 */
export class LastUsed {
  readonly #store: ControlStore;
  readonly #clock: Clock;
  readonly #events: Pick<Events, 'unexpected'>;
  #pending = new Map<string, Instant>();
  #writtenAt = Number.NEGATIVE_INFINITY;
  #writing: Promise<void> = Promise.resolve();

  constructor(store: ControlStore, clock: Clock, events: Pick<Events, 'unexpected'>) {
    this.#store = store;
    this.#clock = clock;
    this.#events = events;
  }

  record(tokenId: string, now: Instant): void {
    if (this.#pending.size >= PENDING_MAX && !this.#pending.has(tokenId)) return;
    this.#pending.set(tokenId, now);
    if (now >= this.#writtenAt && now - this.#writtenAt < WRITE_EVERY_MS) return;
    this.flush().catch((error: unknown) => this.#events.unexpected({ where: 'identity: last use of tokens', error }));
  }

  /** Resolves when everything recorded before the call is written. */
  flush(): Promise<void> {
    const batch = this.#pending;
    this.#pending = new Map();
    this.#writtenAt = this.#clock.now();
    const write = () => this.#write(batch);
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }

  async #write(batch: ReadonlyMap<string, Instant>): Promise<void> {
    if (batch.size === 0) return;
    await this.#store.transact(async (records) => {
      for (const [id, at] of batch) await records.apiTokens.touch(id, at);
    });
  }
}
