import type { Listeners } from '../records/index.ts';
import type { ChangeRecord } from '../store.ts';

const POLL_MS = 250;
const PAGE = 1000;

/** Tells the listeners what other servers have committed. Own changes were told when they were made. */
export class ChangeFeed {
  readonly #read: (after: number, limit: number) => Promise<readonly ChangeRecord[]>;
  readonly #listeners: Listeners;
  /** Own numbers that the poll has not come by yet. */
  readonly #own = new Set<number>();
  #position: number;
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> | undefined;
  #stopped = false;

  constructor(
    position: number,
    listeners: Listeners,
    read: (after: number, limit: number) => Promise<readonly ChangeRecord[]>,
  ) {
    this.#position = position;
    this.#listeners = listeners;
    this.#read = read;
    this.#schedule();
  }

  tellOwn(changes: readonly ChangeRecord[]): void {
    for (const { sequence } of changes) if (sequence > this.#position) this.#own.add(sequence);
    this.#listeners.tell(changes);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#polling;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#polling = this.#poll().finally(() => this.#schedule());
    }, POLL_MS);
    this.#timer.unref();
  }

  async #poll(): Promise<void> {
    try {
      let page: readonly ChangeRecord[];
      do {
        page = await this.#read(this.#position, PAGE);
        for (const change of page) this.#hear(change);
      } while (page.length === PAGE && !this.#stopped);
    } catch {
      // Out of reach: the position stays, so nothing is missed once the database is back.
    }
  }

  #hear(change: ChangeRecord): void {
    this.#position = change.sequence;
    if (!this.#own.delete(change.sequence)) this.#listeners.tell([change]);
  }
}
