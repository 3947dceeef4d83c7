import type { S3Request } from '../request.ts';
import type { Claim } from './claim.ts';
import { canonicalQueryPart } from './octets.ts';

/** What the canonical request is made of; the path is canonical already. */
export type SignedParts = Pick<S3Request, 'method' | 'query' | 'rawHeaders'>;

/** Lower-case names of `rawHeaders`, one per pair. */
export function headerNames(rawHeaders: readonly string[]): readonly string[] {
  const names: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) names.push((rawHeaders[i] as string).toLowerCase());
  return names;
}

/**
 * The canonical request (AWS "Create a canonical request"). Characters stand for octets, as in node:http: it has to be
 * hashed as latin1. `names` are `headerNames(parts.rawHeaders)`; `uncovered` are the query parameters of a query form that
 * its signature does not cover.
 */
export function canonicalRequest(
  parts: SignedParts,
  names: readonly string[],
  claim: Claim,
  path: string,
  uncovered: readonly string[],
): string {
  const query = canonicalQuery(parts.query, claim.form === 'query' ? uncovered : []);
  const headers = canonicalHeaders(parts.rawHeaders, names, claim.signedHeaders);
  return `${parts.method}\n${path}\n${query}\n${headers}\n${claim.signedHeaders.join(';')}\n${claim.payloadHash}`;
}

interface Parameter {
  readonly name: string;
  readonly value: string;
}

/** Sorted by encoded name, then encoded value. The signature of a query form is the one thing it cannot cover. */
function canonicalQuery(query: string, uncovered: readonly string[]): string {
  if (query === '') return '';
  const parameters: Parameter[] = [];
  for (const piece of query.split('&')) {
    if (piece === '') continue;
    const equals = piece.indexOf('=');
    const name = canonicalQueryPart(equals < 0 ? piece : piece.slice(0, equals));
    if (uncovered.includes(name)) continue;
    parameters.push({ name, value: equals < 0 ? '' : canonicalQueryPart(piece.slice(equals + 1)) });
  }
  if (parameters.length > 1) parameters.sort(byNameAndValue);
  let out = '';
  for (const { name, value } of parameters) out += `${out === '' ? '' : '&'}${name}=${value}`;
  return out;
}

function byNameAndValue(a: Parameter, b: Parameter): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  if (a.value !== b.value) return a.value < b.value ? -1 : 1;
  return 0;
}

/**
 * A signed header that the request lacks gets no line, so that the signature cannot hold; several of one name are joined
 * in their order on the wire.
 */
function canonicalHeaders(rawHeaders: readonly string[], names: readonly string[], signed: readonly string[]): string {
  let out = '';
  for (const name of signed) {
    let joined: string | undefined;
    for (let at = names.indexOf(name); at >= 0; at = names.indexOf(name, at + 1)) {
      const value = canonicalValue(rawHeaders[2 * at + 1] as string);
      joined = joined === undefined ? value : `${joined},${value}`;
    }
    if (joined !== undefined) out += `${name}:${joined}\n`;
  }
  return out;
}

/** Only ASCII blanks count: an octet such as A0 is half of a UTF-8 letter here, not a space. */
function canonicalValue(value: string): string {
  if (!/[\t\r\n]|^ | {2}| $/.test(value)) return value;
  return value.replace(/[ \t\r\n]+/g, ' ').replace(/^ | $/g, '');
}
