import { S3Error } from '../errors.ts';

/** `%XX` (upper case) for every octet but the unreserved ones of RFC 3986, which stand for themselves. */
const ENCODED: readonly string[] = Array.from({ length: 256 }, (_, octet) => {
  const character = String.fromCharCode(octet);
  return /[A-Za-z0-9\-._~]/.test(character) ? character : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
});
const PLAIN_PATH = /^[A-Za-z0-9\-._~/]*$/;
const PLAIN_QUERY = /^[A-Za-z0-9\-._~]*$/;
const PERCENT = 0x25;
const SLASH = 0x2f;
const PLUS = 0x2b;
const SPACE = 0x20;

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** The octet of the escape at `index`; a cut or foreign escape has no meaning that both sides could agree on (P-02). */
function escapedOctet(text: string, index: number): number {
  const high = index + 1 < text.length ? hexDigit(text.charCodeAt(index + 1)) : -1;
  const low = index + 2 < text.length ? hexDigit(text.charCodeAt(index + 2)) : -1;
  if (high < 0 || low < 0) throw new S3Error('InvalidURI', 'The request target holds a broken percent-encoding.');
  return high * 16 + low;
}

function plainOctet(code: number): number {
  if (code > 0xff) throw new S3Error('InvalidURI', 'The request target holds characters that are no octets.');
  return code;
}

/**
 * Path of the canonical request: each octet decoded and encoded again, so that a client which sends `!` or `(` as it is
 * and one which sends `%21` sign the same text. Nothing is resolved or collapsed. `escapedSlash` says whether `%2F`
 * becomes `/` (what S3 does, since a key cannot tell them apart) or stays as it was sent.
 */
export function canonicalPath(path: string, escapedSlash: 'decoded' | 'as-sent'): string {
  if (PLAIN_PATH.test(path)) return path === '' ? '/' : path;
  let out = '';
  for (let i = 0; i < path.length; i += 1) {
    const code = path.charCodeAt(i);
    if (code === SLASH) {
      out += '/';
    } else if (code === PERCENT) {
      const octet = escapedOctet(path, i);
      out += octet === SLASH && escapedSlash === 'decoded' ? '/' : ENCODED[octet];
      i += 2;
    } else {
      out += ENCODED[plainOctet(code)];
    }
  }
  return out;
}

/** One name or value of the query. `+` is a space, as S3 and every form decoder read it; a plus is `%2B`. */
export function canonicalQueryPart(text: string): string {
  if (PLAIN_QUERY.test(text)) return text;
  let out = '';
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === PERCENT) {
      out += ENCODED[escapedOctet(text, i)];
      i += 2;
    } else {
      out += ENCODED[code === PLUS ? SPACE : plainOctet(code)];
    }
  }
  return out;
}

/** RFC 3986 5.2.4 plus merging of slashes: for services other than S3. */
export function normalizePath(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  const trailing = kept.length > 0 && /\/\.{0,2}$/.test(path) ? '/' : '';
  return `/${kept.join('/')}${trailing}`;
}
