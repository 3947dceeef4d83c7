import { type DiskFs, nodeFs } from './fs.ts';

export type FsCall = keyof DiskFs;

const SYNC_CALLS: readonly FsCall[] = [
  'openSync',
  'closeSync',
  'readSync',
  'writevSync',
  'fsyncSync',
  'ftruncateSync',
  'sizeSync',
  'mkdirSync',
  'readdirSync',
  'unlinkSync',
];

/** For tests: a file system that asks `before` ahead of every call; what that throws is the call's failure. */
export function faultFs(before: (call: FsCall, args: readonly unknown[]) => void, under: DiskFs = nodeFs): DiskFs {
  const wrapped: Record<string, unknown> = {};
  for (const [name, run] of Object.entries(under) as [FsCall, (...args: unknown[]) => unknown][]) {
    wrapped[name] = SYNC_CALLS.includes(name)
      ? (...args: unknown[]) => {
          before(name, args);
          return run(...args);
        }
      : async (...args: unknown[]) => {
          before(name, args);
          return run(...args);
        };
  }
  return wrapped as unknown as DiskFs;
}

/** An error as the operating system makes it. */
export function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: injected, ${syscall}`), { code, syscall });
}
