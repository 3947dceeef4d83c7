import { SallyportError } from '../sdk/index.ts';
import { jsonText, printable } from './text.ts';

export const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;

/** A failure that a command has words for. `hint` says what to do about it. */
export class CliFailure extends Error {
  readonly code: string;
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(code: string, exitCode: number, message: string, hint?: string) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

export function usageFailure(message: string, hint?: string): CliFailure {
  return new CliFailure('usage', EXIT.usage, message, hint);
}

/** What standard error gets. In JSON: `{ "error": { code, message, hint?, details: [{ type, subject, description }] } }`. */
export function failureText(error: unknown, json: boolean): { readonly text: string; readonly exitCode: number } {
  const { code, message, hint, exitCode, details } = describe(error);
  if (json) return { text: jsonText({ error: { code, message, hint, details } }), exitCode };
  const lines = [`sallyport: ${printable(message)}`];
  for (const { subject, description } of details) {
    // The message usually is the first detail in other words; repeating it helps nobody.
    if (!message.includes(description)) lines.push(`  ${printable([subject, description].filter(Boolean).join(': '))}`);
  }
  if (hint !== undefined) lines.push(`  ${hint}`);
  return { text: `${lines.join('\n')}\n`, exitCode };
}

interface Described {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly exitCode: number;
  readonly details: SallyportError['details'];
}

const UNREACHABLE_HINT =
  'Is the server running? Start it with: npx sallyport serve (or npm start). Another address: --api-url or SALLYPORT_API_URL.';

const HINTS: Readonly<Record<string, string>> = {
  unauthenticated:
    'The API token was not accepted. Check --token or SALLYPORT_API_TOKEN; somebody with a working token can make a new one: sallyport token create.',
  permission_denied:
    'An organization policy or a role has to allow it. Ask with: sallyport can-i ACTION --on RESOURCE; see: sallyport policy list.',
  unimplemented: 'The server does not know this call: it may be older than this command line client.',
  resource_exhausted: 'Wait a moment and try again.',
};

function describe(error: unknown): Described {
  if (error instanceof CliFailure) return { ...pick(error), hint: error.hint, details: [] };
  if (error instanceof SallyportError) {
    return error.unreachable
      ? {
          code: 'unreachable',
          message: error.message,
          hint: UNREACHABLE_HINT,
          exitCode: EXIT.unreachable,
          details: [],
        }
      : {
          code: error.code,
          message: error.message || error.code.replaceAll('_', ' '),
          hint: HINTS[error.code],
          exitCode: EXIT.refused,
          details: error.details,
        };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message, hint: undefined, exitCode: EXIT.refused, details: [] };
}

function pick({ code, message, exitCode }: CliFailure): Pick<CliFailure, 'code' | 'message' | 'exitCode'> {
  return { code, message, exitCode };
}
