import { KEY_BYTES_MAX } from '../../core/index.ts';
import type { ListEntry, ListPage } from '../../engine/index.ts';
import type { S3Call } from '../call.ts';
import { listingDocument } from '../documents/listing.ts';
import { S3Error } from '../errors.ts';
import { continuationToken, pageSize, readContinuationToken, urlEncoding } from '../parameters.ts';
import { type Reply, xmlReply } from '../respond.ts';

const NOTHING: ListPage = { entries: [], truncated: false };

interface Listing {
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxKeys: number;
  readonly urlEncoding: boolean;
}

function readListing(call: S3Call): Listing {
  return {
    prefix: shortText(call, 'prefix'),
    delimiter: shortText(call, 'delimiter'),
    maxKeys: pageSize(call, 'max-keys'),
    urlEncoding: urlEncoding(call),
  };
}

/** No key is longer than 1024 bytes, so nothing longer can be a prefix, delimiter or marker worth looking for. */
function shortText(call: S3Call, name: string): string {
  const value = call.query(name) ?? '';
  if (Buffer.byteLength(value) <= KEY_BYTES_MAX) return value;
  throw new S3Error('KeyTooLongError', `The ${name} is longer than any key.`, { ArgumentName: name });
}

async function readPage(call: S3Call, listing: Listing, after: string): Promise<ListPage> {
  if (listing.maxKeys === 0) return NOTHING;
  return call.ports.engine.listObjects({
    bucket: call.bucket,
    prefix: listing.prefix,
    delimiter: listing.delimiter,
    after,
    limit: listing.maxKeys,
  });
}

function lastName(page: ListPage): string | undefined {
  const last: ListEntry | undefined = page.entries.at(-1);
  if (!page.truncated || last === undefined) return undefined;
  return last.kind === 'prefix' ? last.prefix : last.key;
}

/** Version 1. `NextMarker` only with a delimiter, as in S3: without one, clients go on from the last key. */
export async function listObjects(call: S3Call): Promise<Reply> {
  const listing = readListing(call);
  const marker = shortText(call, 'marker');
  const page = await readPage(call, listing, marker);
  return xmlReply(
    listingDocument({
      version: 1,
      bucket: call.bucket.name,
      ...listing,
      ...page,
      ownerId: call.bucket.orgId,
      marker,
      nextMarker: listing.delimiter === '' ? undefined : lastName(page),
    }),
  );
}

/** Version 2. A continuation token wins over `start-after`. */
export async function listObjectsV2(call: S3Call): Promise<Reply> {
  if (call.query('list-type') !== '2') {
    throw new S3Error('InvalidArgument', 'Invalid List Type specified in Request.', { ArgumentName: 'list-type' });
  }
  const listing = readListing(call);
  const startAfter = call.query('start-after') === undefined ? undefined : shortText(call, 'start-after');
  const token = call.query('continuation-token');
  const after = token === undefined ? (startAfter ?? '') : readContinuationToken(call.bucket.id, token);
  const page = await readPage(call, listing, after);
  const next = lastName(page);
  return xmlReply(
    listingDocument({
      version: 2,
      bucket: call.bucket.name,
      ...listing,
      ...page,
      ownerId: call.query('fetch-owner')?.toLowerCase() === 'true' ? call.bucket.orgId : undefined,
      startAfter,
      continuationToken: token,
      nextContinuationToken: next === undefined ? undefined : continuationToken(call.bucket.id, next),
    }),
  );
}
