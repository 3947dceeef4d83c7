import { Failure, type FieldViolation, invalidField, KEY_LIFETIME_SECONDS_MAX } from '../core/index.ts';
import type { AccessKeySource } from '../store/index.ts';

const ATTRIBUTES_MAX = 15;
const ATTRIBUTE_VALUE_BYTES_MAX = 256;
const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
const RESERVED_NAMES: readonly string[] = ['role', 'groups'];
const RESERVED_PREFIX = 'cw-';
/** Control characters, line and paragraph separators, and the marks that turn the direction of text around. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

/** Contract control-plane 3.2: 0 is a permanent key and only an API token may ask for one; else 1 to 43200 seconds. */
export function checkLifetime(durationSeconds: number, source: AccessKeySource): void {
  if (!Number.isInteger(durationSeconds) || durationSeconds < 0 || durationSeconds > KEY_LIFETIME_SECONDS_MAX) {
    throw invalidField('durationSeconds', `must be a whole number of seconds, at most ${KEY_LIFETIME_SECONDS_MAX}`);
  }
  if (durationSeconds === 0 && source !== 'token') {
    throw invalidField('durationSeconds', 'must be at least 1: only an API access token can make a permanent key');
  }
}

/**
 * Attribute rules of released clients (contract clients 2.5), strict on names because the platform keeps some for itself.
 * Values are wider than those clients send (there: Kubernetes label values), because the console calls its free text
 * key name `name`: any printable text up to 256 bytes of UTF-8.
 */
export function checkAttributes(attributes: Readonly<Record<string, string>>): void {
  const entries = Object.entries(attributes);
  const violations: FieldViolation[] = [];
  if (entries.length > ATTRIBUTES_MAX) {
    violations.push({ field: 'attributes', description: `at most ${ATTRIBUTES_MAX} are allowed` });
  }
  for (const [name, value] of entries.slice(0, ATTRIBUTES_MAX)) {
    const problem = nameProblem(name) ?? valueProblem(value);
    // The name is echoed only when it is short: it is the caller's own text in the caller's own answer.
    if (problem !== undefined) violations.push({ field: `attributes[${name.slice(0, 63)}]`, description: problem });
  }
  const first = violations[0];
  if (first !== undefined) throw new Failure('invalid', `${first.field}: ${first.description}`, { violations });
}

function nameProblem(name: string): string | undefined {
  const folded = name.toLowerCase();
  if (!DNS_LABEL.test(name)) return 'the name must be 1 to 63 letters, digits or inner hyphens';
  if (folded.startsWith(RESERVED_PREFIX)) return `names that start with ${RESERVED_PREFIX} are reserved`;
  if (RESERVED_NAMES.includes(folded)) return `the name ${folded} is reserved`;
  return undefined;
}

function valueProblem(value: string): string | undefined {
  if (Buffer.byteLength(value) > ATTRIBUTE_VALUE_BYTES_MAX) {
    return `the value must be at most ${ATTRIBUTE_VALUE_BYTES_MAX} bytes`;
  }
  if (!value.isWellFormed() || UNPRINTABLE.test(value)) return 'the value must be printable text';
  return undefined;
}

/**
 * The principal's short form. Accepts the full form of a principal of the same organization too. Fails `invalid` for a
 * text that can never name a principal, because suspending nobody by a slip of the pen must not look like success.
 */
export function qualifiedPrincipal(orgId: string, text: string): string {
  const full = `arn:aws:iam::${orgId}:`;
  const name = text.startsWith(full) ? text.slice(full.length) : text;
  if (/^(?:coreweave|role|static)\/./.test(name)) return name;
  throw invalidField('principalName', 'must be a full principal: coreweave/<uid>, role/<role> or static/<id>');
}
