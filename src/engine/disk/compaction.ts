import type { Disk } from './disk.ts';
import type { LogPlace } from './record.ts';

/** Returns the space of segments whose small data is gone. */
export class Compactor {
  readonly #disk: Omit<Disk, never>;
  readonly #onError: (error: unknown) => void;
  constructor(disk: Disk, onError: (error: unknown) => void) {
    this.#disk = disk;
    this.#onError = onError;
  }
  afterCheckpoint(place: LogPlace): void {
    try {
      for (const segment of this.#disk.segments.list()) {
        if (segment >= place.segment) break;
        if ((this.#disk.state.liveBytes.get(segment) ?? 0) <= 0) this.#disk.segments.discard(segment);
      }
    } catch (error) {
      this.#onError(error);
    }
  }
  async close(): Promise<void> {}
}
