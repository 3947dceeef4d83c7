import { Failure, type FieldViolation } from '../core/index.ts';

const PROBLEMS_MAX = 100;

/** Everything that is wrong with one document, so that its author can mend it in one go. */
export class Problems {
  readonly #found: FieldViolation[] = [];

  /** `field` is the path inside the document, e.g. `statements[2].actions[0]`. */
  add(field: string, description: string): void {
    if (this.#found.length < PROBLEMS_MAX) this.#found.push({ field, description });
  }

  get any(): boolean {
    return this.#found.length > 0;
  }

  /** Throws one `Failure('invalid')` that lists them all; its message names the first. */
  throwIfAny(subject: string): void {
    const first = this.#found[0];
    if (first === undefined) return;
    const more = this.#found.length > 1 ? ` (and ${this.#found.length - 1} more)` : '';
    const place = first.field === '' ? '' : `${first.field}: `;
    throw new Failure('invalid', `${subject}: ${place}${first.description}${more}`, { violations: this.#found });
  }
}

/** The value as a plain member map, or undefined. Arrays and null are no objects here. */
export function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** The member's value if the object itself has it; never anything inherited (`constructor`, `__proto__`). */
export function ownMember(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Reports every member that the grammar does not know: an unknown member is an error, never ignored (K-10, A-05). */
export function refuseUnknownMembers(
  object: Record<string, unknown>,
  known: readonly string[],
  path: string,
  problems: Problems,
  hint: (name: string) => string | undefined = () => undefined,
): void {
  for (const name of Object.keys(object)) {
    if (known.includes(name)) continue;
    const advice = hint(name) ?? `known members are ${known.join(', ')}`;
    problems.add(path === '' ? quoteMember(name) : `${path}.${quoteMember(name)}`, `unknown member; ${advice}`);
  }
}

/** Member names in paths: plain ones bare, others quoted and cut, so that a path stays one short line. */
export function quoteMember(name: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name)) return name;
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name);
}
