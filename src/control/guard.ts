import { type Awaitable, Failure } from '../core/index.ts';
import type { Authenticated } from '../identity/index.ts';
import type { UserRole } from '../store/index.ts';
import type { AccessRow } from './access.ts';
import type { ControlPorts } from './ports.ts';
import { mayGlobally } from './rights.ts';

/** The only place that reads access rows: proves the caller, then asks whether they may. */
export interface Guard {
  /**
   * Fails `unimplemented`, `unauthenticated`, `denied`. Undefined when the row needs no caller. Synchronous when caller
   * and policies are in memory.
   */
  admit(row: AccessRow, authorization: string | undefined): Awaitable<Authenticated | undefined>;
  /** The part of the right that depends on whom the message names. Fails `denied`. */
  admitMessage(row: AccessRow, authenticated: Authenticated | undefined, message: object): void;
}

type GuardPorts = Pick<ControlPorts, 'identity' | 'policySets'>;

export function createGuard(ports: GuardPorts): Guard {
  return {
    admit(row, authorization) {
      if (!row.served) throw new Failure('unimplemented', 'this method is not served here yet');
      if (row.authentication === 'none') return undefined;
      const token = bearerToken(authorization, row.authentication === 'bearer-or-raw');
      const proved = ports.identity.authenticate(token);
      return proved instanceof Promise ? proved.then((it) => permit(ports, row, it)) : permit(ports, row, proved);
    },
    admitMessage(row, authenticated, message) {
      const { right } = row;
      if (authenticated === undefined || right.kind !== 'roles' || right.others === undefined) return;
      if (!namesOthers(message, authenticated.user.id)) return;
      if (!hasAnyRole(authenticated, right.others)) throw denied(`one of the roles ${right.others.join(', ')}`);
    },
  };
}

/** RFC 6750 section 2.1; the scheme ignores case. */
function bearerToken(authorization: string | undefined, rawAllowed: boolean): string {
  const match = authorization === undefined ? null : /^bearer +([^\s]+) *$/i.exec(authorization);
  if (match?.[1] !== undefined) return match[1];
  if (rawAllowed && authorization !== undefined && /^[^\s]+$/.test(authorization)) return authorization;
  throw new Failure('unauthenticated', 'send an API access token: Authorization: Bearer <token>');
}

function permit(ports: GuardPorts, row: AccessRow, authenticated: Authenticated): Awaitable<Authenticated> {
  const { right } = row;
  if (right.kind === 'authenticated') return authenticated;
  if (right.kind === 'roles') {
    if (!hasAnyRole(authenticated, right.own)) throw denied(`one of the roles ${right.own.join(', ')}`);
    return authenticated;
  }
  const set = ports.policySets.forOrganization(authenticated.caller.orgId);
  const judge = (known: Awaited<typeof set>): Authenticated => {
    if (!mayGlobally(known, authenticated, right.action)) throw denied(right.action);
    return authenticated;
  };
  return set instanceof Promise ? set.then(judge) : judge(set);
}

function hasAnyRole(authenticated: Authenticated, wanted: readonly UserRole[]): boolean {
  return authenticated.user.roles.some((role) => wanted.includes(role));
}

function namesOthers(message: object, userId: string): boolean {
  const named = message as { readonly userId?: unknown; readonly allUsers?: unknown };
  const other = typeof named.userId === 'string' && named.userId !== '' && named.userId !== userId;
  return other || named.allUsers === true;
}

function denied(what: string): Failure {
  return new Failure('denied', `permission denied: this needs ${what}`);
}
