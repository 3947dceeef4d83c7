// `npm test`: format, lint, types, generated code, then every test that needs no root and nothing from outside npm.
//   node scripts/test.ts [--only-tests] [--results FILE] [path …]
// Counts go to FILE as JSON so that .ci/run can add up several calls; the last line is `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { missingThreatRows } from './threat-rows.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = join(root, 'node_modules', '.bin');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'only-tests': { type: 'boolean', default: false }, results: { type: 'string' } },
});

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

function check(name: string, command: string, args: readonly string[], counts: Counts): void {
  const started = Date.now();
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  const ok = result.status === 0;
  counts[ok ? 'passed' : 'failed']++;
  console.log(`${ok ? '✔' : '✖'} ${name} (${Date.now() - started} ms)`);
  if (!ok) console.log(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`);
}

function runTests(paths: readonly string[], counts: Counts): string[] {
  const events = join(root, '.cache', `test-events-${process.pid}.ndjson`);
  mkdirSync(dirname(events), { recursive: true });
  const args = [
    '--test',
    '--test-concurrency=2',
    '--test-timeout=600000',
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'scripts', 'test-reporter.mjs')}`,
    `--test-reporter-destination=${events}`,
    ...paths,
  ];
  const run = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const names: string[] = [];
  const lines = readFileSync(events, 'utf8').split('\n').filter(Boolean);
  for (const line of lines) {
    const event: { name: string; outcome: keyof Counts } = JSON.parse(line);
    counts[event.outcome]++;
    if (event.outcome === 'passed') names.push(event.name);
  }
  rmSync(events);
  // A crashed file or an empty run must never look like success.
  if (run.status !== 0 && counts.failed === 0) counts.failed++;
  if (lines.length === 0) counts.failed++;
  return names;
}

const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
if (!values['only-tests']) {
  check('format and lint', join(bin, 'biome'), ['check', '.'], counts);
  check('types', join(bin, 'tsc'), ['--noEmit'], counts);
  check('generated files are current', process.execPath, ['scripts/generate.ts', '--check'], counts);
}
const everything = ['src', 'sdk', 'cli', 'test']
  .flatMap((folder) => globSync(`${folder}/**/*.test.ts`, { cwd: root }))
  .sort();
const names = runTests(positionals.length > 0 ? positionals : everything, counts);
if (positionals.length === 0) {
  const missing = missingThreatRows(names);
  counts[missing.length === 0 ? 'passed' : 'failed']++;
  console.log(
    missing.length === 0
      ? '✔ every required threat row has a passing test'
      : `✖ threat rows without a passing test: ${missing.join(', ')}`,
  );
}
if (values.results) writeFileSync(values.results, JSON.stringify(counts));
console.log(`${counts.passed} passed, ${counts.failed} failed${counts.skipped ? `, ${counts.skipped} skipped` : ''}`);
process.exitCode = counts.failed === 0 ? 0 : 1;
