import { S3_NAMESPACE } from './read.ts';

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
/** Markup, controls (not allowed in XML 1.0, or changed by readers as CR is), halves of surrogate pairs, non-characters. */
const SPECIAL = /[&<>"\p{Cc}\p{Cs}\ufffe\uffff]/u;
const SPECIAL_ALL = new RegExp(SPECIAL, 'gu');
const NAMED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escapeOne(character: string): string {
  const named = NAMED[character];
  if (named !== undefined) return named;
  const code = character.charCodeAt(0);
  // Half of a surrogate pair is no character at all.
  return code >= 0xd800 && code <= 0xdfff ? '\ufffd' : `&#x${code.toString(16).toUpperCase()};`;
}

/**
 * Text for the inside of an element or a quoted attribute. Control characters become numeric references such as
 * `&#x1;`, as AWS S3 writes keys that hold them; clients that want a strict document ask for `encoding-type=url`.
 */
export function escapeText(text: string): string {
  return SPECIAL.test(text) ? text.replace(SPECIAL_ALL, escapeOne) : text;
}

/** Keys, prefixes and delimiters for `encoding-type=url`: percent-encoded UTF-8, `/` kept. */
export function urlEncodeKey(key: string): string {
  if (/^[A-Za-z0-9\-._~/]*$/.test(key)) return key;
  return encodeURIComponent(key.toWellFormed())
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Builds one document by appending; names are ours and are not escaped, texts are. */
export class XmlWriter {
  #text: string;

  /** Starts the document with its root. `namespace` is on for everything but error documents. */
  constructor(root: string, options: { readonly namespace?: boolean } = {}) {
    this.#text = `${DECLARATION}<${root}${options.namespace === false ? '' : ` xmlns="${S3_NAMESPACE}"`}>`;
  }

  open(name: string): this {
    this.#text += `<${name}>`;
    return this;
  }

  close(name: string): this {
    this.#text += `</${name}>`;
    return this;
  }

  /** One leaf; nothing when `value` is undefined. */
  leaf(name: string, value: string | number | boolean | undefined): this {
    if (value === undefined) return this;
    this.#text += `<${name}>${typeof value === 'string' ? escapeText(value) : value}</${name}>`;
    return this;
  }

  /** Markup that is already escaped. */
  raw(markup: string): this {
    this.#text += markup;
    return this;
  }

  toString(): string {
    return this.#text;
  }
}
