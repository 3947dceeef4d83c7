import type { Instant } from '../../core/index.ts';
import type { S3Error } from '../errors.ts';
import type { ClaimScope } from './claim.ts';

/** Makes the error of the form that is being read: header and query have their own codes. */
export type Refuse = (detail: string) => S3Error;

const ACCESS_KEY_ID = /^[\x21-\x7e]{1,128}$/;
const DATE = /^[0-9]{8}$/;
const DNS_LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const TIMESTAMP = /^[0-9]{8}T[0-9]{6}Z$/;
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const SIGNED_HEADERS_MAX = 100;

/** `<key id>/<date>/<region>/<service>/aws4_request`, nothing more and nothing less. */
export function readScope(
  credential: string,
  service: string,
  refuse: Refuse,
): { readonly accessKeyId: string; readonly scope: ClaimScope } {
  const parts = credential.split('/');
  const [accessKeyId, date, region] = parts;
  if (parts.length !== 5 || accessKeyId === undefined || date === undefined || region === undefined)
    throw refuse('the Credential must be <key id>/<date>/<region>/<service>/aws4_request.');
  if (!ACCESS_KEY_ID.test(accessKeyId)) throw refuse('the access key id is missing or not valid.');
  if (!DATE.test(date)) throw refuse('the date of the Credential must be YYYYMMDD.');
  if (!DNS_LABEL.test(region)) throw refuse('the region of the Credential must look like a DNS label.');
  if (parts[3] !== service) throw refuse(`the service of the Credential must be "${service}".`);
  if (parts[4] !== 'aws4_request') throw refuse('the Credential must end in "aws4_request".');
  return { accessKeyId, scope: { date, region, service } };
}

/** `YYYYMMDDTHHMMSSZ`; refuses times that no calendar has. */
export function readTimestamp(text: string, name: string, refuse: Refuse): Instant {
  if (TIMESTAMP.test(text)) {
    const digits = (from: number, to: number) => Number(text.slice(from, to));
    const month = digits(4, 6);
    const hour = digits(9, 11);
    const at = Date.UTC(digits(0, 4), month - 1, digits(6, 8), hour, digits(11, 13), digits(13, 15));
    const date = new Date(at);
    if (date.getUTCMonth() === month - 1 && date.getUTCHours() === hour) return at;
  }
  throw refuse(`${name} must be a time of the form YYYYMMDDTHHMMSSZ.`);
}

/** Lower-case header names between semicolons, each once. */
export function readSignedHeaders(text: string, refuse: Refuse): readonly string[] {
  const names = text.split(';');
  if (names.length > SIGNED_HEADERS_MAX) throw refuse('SignedHeaders names too many headers.');
  for (let i = 0; i < names.length; i += 1) {
    const name = names[i] as string;
    if (!HEADER_NAME.test(name) || names.indexOf(name) !== i)
      throw refuse('SignedHeaders must be lower-case header names between semicolons, each once.');
  }
  return names;
}
