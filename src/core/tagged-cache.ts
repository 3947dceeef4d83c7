import { LRUCache } from 'lru-cache';

interface Entry<V> {
  readonly value: V;
  readonly tags: readonly string[];
}

/** A bounded cache, least recently used out first, whose entries can be dropped by what they depend on. */
export class TaggedCache<V extends object> {
  readonly #entries: LRUCache<string, Entry<V>>;
  readonly #keysByTag = new Map<string, Set<string>>();

  constructor(entriesMax: number) {
    this.#entries = new LRUCache({ max: entriesMax, dispose: (entry, key) => this.#untag(key, entry.tags) });
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: string, value: V, tags: readonly string[]): void {
    this.#entries.set(key, { value, tags });
    for (const tag of tags) {
      const keys = this.#keysByTag.get(tag);
      if (keys === undefined) this.#keysByTag.set(tag, new Set([key]));
      else keys.add(key);
    }
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  deleteTagged(tag: string): void {
    for (const key of [...(this.#keysByTag.get(tag) ?? [])]) this.#entries.delete(key);
  }

  /** Walks over everything: not for hot paths. */
  deleteWhere(condition: (value: V) => boolean): void {
    for (const [key, entry] of [...this.#entries.entries()]) if (condition(entry.value)) this.#entries.delete(key);
  }

  /** Number of entries and of tags that still hold any. */
  size(): { readonly entries: number; readonly tags: number } {
    return { entries: this.#entries.size, tags: this.#keysByTag.size };
  }

  /** Runs for every way out of the cache: deleted, pushed out, replaced. */
  #untag(key: string, tags: readonly string[]): void {
    for (const tag of tags) {
      const keys = this.#keysByTag.get(tag);
      keys?.delete(key);
      if (keys?.size === 0) this.#keysByTag.delete(tag);
    }
  }
}
