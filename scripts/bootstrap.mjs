// Makes `npm start` and `npm test` enough on their own after a clone. Plain JavaScript without dependencies, for Node 20
// and newer, because it runs before anything is installed: the pinned Node 26 itself arrives with `npm ci`.
//   node scripts/bootstrap.mjs [--production]
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const marker = join(root, 'node_modules', '.sallyport-installed');
const production = process.argv.includes('--production');

const major = Number(process.versions.node.split('.')[0]);
if (major < 20) {
  console.error(`Sallyport needs Node.js 20 or newer to install itself; this is ${process.version}.`);
  process.exit(1);
}

const lock = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const installed = existsSync(marker) ? readFileSync(marker, 'utf8').trim().split(' ') : [];
const current = installed[0] === lock && (production || installed[1] === 'all');

if (!current) {
  console.log(`Installing dependencies (${production ? 'to run' : 'to run and test'}) …`);
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', ...(production ? ['--omit=dev'] : [])];
  // npm gives its own path to the scripts it runs; falling back to the one on PATH serves direct calls.
  const npm = process.env.npm_execpath;
  const result = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: 'inherit' })
    : spawnSync('npm', args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  if (result.status !== 0) {
    console.error('npm ci failed: see its messages above. Nothing was started.');
    process.exit(result.status ?? 1);
  }
  writeFileSync(marker, `${lock} ${production ? 'production' : 'all'}\n`);
}
