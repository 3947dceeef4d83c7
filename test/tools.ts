import { spawnSync } from 'node:child_process';

/**
 * For `skip`: why a test that needs a program from outside npm cannot run here, or false. In the full run (CI) nothing
 * is skipped: there a missing program is a failure.
 */
export function missing(command: string, versionOption = '--version'): string | false {
  if (process.env.SALLYPORT_TEST_FULL === '1') return false;
  const { error } = spawnSync(command, [versionOption], { stdio: 'ignore' });
  return error === undefined ? false : `needs ${command} on the PATH`;
}
