import type { BucketRecord } from '../../engine/index.ts';
import { XmlWriter } from '../xml/index.ts';

/** ListAllMyBucketsResult. The region of a bucket is told only when the answer is paged, as AWS does. */
export function bucketListDocument(page: {
  readonly ownerId: string;
  readonly buckets: readonly BucketRecord[];
  readonly paged: boolean;
  readonly prefix: string | undefined;
  readonly nextToken: string | undefined;
}): XmlWriter {
  const xml = new XmlWriter('ListAllMyBucketsResult').open('Owner');
  xml.leaf('ID', page.ownerId).leaf('DisplayName', page.ownerId).close('Owner').open('Buckets');
  for (const bucket of page.buckets) {
    xml.open('Bucket').leaf('Name', bucket.name).leaf('CreationDate', new Date(bucket.createdAt).toISOString());
    if (page.paged) xml.leaf('BucketRegion', bucket.location);
    xml.close('Bucket');
  }
  xml.close('Buckets').leaf('ContinuationToken', page.nextToken).leaf('Prefix', page.prefix);
  return xml.close('ListAllMyBucketsResult');
}

export function locationDocument(location: string): XmlWriter {
  return new XmlWriter('LocationConstraint').raw(location).close('LocationConstraint');
}

/** A bucket that never had versioning: no `Status` at all (contract S3 section 5). */
export function neverVersionedDocument(): XmlWriter {
  return new XmlWriter('VersioningConfiguration').close('VersioningConfiguration');
}
