import type { ByteRange } from '../engine/index.ts';
import { S3Error } from './errors.ts';

const SINGLE = /^bytes=(?:(\d+)-(\d*)|-(\d+))$/;

/**
 * The part of a body that `Range` asks for (RFC 9110 section 14). Undefined = send everything: no header, several
 * ranges, another unit, or a header that cannot be read. Throws InvalidRange when nothing of it exists.
 */
export function readRange(header: string | undefined, size: number): ByteRange | undefined {
  if (header === undefined) return undefined;
  const match = SINGLE.exec(header.trim());
  if (match === null) return undefined;
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), size);
    if (length === 0) throw invalidRange(header, size);
    return { start: size - length, length };
  }
  const start = Number(first);
  const end = last === '' || last === undefined ? Number.POSITIVE_INFINITY : Number(last);
  if (end < start) return undefined;
  if (start >= size) throw invalidRange(header, size);
  return { start, length: Math.min(end, size - 1) - start + 1 };
}

function invalidRange(requested: string, size: number): S3Error {
  return new S3Error('InvalidRange', 'The requested range is not satisfiable.', {
    RangeRequested: requested,
    ActualObjectSize: String(size),
  });
}

/** `x-amz-copy-source-range`: both ends are required. Undefined when the header is absent. */
export function copyRange(header: string | undefined): ByteRange | undefined {
  if (header === undefined) return undefined;
  const match = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header.trim());
  const start = Number(match?.[1]);
  const end = Number(match?.[2]);
  if (match === null || end < start) {
    throw new S3Error('InvalidArgument', 'The x-amz-copy-source-range value must be of the form bytes=first-last.', {
      ArgumentName: 'x-amz-copy-source-range',
      ArgumentValue: header,
    });
  }
  return { start, length: end - start + 1 };
}

/** A copied range must lie within the source. */
export function insistWithin(range: ByteRange, size: number): void {
  if (range.start + range.length <= size) return;
  throw new S3Error('InvalidRange', `Range specified is not valid for source object of size: ${size}.`);
}
