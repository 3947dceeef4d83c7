#!/usr/bin/env node
// Launcher of the command line client. Plain JavaScript without dependencies, because it may run under a Node.js that
// cannot read TypeScript: then the pinned Node.js of node_modules takes over.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const main = join(root, 'cli', 'main.ts');
const pinned = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const PINNED_MAJOR = 26;

if (!existsSync(join(root, 'node_modules'))) {
  console.error(`sallyport: its dependencies are not installed. Run npm install (or npm start) in ${root} first.`);
  process.exit(2);
} else if (Number(process.versions.node.split('.')[0]) >= PINNED_MAJOR) {
  await import(pathToFileURL(main).href);
} else if (existsSync(pinned)) {
  const child = spawn(pinned, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`sallyport: cannot start ${pinned}: ${error.message}`);
    process.exit(2);
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
  });
} else {
  console.error(
    `sallyport: needs Node.js ${PINNED_MAJOR} (this is ${process.version}), which npm install brings. Run npm install in ${root}.`,
  );
  process.exit(2);
}
