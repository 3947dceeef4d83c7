import { isIP } from 'node:net';
import { parseArgs } from 'node:util';

/**
 * Every setting of the server. The table is the only place that knows a setting: flags, environment, defaults, the
 * reference page and the type `Config` come from it. The environment name is `SALLYPORT_` and the key; the flag is the
 * key in lower case with dashes. A flag wins over the environment.
 */
export const SETTINGS = {
  DATA_DIR: text('./data', 'directory', 'Where records, objects, the master key and bootstrap.json live.'),
  S3_LISTEN: address('127.0.0.1:9000', 'Address of the S3 door. Port 0 takes a free one.'),
  API_LISTEN: address(
    '127.0.0.1:9001',
    'Address of the API door (control plane, health, metrics). Port 0 takes a free one.',
  ),
  S3_DOMAINS: list('localhost', 'host names', 'Hosts below which the first label is a bucket: <bucket>.<domain>.'),
  PUBLIC_API_URL: text('', 'URL', 'How clients reach the API door, when it is not the listen address.'),
  PUBLIC_S3_URL: text('', 'URL', 'How clients reach the S3 door, when it is not the listen address.'),
  TLS_CERT: text('', 'PEM file', 'Certificate chain of both doors. Together with TLS_KEY.'),
  TLS_KEY: text('', 'PEM file', 'Private key of TLS_CERT.'),
  INSECURE_HTTP: flag(false, 'Permit plain HTTP on an address that is not loopback.'),
  MASTER_KEY_FILE: text(
    '',
    'file',
    'The 32-byte key (64 hexadecimal digits) that seals secrets. Default: master.key in DATA_DIR, made at first start.',
  ),
  DATABASE_URL: databaseUrl('Keep control records in PostgreSQL instead of SQLite in DATA_DIR.'),
  ZONES: list('US-EAST-04A', 'zone names', 'Availability zones that exist; enforced in strict mode.'),
  DEFAULT_ZONE: text(
    'US-EAST-04A',
    'zone name',
    'Location of a bucket that is created without one (not in strict mode).',
  ),
  STRICT: flag(false, 'Refuse what the hosted service refuses: path-style, dots in names, a missing or unknown zone.'),
  API_TOKEN_KEY_SECONDS: number(
    3600,
    900,
    43_200,
    'seconds',
    'Life of the keys that the API-token exchange hands out.',
  ),
  TRUSTED_PROXIES: list('', 'IP addresses', 'Proxies whose X-Forwarded-For and X-Forwarded-Proto count.'),
  LOG_LEVEL: choice(
    'info',
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'Least level that is logged; debug has one line for every S3 request.',
  ),
} as const;

export type SettingName = keyof typeof SETTINGS;
export type Config = { readonly [Name in SettingName]: ReturnType<(typeof SETTINGS)[Name]['parse']> };

