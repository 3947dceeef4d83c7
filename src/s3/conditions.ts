import type { Instant } from '../core/index.ts';
import type { ObjectRecord, WriteCondition } from '../engine/index.ts';
import type { S3Call } from './call.ts';
import { S3Error } from './errors.ts';

/** What HTTP preconditions say about a read: go on, 304, or 412 with the name of the condition. */
export type ReadVerdict = 'proceed' | 'not-modified' | { readonly failed: string };

export interface ReadConditions {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
  readonly ifUnmodifiedSince: string | undefined;
}

type Version = Pick<ObjectRecord, 'etag' | 'lastModified'>;

/** RFC 9110 section 13.2.2: entity tags win over dates. */
export function judgeRead(conditions: ReadConditions, version: Version): ReadVerdict {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions;
  if (ifMatch !== undefined) {
    if (!etagListMatches(ifMatch, version.etag)) return { failed: 'If-Match' };
  } else if (ifUnmodifiedSince !== undefined && modifiedSince(version.lastModified, ifUnmodifiedSince) === true) {
    return { failed: 'If-Unmodified-Since' };
  }
  if (ifNoneMatch !== undefined) {
    if (etagListMatches(ifNoneMatch, version.etag)) return 'not-modified';
  } else if (ifModifiedSince !== undefined && modifiedSince(version.lastModified, ifModifiedSince) === false) {
    return 'not-modified';
  }
  return 'proceed';
}

/** Undefined when the date cannot be read: such a header is ignored, as HTTP says. HTTP dates have whole seconds. */
function modifiedSince(lastModified: Instant, date: string): boolean | undefined {
  const since = Date.parse(date);
  return Number.isNaN(since) ? undefined : Math.floor(lastModified / 1000) * 1000 > since;
}

/** `*` or a list of entity tags, with or without quotes, weak ones compared as strong. */
export function etagListMatches(list: string, etag: string): boolean {
  if (list.trim() === '*') return true;
  return list.split(',').some((item) => unquoted(item) === etag);
}

/** An entity tag without `W/` and quotes. */
export function unquoted(etag: string): string {
  let text = etag.trim();
  if (text.startsWith('W/')) text = text.slice(2);
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

export function preconditionFailed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold.', {
    Condition: condition,
  });
}

/** `If-Match` / `If-None-Match` of a write (contract S3 section 9.2, threat D-11). */
export function writeCondition(call: S3Call): WriteCondition | undefined {
  const { headers } = call.request;
  const ifMatch = headers['if-match'];
  const ifNoneMatch = headers['if-none-match'];
  if (headers['if-modified-since'] !== undefined || headers['if-unmodified-since'] !== undefined) {
    throw new S3Error('NotImplemented', 'Date conditions on a write are not supported; use If-Match or If-None-Match.');
  }
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined;
  if (ifMatch !== undefined && ifNoneMatch !== undefined) {
    throw new S3Error('InvalidRequest', 'If-Match and If-None-Match cannot be used together on a write.');
  }
  if (typeof ifNoneMatch === 'string') {
    if (ifNoneMatch.trim() !== '*') {
      throw new S3Error('InvalidRequest', 'On a write, If-None-Match accepts only "*".', { Header: 'If-None-Match' });
    }
    return { ifNoneMatch: '*' };
  }
  const etag = unquoted(String(ifMatch));
  if (etag === '' || etag.includes(',')) {
    throw new S3Error('InvalidRequest', 'On a write, If-Match takes exactly one ETag.', { Header: 'If-Match' });
  }
  return { ifMatch: etag };
}

const COPY_SOURCE_PREFIX = 'x-amz-copy-source-';

/** Conditions on a copy source; every one that does not hold is a 412, never a 304. */
export function copySourceCondition(call: S3Call): ((record: Version) => void) | undefined {
  const conditions: ReadConditions = {
    ifMatch: call.header(`${COPY_SOURCE_PREFIX}if-match`),
    ifNoneMatch: call.header(`${COPY_SOURCE_PREFIX}if-none-match`),
    ifModifiedSince: call.header(`${COPY_SOURCE_PREFIX}if-modified-since`),
    ifUnmodifiedSince: call.header(`${COPY_SOURCE_PREFIX}if-unmodified-since`),
  };
  if (Object.values(conditions).every((value) => value === undefined)) return undefined;
  return (record) => {
    const verdict = judgeRead(conditions, record);
    if (verdict === 'not-modified') throw preconditionFailed(`${COPY_SOURCE_PREFIX}if-none-match`);
    if (verdict !== 'proceed') throw preconditionFailed(`${COPY_SOURCE_PREFIX}${verdict.failed.toLowerCase()}`);
  };
}
