import type { StoredChecksum } from '../core/index.ts';
import { USER_METADATA_BYTES_MAX } from '../core/index.ts';
import type { ObjectAttributes, ObjectRecord, SystemMetadata } from '../engine/index.ts';
import type { S3Call } from './call.ts';
import { S3Error } from './errors.ts';
import { storedContentEncoding } from './payload/index.ts';

/** Object attributes as headers, in both directions. */

const META_PREFIX = 'x-amz-meta-';

/** Attributes of a write. Throws MetadataTooLarge, InvalidStorageClass, InvalidArgument. */
export function readAttributes(call: S3Call): ObjectAttributes {
  return { system: readSystemMetadata(call), user: readUserMetadata(call), storageClass: readStorageClass(call) };
}

function readSystemMetadata(call: S3Call): SystemMetadata {
  const coding = call.header('content-encoding');
  const contentEncoding = coding === undefined ? undefined : storedContentEncoding(coding);
  return dropUndefined({
    contentType: call.header('content-type'),
    contentEncoding,
    contentDisposition: call.header('content-disposition'),
    contentLanguage: call.header('content-language'),
    cacheControl: call.header('cache-control'),
    expires: call.header('expires'),
  });
}

function dropUndefined(fields: Record<string, string | undefined>): SystemMetadata {
  for (const name of Object.keys(fields)) if (fields[name] === undefined) delete fields[name];
  return fields as SystemMetadata;
}

function readUserMetadata(call: S3Call): Readonly<Record<string, string>> {
  const user: Record<string, string> = Object.create(null);
  let size = 0;
  const take = (name: string, value: string): void => {
    if (!name.startsWith(META_PREFIX)) return;
    insistHeaderValue(name, value);
    user[name.slice(META_PREFIX.length)] = value;
    size += name.length - META_PREFIX.length + value.length;
  };
  for (const [name, value] of Object.entries(call.request.headers)) {
    if (value !== undefined) take(name, typeof value === 'string' ? value : value.join(','));
  }
  if (call.claim?.form === 'query') for (const [name, value] of call.hoistedHeaders()) take(name, value);
  if (size > USER_METADATA_BYTES_MAX) {
    throw new S3Error('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size.', {
      Size: String(size),
      MaxSizeAllowed: String(USER_METADATA_BYTES_MAX),
    });
  }
  return user;
}

function readStorageClass(call: S3Call): string {
  const value = call.header('x-amz-storage-class');
  if (value === undefined || value === '' || value === 'STANDARD') return 'STANDARD';
  throw new S3Error('InvalidStorageClass', 'The storage class you specified is not valid.', {
    StorageClassRequested: value,
  });
}

/** Text that can stand in a header; CR, LF, controls and anything beyond Latin-1 cannot (threat S-10). */
function insistHeaderValue(name: string, value: string): void {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return;
  throw new S3Error('InvalidArgument', `The value of ${name} cannot stand in a header.`, { ArgumentName: name });
}

/** Headers of GET and HEAD that describe the object, without length and range. */
export function objectHeaders(record: ObjectRecord): string[] {
  const { system, user, storageClass } = record.attributes;
  const headers = [
    'Last-Modified',
    new Date(record.lastModified).toUTCString(),
    'ETag',
    `"${record.etag}"`,
    'Accept-Ranges',
    'bytes',
    'Content-Type',
    system.contentType ?? 'binary/octet-stream',
  ];
  if (system.contentEncoding !== undefined) headers.push('Content-Encoding', system.contentEncoding);
  if (system.contentDisposition !== undefined) headers.push('Content-Disposition', system.contentDisposition);
  if (system.contentLanguage !== undefined) headers.push('Content-Language', system.contentLanguage);
  if (system.cacheControl !== undefined) headers.push('Cache-Control', system.cacheControl);
  if (system.expires !== undefined) headers.push('Expires', system.expires);
  for (const name in user) headers.push(META_PREFIX + name, user[name] ?? '');
  if (storageClass !== 'STANDARD') headers.push('x-amz-storage-class', storageClass);
  return headers;
}

/** `x-amz-checksum-…` of a checksum that covers what is sent. */
export function pushChecksum(headers: string[], checksum: StoredChecksum | undefined): void {
  if (checksum === undefined) return;
  headers.push(`x-amz-checksum-${checksum.algorithm.toLowerCase()}`, checksum.value);
  headers.push('x-amz-checksum-type', checksum.type);
}

const OVERRIDES: ReadonlyMap<string, string> = new Map([
  ['response-content-type', 'Content-Type'],
  ['response-content-language', 'Content-Language'],
  ['response-expires', 'Expires'],
  ['response-cache-control', 'Cache-Control'],
  ['response-content-disposition', 'Content-Disposition'],
  ['response-content-encoding', 'Content-Encoding'],
]);

/** `response-*` parameters of GET and HEAD: for signed requests only (threat S-10). */
export function applyOverrides(call: S3Call, headers: string[]): void {
  const query = call.route?.query;
  if (query === undefined || query.size === 0) return;
  for (const [parameter, header] of OVERRIDES) {
    const value = query.get(parameter);
    if (value === undefined) continue;
    if (call.claim === undefined) {
      throw new S3Error(
        'InvalidRequest',
        'Request specific response headers cannot be used for anonymous GET requests.',
      );
    }
    insistHeaderValue(parameter, value);
    const at = headers.indexOf(header);
    if (at >= 0) headers[at + 1] = value;
    else headers.push(header, value);
  }
}
