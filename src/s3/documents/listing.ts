import type { Instant } from '../../core/index.ts';
import type { ListEntry } from '../../engine/index.ts';
import { escapeText, urlEncodeKey, XmlWriter } from '../xml/index.ts';

export interface ListingDocument {
  readonly version: 1 | 2;
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxKeys: number;
  readonly urlEncoding: boolean;
  readonly entries: readonly ListEntry[];
  readonly truncated: boolean;
  /** Owner id, when entries show it. */
  readonly ownerId: string | undefined;
  /** Version 1. */
  readonly marker?: string | undefined;
  readonly nextMarker?: string | undefined;
  /** Version 2. */
  readonly startAfter?: string | undefined;
  readonly continuationToken?: string | undefined;
  readonly nextContinuationToken?: string | undefined;
}

/** ListBucketResult of both versions. On the path of every page of 1000 keys, hence plain string building. */
export function listingDocument(list: ListingDocument): string {
  const name = list.urlEncoding ? urlEncodeKey : escapeText;
  const xml = new XmlWriter('ListBucketResult');
  xml.leaf('Name', list.bucket).raw(leaf('Prefix', name(list.prefix)));
  if (list.version === 1) {
    xml.raw(leaf('Marker', name(list.marker ?? '')));
    if (list.nextMarker !== undefined) xml.raw(leaf('NextMarker', name(list.nextMarker)));
  } else {
    if (list.startAfter !== undefined) xml.raw(leaf('StartAfter', name(list.startAfter)));
    xml.leaf('ContinuationToken', list.continuationToken).leaf('NextContinuationToken', list.nextContinuationToken);
    xml.leaf('KeyCount', list.entries.length);
  }
  xml.leaf('MaxKeys', list.maxKeys);
  if (list.delimiter !== '') xml.raw(leaf('Delimiter', name(list.delimiter)));
  if (list.urlEncoding) xml.raw('<EncodingType>url</EncodingType>');
  xml.leaf('IsTruncated', list.truncated).raw(entries(list, name));
  return xml.close('ListBucketResult').toString();
}

function entries(list: ListingDocument, name: (text: string) => string): string {
  const owner = list.ownerId === undefined ? '' : ownerElement(list.ownerId);
  const times = new TimeText();
  // Joined at the end: one long chain of concatenations takes twice the time to become one text.
  const objects: string[] = [];
  const prefixes: string[] = [];
  for (const entry of list.entries) {
    if (entry.kind === 'prefix') {
      prefixes.push(`<CommonPrefixes><Prefix>${name(entry.prefix)}</Prefix></CommonPrefixes>`);
      continue;
    }
    const { checksum } = entry;
    const proof =
      checksum === undefined
        ? ''
        : `<ChecksumAlgorithm>${checksum.algorithm}</ChecksumAlgorithm><ChecksumType>${checksum.type}</ChecksumType>`;
    objects.push(
      `<Contents><Key>${name(entry.key)}</Key><LastModified>${times.of(entry.lastModified)}</LastModified><ETag>&quot;${entry.etag}&quot;</ETag>${proof}<Size>${entry.size}</Size>${owner}<StorageClass>${entry.storageClass}</StorageClass></Contents>`,
    );
  }
  return objects.join('') + prefixes.join('');
}

function leaf(element: string, escaped: string): string {
  return `<${element}>${escaped}</${element}>`;
}

function ownerElement(id: string): string {
  const text = escapeText(id);
  return `<Owner><ID>${text}</ID><DisplayName>${text}</DisplayName></Owner>`;
}

/** ISO 8601 with milliseconds; objects of one page were often written within the same second. */
class TimeText {
  #second = Number.NaN;
  #text = '';

  of(at: Instant): string {
    const second = Math.floor(at / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(second * 1000).toISOString().slice(0, 20);
    }
    const millis = at - second * 1000;
    return `${this.#text}${millis < 10 ? '00' : millis < 100 ? '0' : ''}${millis}Z`;
  }
}
