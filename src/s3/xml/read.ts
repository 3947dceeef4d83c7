import { SaxesParser, type SaxesTagNS } from 'saxes';
import { XML_BODY_BYTES_MAX, XML_DEPTH_MAX } from '../../core/index.ts';
import { S3Error } from '../errors.ts';

/** One element, without its attributes. A leaf has its text exactly as sent; an element with children has none. */
export interface XmlElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

export interface XmlLimits {
  /** Bytes of the document. */
  readonly bytesMax?: number;
  /** Levels of elements, the root being 1. */
  readonly depthMax?: number;
}

export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
const XSI_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance';
const XMLNS_NAMESPACE = 'http://www.w3.org/2000/xmlns/';

interface OpenElement {
  readonly name: string;
  text: string;
  readonly children: XmlElement[];
}

export function malformedXml(detail: string): S3Error {
  return new S3Error(
    'MalformedXML',
    `The XML you provided was not well-formed or did not validate against our published schema: ${detail}`,
  );
}

/**
 * Reads a request document strictly (threats P-06, P-07): UTF-8, one root of the given name, elements of the S3
 * namespace or of none, no DOCTYPE, no entities but the five of XML, no processing instructions, bounded size and depth.
 * Every text stays a string, character for character (P-08). Throws `MalformedXML`.
 */
export function readXml(bytes: Uint8Array, rootName: string, limits: XmlLimits = {}): XmlElement {
  if (bytes.length > (limits.bytesMax ?? XML_BODY_BYTES_MAX)) throw malformedXml('the document is too large.');
  const root = new TreeReader(limits.depthMax ?? XML_DEPTH_MAX).read(decodeUtf8(bytes));
  if (root.name !== rootName) throw malformedXml(`the root element must be ${rootName}.`);
  return root;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformedXml('the document is not valid UTF-8.');
  }
}

class TreeReader {
  readonly #depthMax: number;
  readonly #open: OpenElement[] = [];
  #root: XmlElement | undefined;

  constructor(depthMax: number) {
    this.#depthMax = depthMax;
  }

  read(text: string): XmlElement {
    const parser = new SaxesParser({ xmlns: true, position: false });
    parser.on('error', () => {
      throw malformedXml('it is not well-formed.');
    });
    parser.on('xmldecl', (declaration) => {
      const encoding = declaration.encoding?.toLowerCase() ?? 'utf-8';
      if (encoding !== 'utf-8' && encoding !== 'utf8') throw malformedXml('the encoding must be UTF-8.');
      if (declaration.version !== '1.0') throw malformedXml('the version must be 1.0.');
    });
    parser.on('doctype', () => {
      throw malformedXml('a DOCTYPE is not allowed.');
    });
    parser.on('processinginstruction', () => {
      throw malformedXml('processing instructions are not allowed.');
    });
    parser.on('opentag', (tag) => this.#enter(tag));
    parser.on('closetag', () => this.#leave());
    parser.on('text', (chunk) => this.#append(chunk));
    parser.on('cdata', (chunk) => this.#append(chunk));
    // A DOCTYPE can hide megabytes of declarations; saxes reports it only at its end, so it is looked for beforehand.
    if (text.includes('<!DOCTYPE')) throw malformedXml('a DOCTYPE is not allowed.');
    parser.write(text).close();
    if (this.#root === undefined) throw malformedXml('it has no root element.');
    return this.#root;
  }

  #enter(tag: SaxesTagNS): void {
    if (this.#open.length >= this.#depthMax) throw malformedXml(`it is deeper than ${this.#depthMax} elements.`);
    if (tag.uri !== '' && tag.uri !== S3_NAMESPACE)
      throw malformedXml(`element ${tag.name} is of a foreign namespace.`);
    for (const attribute of Object.values(tag.attributes)) {
      if (attribute.uri !== XMLNS_NAMESPACE && attribute.uri !== XSI_NAMESPACE)
        throw malformedXml(`attribute ${attribute.name} is not known.`);
    }
    this.#open.push({ name: tag.local, text: '', children: [] });
  }

  #append(chunk: string): void {
    const current = this.#open.at(-1);
    if (current !== undefined) current.text += chunk;
  }

  #leave(): void {
    const element = this.#open.pop();
    if (element === undefined) throw malformedXml('it is not well-formed.');
    if (element.children.length > 0) {
      if (/[^ \t\r\n]/.test(element.text)) throw malformedXml(`element ${element.name} mixes text and elements.`);
      element.text = '';
    }
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#root = element;
    else parent.children.push(element);
  }
}