export interface Setting<T> {
  readonly fallback: string;
  /** Unit or form of the value, for people. */
  readonly unit: string;
  readonly line: string;
  readonly secret: boolean;
  readonly boolean: boolean;
  /** Throws an Error whose message completes "SALLYPORT_X …". */
  parse(value: string): T;
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** All problems at once, so that nobody has to start five times to see five mistakes. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const PREFIX = 'SALLYPORT_';
/** Names with our prefix that belong to the command line client and to the tests, not to the server. */
const FOREIGN = new Set(['API_URL', 'API_TOKEN', 'S3_URL']);

export const flagName = (name: string): string => name.toLowerCase().replaceAll('_', '-');

/** Pure: arguments and environment in, validated configuration out. Throws `ConfigError`. */
export function readConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const given = readFlags(argv, problems);
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || value === undefined) continue;
    const key = name.slice(PREFIX.length);
    if (FOREIGN.has(key) || key.startsWith('TEST_')) continue;
    if (!Object.hasOwn(SETTINGS, key)) problems.push(`${name} is not a setting${suggestion(key)}`);
    else if (!given.has(key)) given.set(key, value);
  }
  const config: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(SETTINGS)) {
    try {
      config[name] = setting.parse(given.get(name) ?? setting.fallback);
    } catch (error) {
      problems.push(`${PREFIX}${name} ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (problems.length === 0) problems.push(...crossChecks(config as Config));
  if (problems.length > 0) throw new ConfigError(`the configuration has problems:\n  ${problems.join('\n  ')}`);
  return config as Config;
}

function readFlags(argv: readonly string[], problems: string[]): Map<string, string> {
  const options = Object.fromEntries(
    Object.entries(SETTINGS).map(([name, { boolean }]) => [
      flagName(name),
      { type: boolean ? 'boolean' : 'string' } as const,
    ]),
  );
  const given = new Map<string, string>();
  try {
    const { values } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: false });
    for (const name of Object.keys(SETTINGS)) {
      const value = values[flagName(name)];
      if (value !== undefined) given.set(name, value === true ? '1' : String(value));
    }
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  return given;
}

function crossChecks(config: Config): string[] {
  const problems: string[] = [];
  const tls = config.TLS_CERT !== '';
  if (tls !== (config.TLS_KEY !== ''))
    problems.push('SALLYPORT_TLS_CERT and SALLYPORT_TLS_KEY go together: set both or none');
  for (const name of ['S3_LISTEN', 'API_LISTEN'] as const) {
    if (!tls && !config.INSECURE_HTTP && !isLoopback(config[name].host)) {
      problems.push(
        `${PREFIX}${name} is not a loopback address and there is no TLS: set SALLYPORT_TLS_CERT and SALLYPORT_TLS_KEY, or SALLYPORT_INSECURE_HTTP=1 if something in front encrypts`,
      );
    }
  }
  if (config.STRICT && !config.ZONES.includes(config.DEFAULT_ZONE))
    problems.push('SALLYPORT_DEFAULT_ZONE must be one of SALLYPORT_ZONES in strict mode');
  for (const proxy of config.TRUSTED_PROXIES)
    if (isIP(proxy) === 0) problems.push(`SALLYPORT_TRUSTED_PROXIES: "${proxy}" is not an IP address`);
  return problems;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** A nearby name for a mistyped one, if there is one. */
function suggestion(key: string): string {
  const near = Object.keys(SETTINGS).find((name) => distance(name, key) <= 3);
  return near ? `; did you mean ${PREFIX}${near}?` : '; docs/reference/configuration.md lists them';
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function text(fallback: string, unit: string, line: string): Setting<string> {
  return { fallback, unit, line, secret: false, boolean: false, parse: (value) => value.trim() };
}

function databaseUrl(line: string): Setting<string> {
  const parse = (value: string) => {
    const given = value.trim();
    const valid = URL.canParse(given) && /^postgres(ql)?:$/.test(new URL(given).protocol);
    // The value holds a password, so it is not quoted.
    if (given !== '' && !valid) throw new Error('must look like postgres://user:password@host:5432/database');
    return given;
  };
  return { ...text('', 'PostgreSQL URL', line), secret: true, parse };
}

function list(fallback: string, unit: string, line: string): Setting<readonly string[]> {
  const parse = (value: string) =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  return { fallback, unit: `${unit}, separated by commas`, line, secret: false, boolean: false, parse };
}

function flag(fallback: boolean, line: string): Setting<boolean> {
  const parse = (value: string) => {
    if (['1', 'true', 'yes', 'on'].includes(value)) return true;
    if (['', '0', 'false', 'no', 'off'].includes(value)) return false;
    throw new Error(`must be 1 or 0, not "${value}"`);
  };
  return { fallback: fallback ? '1' : '0', unit: '1 or 0', line, secret: false, boolean: true, parse };
}

function number(fallback: number, min: number, max: number, unit: string, line: string): Setting<number> {
  const parse = (value: string) => {
    const parsed = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (!(parsed >= min && parsed <= max))
      throw new Error(`must be a whole number from ${min} to ${max}, not "${value}"`);
    return parsed;
  };
  return { fallback: String(fallback), unit, line, secret: false, boolean: false, parse };
}

function choice<const T extends string>(fallback: T, allowed: readonly T[], line: string): Setting<T> {
  const parse = (value: string) => {
    const found = allowed.find((item) => item === value);
    if (found === undefined) throw new Error(`must be one of ${allowed.join(', ')}, not "${value}"`);
    return found;
  };
  return { fallback, unit: allowed.join(' | '), line, secret: false, boolean: false, parse };
}

function address(fallback: string, line: string): Setting<HostPort> {
  const parse = (value: string) => {
    const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]+)):(\d{1,5})$/.exec(value);
    const port = Number(match?.[3]);
    if (!match || port > 65_535) throw new Error(`must look like 127.0.0.1:9000 or [::1]:9000, not "${value}"`);
    return { host: match[1] ?? match[2] ?? '', port };
  };
  return { fallback, unit: 'host:port', line, secret: false, boolean: false, parse };
}
