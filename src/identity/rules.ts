import { Failure, type Instant, invalidField } from '../core/index.ts';
import { USER_ROLES, type UserRecord, type UserRole } from '../store/index.ts';
import type { NewApiToken } from './types.ts';

const NAME_LENGTH_MAX = 256;
const TOKEN_NAME_LENGTH_MAX = 100;
const TOKEN_NOTE_LENGTH_MAX = 1000;
const GROUPS_MAX = 1000;
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
/** A note may have lines; nothing else that a terminal would act on. */
const UNPRINTABLE_IN_NOTE = /[^\P{Cc}\n\r\t]|[\u202a-\u202e\u2066-\u2069]/u;

/** 1 to `lengthMax` printable characters without blanks at the ends. */
export function checkName(field: string, text: string, lengthMax = NAME_LENGTH_MAX): string {
  if (text.length === 0 || text.length > lengthMax) throw invalidField(field, `must be 1 to ${lengthMax} characters`);
  if (!text.isWellFormed() || UNPRINTABLE.test(text)) throw invalidField(field, 'must be printable text');
  if (text.trim() !== text) throw invalidField(field, 'must not begin or end with a blank');
  return text;
}

/** Like a name, but may be empty. */
export function checkDisplayName(text: string): string {
  return text === '' ? text : checkName('displayName', text);
}

/** Known roles, each once, in the order of the contract. */
export function checkRoles(roles: readonly UserRole[]): readonly UserRole[] {
  const unknown = roles.find((role) => !USER_ROLES.includes(role));
  if (unknown !== undefined) throw invalidField('roles', `unknown role; the roles are ${USER_ROLES.join(', ')}`);
  return USER_ROLES.filter((role) => roles.includes(role));
}

export function checkGroups(groups: readonly string[]): readonly string[] {
  if (groups.length > GROUPS_MAX) throw invalidField('groups', `must be at most ${GROUPS_MAX}`);
  return [...new Set(groups.map((group) => checkName('groups', group)))];
}

export function checkNewToken(input: NewApiToken, now: Instant): void {
  checkName('name', input.name, TOKEN_NAME_LENGTH_MAX);
  if (input.note.length > TOKEN_NOTE_LENGTH_MAX) {
    throw invalidField('note', `must be at most ${TOKEN_NOTE_LENGTH_MAX} characters`);
  }
  if (!input.note.isWellFormed() || UNPRINTABLE_IN_NOTE.test(input.note)) {
    throw invalidField('note', 'must be printable text');
  }
  if (input.expiresAt === undefined) return;
  if (!Number.isFinite(input.expiresAt) || input.expiresAt <= now) {
    throw invalidField('expiresAt', 'must be in the future');
  }
}

/** Roles that somebody must be able to use at every moment: without them nobody could give them to anybody again. */
export const KEPT_ROLES = ['iam-admin', 'platform-admin'] as const satisfies readonly UserRole[];

export function worksAs(role: UserRole, user: UserRecord | undefined): boolean {
  return user?.active === true && user.roles.includes(role);
}

/** The same words for an unknown id and another organization's (threat K-04). */
export function noSuch(type: 'user' | 'API access token', id: string): Failure {
  return new Failure('not-found', `there is no such ${type} in this organization`, { resource: { type, name: id } });
}
