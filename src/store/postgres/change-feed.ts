import type { Listeners } from '../records/index.ts';
import type { ChangeRecord } from '../store.ts';

const POLL_MS = 250;
const PAGE = 1000;
/** Without a look at the changes for this long nothing remembered can be trusted: a revocation may have been missed. */
const CUT_OFF_MS = 2000;

/** Where the feed reads: the store's `changesAfter` and `changeHead`. */
export interface ChangeSource {
  after(sequence: number, limit: number): Promise<readonly ChangeRecord[]>;
  head(): Promise<number>;
}

/**
 * Tells the listeners what other servers have committed. Own changes were told when they were made. While the database
 * is out of reach it tells `missed` again and again, so that caches stay empty and requests fail rather than trust a key
 * that may be revoked. Change records are kept for some hours only: a server that was cut off for longer tells `missed`.
 */
export class ChangeFeed {
  readonly #source: ChangeSource;
  readonly #listeners: Listeners;
  /** Own numbers that the poll has not come by yet. */
  readonly #own = new Set<number>();
  #position: number;
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> | undefined;
  #stopped = false;
  /** Put off by every successful poll. */
  readonly #cutOff: NodeJS.Timeout;

  constructor(position: number, listeners: Listeners, source: ChangeSource) {
    this.#position = position;
    this.#listeners = listeners;
    this.#source = source;
    this.#cutOff = setInterval(() => this.#tellMissed(), CUT_OFF_MS);
    this.#cutOff.unref();
    this.#schedule();
  }

  tellOwn(changes: readonly ChangeRecord[]): void {
    for (const { sequence } of changes) if (sequence > this.#position) this.#own.add(sequence);
    this.#listeners.tell(changes);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#cutOff);
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
      while (!this.#stopped && (await this.#readPage()) === PAGE);
      if (!this.#stopped) this.#cutOff.refresh();
    } catch {
      // Out of reach: the position stays, so nothing is missed once the database is back.
    }
  }

  /**
   * The number of records read. A page begins with the one that was heard last, which is removed before any later one:
   * if it is gone, later ones may be gone too.
   */
  async #readPage(): Promise<number> {
    const fresh = this.#position === 0;
    const page = await this.#source.after(fresh ? 0 : this.#position - 1, PAGE);
    const first = page[0]?.sequence;
    const unbroken = fresh ? first === undefined || first === 1 : first === this.#position;
    if (!unbroken) return this.#startOver();
    for (const change of fresh ? page : page.slice(1)) this.#hear(change);
    return page.length;
  }

  /** Listeners are told after the new position is known: what is committed from then on comes by in later pages. */
  async #startOver(): Promise<number> {
    this.#position = await this.#source.head();
    this.#own.clear();
    this.#tellMissed();
    return 0;
  }

  #tellMissed(): void {
    this.#listeners.tell([{ sequence: this.#position, kind: 'missed', orgId: '', id: '' }]);
  }

  #hear(change: ChangeRecord): void {
    this.#position = change.sequence;
    if (!this.#own.delete(change.sequence)) this.#listeners.tell([change]);
  }
}
