import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FILE_EXCEPTIONS, FUNCTION_EXCEPTIONS, IMPORT_EXCEPTIONS } from './tidy-exceptions.ts';
import { functionLengths } from './tidy-functions.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What a folder may import: docs/style.md, "Direction". `server` may import everything below it. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  policy: ['core'],
  engine: ['core'],
  store: ['core'],
  telemetry: ['core'],
  keys: ['core', 'policy', 'store', 'telemetry'],
  identity: ['core', 'store', 'telemetry'],
  s3: ['core', 'engine', 'telemetry'],
  control: ['core', 'policy', 'keys', 'identity', 'store', 'telemetry', 'proto/gen'],
  server: ['core', 'policy', 'engine', 'store', 'telemetry', 'keys', 'identity', 's3', 'control', 'proto/gen'],
};
const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
const BANNED_NAMES = /(^|\/)(utils?|common|misc|shared|helpers?)(\.|\/|$)/;

interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function tracked(): string[] {
  const out = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root });
  return out.toString().split('\n').filter(Boolean);
}

function readSource(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8');
  const imports: string[] = [];
  for (const match of text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s*'([^']+)'|\bimport\(\s*'([^']+)'/g)) {
    const target = match[1] ?? match[2] ?? '';
    if (target.startsWith('.')) imports.push(posix.normalize(posix.join(posix.dirname(path), target)));
  }
  return { path, text, imports };
}

const existing = tracked().filter((path) => {
  try {
    readFileSync(join(root, path));
    return true;
  } catch {
    return false;
  }
});
const sources = existing
  .filter((path) => /\.(ts|tsx|mjs)$/.test(path) && !path.startsWith('proto/gen/'))
  .map(readSource);
const product = sources.filter((source) => /^(src|sdk|cli|console)\//.test(source.path));
/** Tests, and what only tests use: conformance suites and `*.test-support.ts`. */
const isTest = (path: string) => /\.test\.ts$|conformance|[./]test-support\.ts$/.test(path);

/** `src/keys/issue.ts` → `keys`; `proto/gen/…` → `proto/gen`; anything else → its first folder. */
function folderOf(path: string): string {
  if (path.startsWith('proto/gen/')) return 'proto/gen';
  const parts = path.split('/');
  return (parts[0] === 'src' ? parts[1] : parts[0]) ?? '';
}

test('tidy: a folder imports only what its row lists, and only through index.ts', () => {
  const problems: string[] = [];
  for (const source of product) {
    if (!source.path.startsWith('src/') || isTest(source.path)) continue;
    const from = folderOf(source.path);
    for (const target of source.imports) {
      const to = folderOf(target);
      if (to === from) continue;
      const edge = `${source.path} → ${target}`;
      if (IMPORT_EXCEPTIONS.has(edge)) continue;
      if (!MAY_IMPORT[from]?.includes(to)) problems.push(`${edge}: ${from} may not import ${to}`);
      const implementation = from === 'server' && /^src\/(store|engine)\/[a-z]+\/index\.ts$/.test(target);
      if (to !== 'proto/gen' && target !== `src/${to}/index.ts` && !implementation)
        problems.push(`${edge}: not through index.ts`);
    }
  }
  assert.deepEqual(problems, []);
});

test('tidy: sdk imports only generated code; cli reaches the server only for serve', () => {
  const problems: string[] = [];
  for (const source of product) {
    if (isTest(source.path)) continue;
    for (const target of source.imports) {
      const to = folderOf(target);
      if (source.path.startsWith('sdk/') && !['sdk', 'proto/gen'].includes(to))
        problems.push(`${source.path} → ${target}`);
      const serve = source.path === 'cli/commands/serve.ts' && target === 'src/server/index.ts';
      if (source.path.startsWith('cli/') && !['cli', 'sdk', 'proto/gen', 'package.json'].includes(to) && !serve)
        problems.push(`${source.path} → ${target}`);
    }
  }
  assert.deepEqual(problems, []);
});

test('tidy: black-box tests reach the product only through sockets', () => {
  const problems: string[] = [];
  for (const source of sources) {
    if (!/^test\/(wire|compat|faults)\//.test(source.path)) continue;
    for (const target of source.imports) if (target.startsWith('src/')) problems.push(`${source.path} → ${target}`);
  }
  assert.deepEqual(problems, []);
});

test('tidy: no import cycles', () => {
  const graph = new Map(
    product.map((source) => [source.path, source.imports.filter((path) => /^(src|sdk|cli)\//.test(path))]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) walk(path, []);
  assert.deepEqual(cycles, []);
});

test('tidy: environment, clocks and randomness are passed in, and made only in src/server', () => {
  const banned = [
    /\bprocess\.env\b/,
    /\bDate\.now\(/,
    /\bnew Date\(\)/,
    /\bMath\.random\(/,
    /\b(randomBytes|randomUUID|randomInt|getRandomValues|randomFillSync)\(/,
  ];
  const problems: string[] = [];
  for (const source of product) {
    if (!source.path.startsWith('src/') || source.path.startsWith('src/server/') || isTest(source.path)) continue;
    const code = source.text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    for (const pattern of banned) if (pattern.test(code)) problems.push(`${source.path}: ${pattern.source}`);
  }
  assert.deepEqual(problems, []);
});

test('tidy: only server/config.ts and tests read the environment inside src', () => {
  const problems = product
    .filter((source) => source.path.startsWith('src/') && !isTest(source.path))
    .filter((source) => /\bprocess\.env\b/.test(source.text) && source.path !== 'src/server/main.ts');
  assert.deepEqual(
    problems.map((source) => source.path),
    [],
  );
});

test('tidy: files and functions stay short', () => {
  const problems: string[] = [];
  for (const source of sources) {
    const lines = source.text.split('\n').length - 1;
    if (lines > (FILE_EXCEPTIONS.get(source.path) ?? FILE_LINES_MAX)) problems.push(`${source.path}: ${lines} lines`);
    if (isTest(source.path) || !/^(src|sdk|cli)\//.test(source.path)) continue;
    for (const { name, length } of functionLengths(source.text)) {
      const limit = FUNCTION_EXCEPTIONS.get(`${source.path} ${name}`) ?? FUNCTION_LINES_MAX;
      if (length > limit) problems.push(`${source.path}: ${name} has ${length} lines`);
    }
  }
  assert.deepEqual(problems, []);
});

test('tidy: names say what things are', () => {
  assert.deepEqual(
    existing.filter((path) => BANNED_NAMES.test(path)),
    [],
  );
});

test('tidy: no orphan files, no leftover markers', () => {
  const problems: string[] = [];
  const imported = new Set(sources.flatMap((source) => source.imports));
  const entry = new Set(['src/server/main.ts', 'cli/main.ts', 'cli/bin.mjs', 'sdk/index.ts']);
  for (const source of product) {
    if (!isTest(source.path) && !imported.has(source.path) && !entry.has(source.path))
      problems.push(`${source.path}: imported by nobody`);
  }
  const markers = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX'].join(''));
  for (const source of sources) if (markers.test(source.text)) problems.push(`${source.path}: leftover marker`);
  assert.deepEqual(problems, []);
});
