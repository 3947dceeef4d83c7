import { createHmac, timingSafeEqual } from 'node:crypto';
import { LIST_ENTRIES_MAX, PART_NUMBER_MAX } from '../core/index.ts';
import type { S3Call } from './call.ts';
import { S3Error } from './errors.ts';

/** Query parameters that hold numbers, tokens and markers, read strictly (threats P-10, P-11). */

const INTEGER_MAX = 2 ** 31 - 1;

function invalidArgument(name: string, value: string, message: string): S3Error {
  return new S3Error('InvalidArgument', message, { ArgumentName: name, ArgumentValue: value });
}

/** Plain decimal digits within `[min, max]`; undefined when absent. Throws InvalidArgument. */
export function integerParameter(call: S3Call, name: string, min: number, max: number): number | undefined {
  const text = call.query(name);
  if (text === undefined) return undefined;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw invalidArgument(name, text, `Provided ${name} must be a whole number from ${min} to ${max}.`);
}

/** `max-keys` and its kin: absent or empty = 1000, more than 1000 = 1000. */
export function pageSize(call: S3Call, name: string): number {
  if (call.query(name) === '') return LIST_ENTRIES_MAX;
  return Math.min(integerParameter(call, name, 0, INTEGER_MAX) ?? LIST_ENTRIES_MAX, LIST_ENTRIES_MAX);
}

/** `part-number-marker`: absent or empty = 0. */
export function partMarker(call: S3Call): number {
  if (call.query('part-number-marker') === '') return 0;
  return integerParameter(call, 'part-number-marker', 0, INTEGER_MAX) ?? 0;
}

/** The part number of an upload; it must be there. */
export function requiredPartNumber(call: S3Call): number {
  const value = integerParameter(call, 'partNumber', 1, PART_NUMBER_MAX);
  if (value !== undefined) return value;
  throw invalidArgument('partNumber', '', 'partNumber is missing.');
}

/** Whether keys of the answer are to be percent-encoded. */
export function urlEncoding(call: S3Call): boolean {
  const value = call.query('encoding-type');
  if (value === undefined || value === '') return false;
  if (value.toLowerCase() === 'url') return true;
  throw invalidArgument('encoding-type', value, 'Invalid Encoding Method specified in Request; only url is known.');
}

/** Ids of uploads are ours: short and of a small alphabet. Anything else was never given out. */
export function uploadIdMarker(call: S3Call): string {
  const value = call.query('upload-id-marker') ?? '';
  if (/^[A-Za-z0-9._~-]{0,256}$/.test(value)) return value;
  throw invalidArgument('upload-id-marker', value, 'Invalid uploadId marker.');
}

/** `versionId` of an unversioned bucket: only `null` exists. */
export function checkVersionId(call: S3Call): void {
  const value = call.query('versionId');
  if (value === undefined || value === 'null') return;
  throw invalidArgument('versionId', value, 'Invalid version id specified.');
}

const MAC_BYTES = 16;

/**
 * Continuation token: where the next page starts, sealed to its owner. `owner` is the id of the bucket or organization,
 * so that a token of another one, or an invented one, is refused instead of being read.
 */
export function continuationToken(owner: string, after: string): string {
  const text = Buffer.from(after);
  return Buffer.concat([tokenMac(owner, text), text]).toString('base64url');
}

/** The place a token stands for. Throws InvalidArgument. */
export function readContinuationToken(owner: string, token: string): string {
  if (/^[A-Za-z0-9_-]{22,2048}$/.test(token)) {
    const bytes = Buffer.from(token, 'base64url');
    const text = bytes.subarray(MAC_BYTES);
    // Comparing the text form too refuses tokens that differ only in ignored bits.
    if (timingSafeEqual(bytes.subarray(0, MAC_BYTES), tokenMac(owner, text)) && bytes.toString('base64url') === token) {
      return text.toString();
    }
  }
  throw invalidArgument('continuation-token', token, 'The continuation token provided is incorrect.');
}

function tokenMac(owner: string, text: Uint8Array): Buffer {
  return createHmac('sha256', `continuation-token\n${owner}`).update(text).digest().subarray(0, MAC_BYTES);
}
