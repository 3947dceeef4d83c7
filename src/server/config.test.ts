import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, readConfig, SETTINGS } from './config.ts';

const refuse = (argv: string[], env: Record<string, string>, pattern: RegExp) =>
  assert.throws(
    () => readConfig(argv, env),
    (error) => error instanceof ConfigError && pattern.test(error.message),
  );

test('config: every setting has a default that parses', () => {
  const config = readConfig([], {});
  assert.deepEqual(Object.keys(config).sort(), Object.keys(SETTINGS).sort());
  assert.deepEqual(config.S3_LISTEN, { host: '127.0.0.1', port: 9000 });
  assert.deepEqual(config.S3_DOMAINS, ['localhost']);
});

test('config: a flag wins over the environment', () => {
  const config = readConfig(['--data-dir', '/flag', '--strict'], { SALLYPORT_DATA_DIR: '/env', PATH: '/bin' });
  assert.equal(config.DATA_DIR, '/flag');
  assert.equal(config.STRICT, true);
});

test('config: unknown names are errors and name the nearest setting', () => {
  refuse([], { SALLYPORT_DATADIR: 'x' }, /SALLYPORT_DATADIR is not a setting; did you mean SALLYPORT_DATA_DIR\?/);
  refuse(['--no-such-flag'], {}, /no-such-flag/);
});

test('config: all problems are told at once', () => {
  refuse(
    [],
    { SALLYPORT_STRICT: 'maybe', SALLYPORT_API_TOKEN_KEY_SECONDS: '1e3', SALLYPORT_S3_LISTEN: '9000' },
    /STRICT[\s\S]*API_TOKEN_KEY_SECONDS|S3_LISTEN[\s\S]*STRICT/,
  );
});

test('K-08 a public address without TLS is refused and the message says what to set', () => {
  refuse(
    [],
    { SALLYPORT_S3_LISTEN: '0.0.0.0:9000' },
    /S3_LISTEN is not a loopback address[\s\S]*SALLYPORT_INSECURE_HTTP=1/,
  );
  refuse([], { SALLYPORT_API_LISTEN: '[::]:9001' }, /API_LISTEN is not a loopback address/);
  assert.equal(
    readConfig([], { SALLYPORT_S3_LISTEN: '0.0.0.0:9000', SALLYPORT_INSECURE_HTTP: '1' }).INSECURE_HTTP,
    true,
  );
  refuse([], { SALLYPORT_TLS_CERT: 'a.pem' }, /go together/);
});

test('config: a database URL is checked and never quoted', () => {
  refuse([], { SALLYPORT_DATABASE_URL: 'mysql://u:hunter2@h/d' }, /^(?![\s\S]*hunter2)[\s\S]*must look like postgres:/);
  assert.equal(readConfig([], { SALLYPORT_DATABASE_URL: 'postgres://u:p@h/d' }).DATABASE_URL, 'postgres://u:p@h/d');
});

test('config: proxies are addresses, zones are checked in strict mode', () => {
  refuse([], { SALLYPORT_TRUSTED_PROXIES: '10.0.0.1,proxy.local' }, /"proxy.local" is not an IP address/);
  refuse(
    [],
    { SALLYPORT_STRICT: '1', SALLYPORT_ZONES: 'A', SALLYPORT_DEFAULT_ZONE: 'B' },
    /must be one of SALLYPORT_ZONES/,
  );
});
