import { join } from 'node:path';
import { usageFailure } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** Options that every command takes; commander's names. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly apiUrl?: string;
  readonly token?: string;
  readonly s3Url?: string;
  readonly dataDir?: string;
}

export interface Settings {
  readonly apiUrl: string;
  readonly token: string;
  /** Only the bucket commands need it. */
  readonly s3Url: string | undefined;
  /** Where the first start left its token. */
  readonly bootstrapFile: string;
}

interface Bootstrap {
  readonly apiUrl?: string;
  readonly s3Url?: string;
  readonly apiToken?: string;
}

const DEFAULT_API_URL = 'http://127.0.0.1:9001';

/**
 * Flag, then environment, then `<data dir>/bootstrap.json`. The token of that file goes to the server it was made for
 * and nowhere else: with another API URL it has to be given.
 */
export async function readSettings(options: GlobalOptions, terminal: Terminal): Promise<Settings> {
  const { env } = terminal;
  const bootstrapFile = join(options.dataDir ?? env.SALLYPORT_DATA_DIR ?? './data', 'bootstrap.json');
  const bootstrap = await readBootstrap(bootstrapFile, terminal);
  const apiUrl = checkUrl(options.apiUrl ?? env.SALLYPORT_API_URL ?? bootstrap.apiUrl ?? DEFAULT_API_URL, 'API URL');
  const own = bootstrap.apiUrl !== undefined && checkUrl(bootstrap.apiUrl, 'API URL') === apiUrl;
  const token = (options.token ?? env.SALLYPORT_API_TOKEN ?? (own ? bootstrap.apiToken : undefined))?.trim();
  if (!token) {
    throw usageFailure(
      `there is no API token for ${apiUrl}`,
      `Give one with --token or SALLYPORT_API_TOKEN, or run this where ${bootstrapFile} is (its token is used for its own server only).`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw usageFailure('the API token has a character that no token has');
  refuseClearText(apiUrl, env.SALLYPORT_INSECURE_HTTP);
  const s3Text = options.s3Url ?? env.SALLYPORT_S3_URL ?? (own ? bootstrap.s3Url : undefined);
  const s3Url = s3Text === undefined ? undefined : checkUrl(s3Text, 'S3 URL');
  return { apiUrl, token, s3Url, bootstrapFile };
}

async function readBootstrap(file: string, terminal: Terminal): Promise<Bootstrap> {
  let text: string;
  try {
    text = await terminal.readFile(file);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return {};
    throw usageFailure(`cannot read ${file}: ${(error as Error).message}`);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Bootstrap;
  } catch {
    // told below, without the parser's message: it quotes the text, and the text holds a token
  }
  throw usageFailure(`${file} is not the JSON that the server writes at its first start`);
}

function checkUrl(text: string, what: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.search !== '') {
    throw usageFailure(`the ${what} must look like http://127.0.0.1:9001, not "${text}"`);
  }
  return url.href.replace(/\/$/, '');
}

function refuseClearText(apiUrl: string, insecure: string | undefined): void {
  const { protocol, hostname } = new URL(apiUrl);
  if (protocol === 'https:' || isLoopback(hostname) || insecure === '1') return;
  throw usageFailure(
    `refusing to send an API token to ${apiUrl} without TLS`,
    'Use https, or set SALLYPORT_INSECURE_HTTP=1 if something else protects the way there.',
  );
}

/** `hostname` as the URL class gives it. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}
