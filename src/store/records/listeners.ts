import type { ChangeRecord } from '../store.ts';

type Listener = (change: ChangeRecord) => void;

/** Who wants to hear of changes. */
export class Listeners {
  readonly #listeners = new Set<{ readonly hear: Listener }>();

  get size(): number {
    return this.#listeners.size;
  }

  add(listener: Listener): () => void {
    // An entry of its own, so that one function subscribed twice is two subscriptions.
    const entry = { hear: listener };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  tell(changes: readonly ChangeRecord[]): void {
    for (const change of changes) {
      for (const { hear } of this.#listeners) hear(change);
    }
  }
}
