import { Failure, JSON_DEPTH_MAX } from '../core/index.ts';

/** JSON as `JSON.parse` gives it, objects without prototype. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Names that could reach a prototype in careless code further in; no message has such a field. */
const BANNED_MEMBERS = new Set(['__proto__', 'constructor', 'prototype']);
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = /[ \t\n\r]*/y;

/**
 * One JSON text (RFC 8259) out of a body, or `Failure('invalid')` with a position (threats P-09, P-10). Stricter than
 * `JSON.parse`: UTF-8 must be right, members may not repeat, nesting ends at 64, and numbers are whole and below 2^53,
 * because every number of the contract is (larger ones travel as strings).
 */
export function readJson(bytes: Uint8Array): Json {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Failure('invalid', 'the body is not valid UTF-8');
  }
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Json {
    if (depth > JSON_DEPTH_MAX) throw this.#problem(`nested deeper than ${JSON_DEPTH_MAX}`);
    this.#match(SPACE);
    const next = this.#text[this.#at];
    if (next === '{') return this.#object(depth);
    if (next === '[') return this.#array(depth);
    if (next === '"') return this.#string();
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    return this.#number();
  }

  end(): void {
    this.#match(SPACE);
    if (this.#at < this.#text.length) throw this.#problem('text after the value');
  }

  #object(depth: number): Json {
    const members: { [name: string]: Json } = Object.create(null);
    this.#at += 1;
    if (this.#take('}')) return members;
    do {
      this.#match(SPACE);
      const name = this.#string();
      if (BANNED_MEMBERS.has(name)) throw this.#problem(`a member may not be called ${name}`);
      if (name in members) throw this.#problem('a member appears twice');
      if (!this.#take(':')) throw this.#problem('expected a colon');
      members[name] = this.value(depth + 1);
    } while (this.#take(','));
    if (!this.#take('}')) throw this.#problem('expected a comma or the end of the object');
    return members;
  }

  #array(depth: number): Json {
    const items: Json[] = [];
    this.#at += 1;
    if (this.#take(']')) return items;
    do items.push(this.value(depth + 1));
    while (this.#take(','));
    if (!this.#take(']')) throw this.#problem('expected a comma or the end of the list');
    return items;
  }

  #string(): string {
    const start = this.#at;
    if (this.#text[start] !== '"') throw this.#problem('expected a string');
    this.#at += 1;
    for (;;) {
      this.#skipPlain();
      const stop = this.#text[this.#at];
      if (stop === '"') break;
      if (stop !== '\\') throw this.#problem('a string does not end, or holds a control character');
      this.#at += 2;
    }
    this.#at += 1;
    return this.#unescape(this.#text.slice(start, this.#at));
  }

  #skipPlain(): void {
    let code = this.#text.charCodeAt(this.#at);
    while (code >= 0x20 && code !== QUOTE && code !== BACKSLASH) {
      this.#at += 1;
      code = this.#text.charCodeAt(this.#at);
    }
  }

  #unescape(raw: string): string {
    let value: string;
    try {
      value = JSON.parse(raw) as string;
    } catch {
      throw this.#problem('a string holds an unknown escape');
    }
    if (!value.isWellFormed()) throw this.#problem('a string holds half a surrogate pair');
    return value;
  }

  #number(): number {
    const start = this.#at;
    const raw = this.#match(NUMBER);
    if (raw === undefined) throw this.#problem('expected a value');
    const value = Number(raw);
    if (/[.eE]/.test(raw) || !Number.isSafeInteger(value)) {
      this.#at = start;
      throw this.#problem('numbers are whole and below 2^53 (send larger ones as strings)');
    }
    return value;
  }

  #take(sign: string): boolean {
    this.#match(SPACE);
    if (this.#text[this.#at] !== sign) return false;
    this.#at += 1;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #problem(what: string): Failure {
    return new Failure('invalid', `the body is not acceptable JSON at character ${this.#at}: ${what}`);
  }
}
