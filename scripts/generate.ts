// Writes everything that is generated from one of the tables: proto/gen, the OpenAPI document, the reference pages.
//   node scripts/generate.ts [--check]     --check: fails when a committed file is not what would be written.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const check = process.argv.includes('--check');

/** Path below the root → content, for everything that is generated. */
async function generateAll(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const work = mkdtempSync(join(tmpdir(), 'sallyport-generate-'));
  try {
    cpSync(join(root, 'proto'), join(work, 'proto'), { recursive: true });
    rmSync(join(work, 'proto', 'gen'), { recursive: true, force: true });
    for (const file of ['buf.yaml', 'buf.gen.yaml']) cpSync(join(root, file), join(work, file));
    mkdirSync(join(work, 'proto', 'gen'), { recursive: true });
    const bin = join(root, 'node_modules', '.bin');
    execFileSync(join(bin, 'buf'), ['generate'], {
      cwd: work,
      stdio: 'inherit',
      env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
    });
    for (const entry of readdirSync(join(work, 'proto', 'gen'), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      files.set(relative(work, path), readFileSync(path, 'utf8'));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const { referencePages } = await import('./reference.ts');
  for (const [path, content] of await referencePages()) files.set(path, content);
  return files;
}

const stale: string[] = [];
for (const [path, content] of await generateAll()) {
  const full = join(root, path);
  let current: string | undefined;
  try {
    current = readFileSync(full, 'utf8');
  } catch {}
  if (current === content) continue;
  stale.push(path);
  if (!check) {
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
  }
}
if (check && stale.length > 0) {
  console.error(`not what the tables say (run npm run generate):\n${stale.join('\n')}`);
  process.exitCode = 1;
} else console.log(stale.length === 0 ? 'generated files are current' : `written:\n${stale.join('\n')}`);
