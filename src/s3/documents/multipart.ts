import type { StoredChecksum } from '../../core/index.ts';
import type { PartPage, PartRecord, PutResult, UploadPage, UploadRecord } from '../../engine/index.ts';
import { urlEncodeKey, XmlWriter } from '../xml/index.ts';

export function initiatedDocument(bucket: string, key: string, uploadId: string): XmlWriter {
  const xml = new XmlWriter('InitiateMultipartUploadResult').leaf('Bucket', bucket).leaf('Key', key);
  return xml.leaf('UploadId', uploadId).close('InitiateMultipartUploadResult');
}

export function completedDocument(bucket: string, key: string, location: string, result: PutResult): XmlWriter {
  const xml = new XmlWriter('CompleteMultipartUploadResult').leaf('Location', location).leaf('Bucket', bucket);
  xml.leaf('Key', key).leaf('ETag', `"${result.etag}"`);
  if (result.checksum !== undefined) {
    checksumLeaf(xml, result.checksum).leaf('ChecksumType', result.checksum.type);
  }
  return xml.close('CompleteMultipartUploadResult');
}

export function copiedDocument(root: 'CopyObjectResult' | 'CopyPartResult', result: PutResult | PartRecord): XmlWriter {
  const xml = new XmlWriter(root).leaf('LastModified', new Date(result.lastModified).toISOString());
  xml.leaf('ETag', `"${result.etag}"`);
  if (result.checksum !== undefined) {
    checksumLeaf(xml, result.checksum);
    if (root === 'CopyObjectResult') xml.leaf('ChecksumType', result.checksum.type);
  }
  return xml.close(root);
}

function checksumLeaf(xml: XmlWriter, checksum: StoredChecksum): XmlWriter {
  return xml.leaf(`Checksum${checksum.algorithm}`, checksum.value);
}

export function partsDocument(
  page: PartPage,
  list: { readonly bucket: string; readonly ownerId: string; readonly after: number; readonly limit: number },
): XmlWriter {
  const { upload } = page;
  const xml = new XmlWriter('ListPartsResult').leaf('Bucket', list.bucket).leaf('Key', upload.key);
  xml.leaf('UploadId', upload.uploadId);
  who(xml, upload, list.ownerId);
  xml.leaf('StorageClass', upload.attributes.storageClass).leaf('PartNumberMarker', list.after);
  xml.leaf('NextPartNumberMarker', page.parts.at(-1)?.partNumber ?? 0).leaf('MaxParts', list.limit);
  xml.leaf('IsTruncated', page.truncated);
  algorithm(xml, upload);
  for (const part of page.parts) {
    xml
      .open('Part')
      .leaf('PartNumber', part.partNumber)
      .leaf('LastModified', new Date(part.lastModified).toISOString());
    xml.leaf('ETag', `"${part.etag}"`).leaf('Size', part.size);
    if (part.checksum !== undefined) checksumLeaf(xml, part.checksum);
    xml.close('Part');
  }
  return xml.close('ListPartsResult');
}

export interface UploadsListing {
  readonly bucket: string;
  readonly ownerId: string;
  readonly prefix: string;
  readonly delimiter: string;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly limit: number;
  readonly urlEncoding: boolean;
}

export function uploadsDocument(page: UploadPage, list: UploadsListing): XmlWriter {
  const name = list.urlEncoding ? urlEncodeKey : (text: string) => text;
  const xml = new XmlWriter('ListMultipartUploadsResult').leaf('Bucket', list.bucket);
  xml.leaf('KeyMarker', name(list.keyMarker)).leaf('UploadIdMarker', list.uploadIdMarker);
  const last = page.entries.at(-1);
  if (page.truncated && last !== undefined) {
    xml.leaf('NextKeyMarker', name(last.kind === 'upload' ? last.upload.key : last.prefix));
    xml.leaf('NextUploadIdMarker', last.kind === 'upload' ? last.upload.uploadId : '');
  }
  xml.leaf('Prefix', name(list.prefix));
  if (list.delimiter !== '') xml.leaf('Delimiter', name(list.delimiter));
  if (list.urlEncoding) xml.leaf('EncodingType', 'url');
  xml.leaf('MaxUploads', list.limit).leaf('IsTruncated', page.truncated);
  for (const entry of page.entries) {
    if (entry.kind === 'upload') uploadElement(xml, entry.upload, list, name);
  }
  for (const entry of page.entries) {
    if (entry.kind === 'prefix') xml.open('CommonPrefixes').leaf('Prefix', name(entry.prefix)).close('CommonPrefixes');
  }
  return xml.close('ListMultipartUploadsResult');
}

function uploadElement(
  xml: XmlWriter,
  upload: UploadRecord,
  list: UploadsListing,
  name: (text: string) => string,
): void {
  xml.open('Upload').leaf('Key', name(upload.key)).leaf('UploadId', upload.uploadId);
  who(xml, upload, list.ownerId);
  xml.leaf('StorageClass', upload.attributes.storageClass);
  xml.leaf('Initiated', new Date(upload.initiatedAt).toISOString());
  algorithm(xml, upload);
  xml.close('Upload');
}

function who(xml: XmlWriter, upload: UploadRecord, ownerId: string): void {
  xml.open('Initiator').leaf('ID', upload.initiator).leaf('DisplayName', upload.initiator).close('Initiator');
  xml.open('Owner').leaf('ID', ownerId).leaf('DisplayName', ownerId).close('Owner');
}

function algorithm(xml: XmlWriter, upload: UploadRecord): void {
  xml.leaf('ChecksumAlgorithm', upload.checksum?.algorithm).leaf('ChecksumType', upload.checksum?.type);
}
