import { InvalidArgumentError } from 'commander';

/** `3600`, `90s`, `15m`, `12h`, `30d` → seconds. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})(s|m|h|d)?$/.exec(text);
  if (!match) throw new InvalidArgumentError('It must be seconds, or a number with s, m, h or d, such as 12h.');
  const factor = { s: 1, m: 60, h: 3600, d: 86_400 }[match[2] ?? 's'] ?? 1;
  return Number(match[1]) * factor;
}

export interface Expiry {
  /** Milliseconds since 1970 for a time, seconds from now for a duration, neither for `never`. */
  readonly at?: number;
  readonly afterSeconds?: number;
}

/** `never`, a duration, or an RFC 3339 time. */
export function parseExpiry(text: string): Expiry {
  if (text === 'never') return {};
  if (/^\d{4}-\d{2}-\d{2}([Tt ][\d:.]+([Zz]|[+-]\d{2}:\d{2}))?$/.test(text)) {
    const at = Date.parse(text);
    if (!Number.isNaN(at)) return { at };
  }
  try {
    return { afterSeconds: parseDuration(text) };
  } catch {
    throw new InvalidArgumentError(
      'It must be a duration such as 8h or 30d, a time such as 2027-01-31T12:00:00Z, or never.',
    );
  }
}

/** `on` or `off`. */
export function parseSwitch(text: string): boolean {
  if (text === 'on') return true;
  if (text === 'off') return false;
  throw new InvalidArgumentError('It must be on or off.');
}

/** Plain bytes or a number with KiB, MiB, GiB, TiB, PiB. */
export function parseBytes(text: string): bigint {
  const match = /^(\d{1,18})\s*(?:B|([KMGTP])iB)?$/.exec(text);
  if (!match) throw new InvalidArgumentError('It must be bytes, or a number with KiB, MiB, GiB or TiB.');
  const power = match[2] === undefined ? 0 : 'KMGTP'.indexOf(match[2]) + 1;
  const bytes = BigInt(match[1] ?? '0') * 1024n ** BigInt(power);
  if (bytes >= 1n << 64n) throw new InvalidArgumentError('It is more than 64 bits can count.');
  return bytes;
}

/** A whole number of at most 32 bits. */
export function parseCount(text: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 0xffff_ffff)) throw new InvalidArgumentError('It must be a whole number.');
  return value;
}

/** Collects `KEY=VALUE` of a repeatable option. */
export function collectPair(text: string, collected: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must look like KEY=VALUE.');
  return { ...collected, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Collects a repeatable option. */
export function collect(text: string, collected: readonly string[] = []): string[] {
  return [...collected, text];
}
