import type { ByteRange, ObjectReader } from '../engine.ts';

/** The bytes of a reader as a stream of chunks; each is valid until the next is asked for. */
export async function* readChunks(
  reader: ObjectReader,
  range: ByteRange,
  onChunk: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  const step = 1024 * 1024;
  for (let at = 0; at < range.length; at += step) {
    const pieces: Uint8Array[] = [];
    const length = Math.min(step, range.length - at);
    await reader.copyTo(
      {
        write: async (chunk) => {
          pieces.push(Buffer.from(chunk));
        },
      },
      { start: range.start + at, length },
    );
    for (const piece of pieces) {
      onChunk(piece);
      yield piece;
    }
  }
}
