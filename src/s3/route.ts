import { KEY_BYTES_MAX } from '../core/index.ts';
import { addressingOf, isAddressableBucketName, newBucketNameProblem } from './bucket-names.ts';
import { S3Error } from './errors.ts';
import { candidates, type S3Operation, type S3PathKind, SUBRESOURCES, unknownOperation } from './operations.ts';

/** What a request asks for, byte exact. */
export interface S3Route {
  readonly row: S3Operation;
  /** Empty for the service itself. */
  readonly bucket: string;
  /** Decoded once, never tidied (threat P-01). Empty for buckets. */
  readonly key: string;
  readonly query: QueryParameters;
}

/** First value of each parameter, decoded. */
export type QueryParameters = ReadonlyMap<string, string>;

export interface RouteInput {
  readonly method: string;
  /** Raw path, up to the first `?`. */
  readonly path: string;
  /** Raw query without `?`. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface RouteOptions {
  readonly domains: readonly string[];
  readonly strict: boolean;
}

const NO_PARAMETERS: QueryParameters = new Map();

/**
 * Finds the operation, the bucket and the key of a request. Throws `S3Error`: InvalidURI, InvalidBucketName,
 * InvalidRequest (addressing), InvalidArgument (sub-resources that contradict each other), KeyTooLongError.
 */
export function route(input: RouteInput, options: RouteOptions): S3Route {
  const path = input.path;
  if (path.charCodeAt(0) !== 47 || hasForeignCharacters(path)) {
    throw new S3Error('InvalidURI', "Couldn't parse the specified URI: the path must be absolute and percent-encoded.");
  }
  const addressing = addressingOf(input.headers.host, options);
  let bucket = addressing.bucket;
  let key: string;
  if (bucket === '') {
    const slash = path.indexOf('/', 1);
    bucket = decodePart(slash < 0 ? path.slice(1) : path.slice(1, slash));
    key = slash < 0 ? '' : decodePart(path.slice(slash + 1));
    if (bucket === '' && key !== '') throw badBucketName('');
  } else {
    key = decodePart(path.slice(1));
  }
  if (bucket !== '') {
    if (!isAddressableBucketName(bucket)) throw badBucketName(bucket);
    if (options.strict && addressing.bucket === '') throw pathStyleRefused(bucket);
  }
  checkKey(key);
  const query = input.query === '' ? NO_PARAMETERS : parseQuery(input.query);
  const kind: S3PathKind = bucket === '' ? 'service' : key === '' ? 'bucket' : 'object';
  return { row: findRow(input, kind, query), bucket, key, query };
}

function findRow(input: RouteInput, kind: S3PathKind, query: QueryParameters): S3Operation {
  for (const row of candidates(input.method, kind)) {
    if (!matches(row, input, query)) continue;
    const stray = strayParameter(row, input.method, query);
    if (stray === undefined) return row;
    if (row.query.length > 0) {
      throw new S3Error('InvalidArgument', `Conflicting query string parameters: ${row.query[0]} and ${stray}.`, {
        ArgumentName: stray,
      });
    }
    if (stray === 'partNumber') {
      throw new S3Error('InvalidArgument', 'partNumber needs uploadId in this request.', { ArgumentName: stray });
    }
    break;
  }
  return unknownOperation(input.method, kind);
}

function matches(row: S3Operation, input: RouteInput, query: QueryParameters): boolean {
  for (const name of row.query) if (!query.has(name)) return false;
  return row.header === undefined || input.headers[row.header] !== undefined || namesHeader(query, row.header);
}

/** Presigners move headers into the query, under whatever case the header had. */
function namesHeader(query: QueryParameters, header: string): boolean {
  for (const name of query.keys()) if (name.length === header.length && name.toLowerCase() === header) return true;
  return false;
}

/** A sub-resource in the query that the row does not account for. */
function strayParameter(row: S3Operation, method: string, query: QueryParameters): string | undefined {
  if (query.size === 0) return undefined;
  for (const name of query.keys()) {
    if (SUBRESOURCES.has(name) && !row.query.includes(name)) return name;
    if (name === 'partNumber' && method !== 'GET' && method !== 'HEAD' && row.query[0] !== 'uploadId') return name;
  }
  return undefined;
}

/** Whether a request that matched no row names a sub-resource (501) or merely uses a wrong method (405). */
export function namesSubresource(query: QueryParameters): boolean {
  for (const name of query.keys()) if (SUBRESOURCES.has(name)) return true;
  return false;
}

function checkKey(key: string): void {
  // A UTF-16 unit is at most three bytes of UTF-8: short keys need no counting.
  if (key.length * 3 <= KEY_BYTES_MAX) return;
  const size = Buffer.byteLength(key);
  if (size <= KEY_BYTES_MAX) return;
  throw new S3Error('KeyTooLongError', 'Your key is too long.', {
    Size: String(size),
    MaxSizeAllowed: String(KEY_BYTES_MAX),
  });
}

function hasForeignCharacters(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f) return true;
  }
  return false;
}

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Percent-decodes one raw piece of a path, once. Throws InvalidURI for cut escapes, bytes that are no UTF-8, and NUL (threat P-02). */
export function decodePart(raw: string): string {
  if (raw.indexOf('%') < 0) return raw;
  const bytes = Buffer.allocUnsafe(raw.length);
  let size = 0;
  for (let i = 0; i < raw.length; i++) {
    let code = raw.charCodeAt(i);
    if (code === 37) {
      code = hexValue(raw.charCodeAt(i + 1)) * 16 + hexValue(raw.charCodeAt(i + 2));
      i += 2;
    }
    // NaN (not a hexadecimal digit, or cut off) fails this comparison as well.
    if (!(code > 0)) throw invalidEscape();
    bytes[size++] = code;
  }
  try {
    return STRICT_UTF8.decode(bytes.subarray(0, size));
  } catch {
    throw invalidEscape();
  }
}

function hexValue(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 0x20;
  return lower >= 97 && lower <= 102 ? lower - 87 : Number.NaN;
}

function invalidEscape(): S3Error {
  return new S3Error(
    'InvalidURI',
    "Couldn't parse the specified URI: percent-encoding must be complete, valid UTF-8, and without NUL.",
  );
}

function parseQuery(raw: string): QueryParameters {
  if (hasForeignCharacters(raw)) throw invalidEscape();
  const parameters = new Map<string, string>();
  for (const piece of raw.split('&')) {
    if (piece === '') continue;
    const equals = piece.indexOf('=');
    const name = decodeQueryPart(equals < 0 ? piece : piece.slice(0, equals));
    if (parameters.has(name)) continue;
    parameters.set(name, equals < 0 ? '' : decodeQueryPart(piece.slice(equals + 1)));
  }
  return parameters;
}

function decodeQueryPart(raw: string): string {
  return decodePart(raw.indexOf('+') < 0 ? raw : raw.replaceAll('+', '%20'));
}

function badBucketName(name: string): S3Error {
  const problem = newBucketNameProblem(name, false) ?? 'the name is reserved';
  return new S3Error('InvalidBucketName', `The specified bucket is not valid: ${problem}.`, { BucketName: name });
}

function pathStyleRefused(bucket: string): S3Error {
  return new S3Error(
    'InvalidRequest',
    'This server accepts virtual-hosted addressing only: put the bucket into the host name, not into the path.',
    { BucketName: bucket },
  );
}
