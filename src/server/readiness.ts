import type { Readiness } from '../control/index.ts';

/** Whether both doors serve; behind `/readyz` and gRPC health. */
export class ReadinessSwitch implements Readiness {
  #ready = false;
  readonly #listeners = new Set<() => void>();

  ready(): boolean {
    return this.#ready;
  }

  set(ready: boolean): void {
    this.#ready = ready;
    for (const listener of this.#listeners) listener();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
