import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuSeconds, residentBytes } from './processes.ts';

const HERE = dirname(fileURLToPath(import.meta.url));

/** What one run of one workload against one server showed. */
export interface Sample {
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
  /** One of them, in words; empty when the generator does not tell. */
  readonly failure: string;
  /** Microseconds of server processor time per request, all its processes together. */
  readonly cpuPerRequest: number;
  /** Bytes per second of server processor time: throughput of one fully used core. */
  readonly bytesPerCoreSecond: number;
  /** Resident memory of the server right after the run. */
  readonly memory: number;
}

export interface Load {
  readonly endpoint: string;
  /** As `writeRequests` made it. */
  readonly requests: string;
  readonly connections: number;
  readonly seconds: number;
  readonly large: boolean;
  /** Server processes, asked again at both ends because workers come and go. */
  pids(): readonly number[];
}

/** Runs the load generator that fits and measures the server's processor time around it. */
export async function generateLoad(load: Load): Promise<Sample> {
  const before = cpuSeconds(load.pids());
  const result = load.large ? await runLarge(load) : await runWrk(load);
  const cpu = cpuSeconds(load.pids()) - before;
  const good = Math.max(1, result.requests - result.errors);
  return {
    requestsPerSecond: (result.requests - result.errors) / result.seconds,
    bytesPerSecond: result.bytes / result.seconds,
    p50: result.p50 * 1000,
    p99: result.p99 * 1000,
    errors: result.errors,
    failure: result.failure ?? '',
    cpuPerRequest: (cpu * 1e6) / good,
    bytesPerCoreSecond: cpu === 0 ? 0 : result.bytes / cpu,
    memory: residentBytes(load.pids()),
  };
}

interface Result {
  readonly requests: number;
  readonly errors: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly failure?: string;
}

async function runWrk(load: Load): Promise<Result> {
  const flags = ['-t1', `-c${load.connections}`, `-d${load.seconds}s`, '--timeout', '60s'];
  const output = await run('wrk', [...flags, '-s', join(HERE, 'wrk.lua'), load.endpoint, '--', load.requests]);
  const numbers = /RESULT (.+)/.exec(output)?.[1]?.split(' ').map(Number);
  if (numbers?.length !== 6) throw new Error(`wrk gave no result:\n${output}`);
  const [requests = 0, duration = 1, bytes = 0, p50 = 0, p99 = 0, errors = 0] = numbers;
  return { requests, errors, bytes, seconds: duration / 1e6, p50: p50 / 1e6, p99: p99 / 1e6 };
}

async function runLarge(load: Load): Promise<Result> {
  const { host } = new URL(load.endpoint);
  const script = join(HERE, 'large_client.py');
  const output = await run('python3', [script, host, load.requests, `${load.connections}`, `${load.seconds}`]);
  return JSON.parse(output) as Result;
}

export function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    let output = '';
    let errors = '';
    child.stdout.on('data', (piece: Buffer) => {
      output += piece.toString();
    });
    child.stderr.on('data', (piece: Buffer) => {
      errors += piece.toString();
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ended with ${code}: ${errors.slice(-2000)}`));
    });
  });
}
