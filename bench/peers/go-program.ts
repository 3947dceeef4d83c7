import { run } from '../load/generate-load.ts';

/** Module version of a program made by `go install`, whose own `--version` knows nothing. */
export async function goModuleVersion(program: string): Promise<string> {
  try {
    const path = (await run('sh', ['-c', `command -v "$0"`, program])).trim();
    return /^\s*mod\s+\S+\s+(\S+)/m.exec(await run('go', ['version', '-m', path]))?.[1] ?? 'of unknown version';
  } catch {
    return 'of unknown version';
  }
}
