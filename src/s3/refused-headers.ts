import type { S3Call } from './call.ts';
import { S3Error } from './errors.ts';

/**
 * Headers that ask for something we do not do. They are refused and never ignored: a client that asked for encryption
 * or a lock must not believe that it got it.
 */
const NOT_IMPLEMENTED_PREFIXES = [
  'x-amz-server-side-encryption',
  'x-amz-copy-source-server-side-encryption',
  'x-amz-object-lock-',
  'x-amz-grant-',
];
const NOT_IMPLEMENTED: ReadonlySet<string> = new Set([
  'x-amz-tagging',
  'x-amz-website-redirect-location',
  'x-amz-write-offset-bytes',
  'x-amz-mfa',
  'x-amz-bypass-governance-retention',
  'x-amz-if-match-last-modified-time',
  'x-amz-if-match-size',
  'x-amz-rename-source',
]);
/** The only access control lists that change nothing when objects belong to the bucket's owner anyway. */
const HARMLESS_ACLS: ReadonlySet<string> = new Set(['private', 'bucket-owner-full-control']);

/** Throws NotImplemented, InvalidRequest (ACLs), AccessDenied (expected owner). */
export function checkRequestHeaders(call: S3Call): void {
  for (const name in call.request.headers) {
    if (name.startsWith('x-amz-')) checkHeader(call, name, call.request.headers[name]);
  }
  if (call.claim?.form === 'query') {
    for (const [name, value] of call.hoistedHeaders()) checkHeader(call, name, value);
  }
}

function checkHeader(call: S3Call, name: string, value: string | string[] | undefined): void {
  if (NOT_IMPLEMENTED.has(name) || NOT_IMPLEMENTED_PREFIXES.some((prefix) => name.startsWith(prefix))) {
    throw notImplemented(name);
  }
  switch (name) {
    case 'x-amz-acl':
      if (!HARMLESS_ACLS.has(String(value))) {
        throw new S3Error('InvalidRequest', 'Access control lists are not supported here; use a bucket policy.', {
          Header: name,
        });
      }
      return;
    case 'x-amz-tagging-directive':
      if (value !== 'COPY') throw notImplemented(name);
      return;
    case 'x-amz-bucket-object-lock-enabled':
      if (String(value).toLowerCase() !== 'false') throw notImplemented(name);
      return;
    case 'x-amz-object-ownership':
      if (value !== 'BucketOwnerEnforced') throw notImplemented(name);
      return;
    case 'x-amz-expected-bucket-owner':
      if (call.found !== undefined && value !== call.found.orgId) {
        throw call.accessDenied('the bucket belongs to another owner than x-amz-expected-bucket-owner says');
      }
  }
}

function notImplemented(header: string): S3Error {
  return new S3Error(
    'NotImplemented',
    `A header you provided implies functionality that is not implemented: ${header}.`,
    {
      Header: header,
    },
  );
}
