import { cpus, release, totalmem } from 'node:os';
import type { Sample } from './load/generate-load.ts';
import type { Server } from './peers/peer.ts';
import { type Spread, spreadOf } from './statistics.ts';
import { type Measurements, ROWS, type Row, reached } from './targets.ts';

export interface RunFacts {
  readonly startedAt: Date;
  readonly rounds: number;
  readonly seconds: number;
  readonly servers: readonly Server[];
  readonly absent: readonly string[];
  /** Name of a workload by its key, in the order of the runs. */
  readonly workloads: ReadonlyMap<string, string>;
  readonly commit: string;
}

/** The whole report as markdown: verdicts, figures, who was measured. */
export function report(measured: Measurements, facts: RunFacts): string {
  return [
    `# Bench of ${facts.startedAt.toISOString().slice(0, 10)}`,
    '',
    `Commit ${facts.commit}. ${facts.rounds} interleaved rounds of ${facts.seconds} s; medians (lowest–highest) of the ratios of each round. ` +
      `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}; ` +
      'client and servers share the machine. Below ±15 % is noise; rows of runs with errors are left out.',
    '',
    verdicts(measured),
    '',
    '## Figures',
    '',
    figures(measured, facts),
    '',
    baselineLines(measured),
    '',
    '## Servers',
    '',
    ...facts.servers.map((server) => `* **${server.name}**: ${server.about}.`),
    ...facts.absent.map((line) => `* not measured: ${line}`),
    '',
  ].join('\n');
}

function verdicts(measured: Measurements): string {
  const lines = ROWS.flatMap((row) => {
    const ratio = row.ratio(measured);
    return ratio === undefined || Number.isNaN(ratio.median) ? [] : [verdictLine(row, ratio)];
  });
  if (lines.length === 0) return 'No row has both sides measured.';
  return [
    '| workload | against | ratio | first | goal | verdict |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}

function verdictLine(row: Row, ratio: Spread): string {
  const sign = row.better === 'higher' ? '≥' : '≤';
  const goal = row.goal === undefined ? '–' : `${sign} ${row.goal}`;
  const spread = ratio.low === ratio.high ? '' : ` (${short(ratio.low)}–${short(ratio.high)})`;
  return `| ${row.workload} | ${row.denominator} | **${short(ratio.median)}**${spread} | ${sign} ${row.first} | ${goal} | ${verdict(row, ratio.median)} |`;
}

function verdict(row: Row, value: number): string {
  if (row.goal !== undefined && reached(row, row.goal, value) >= 1) return 'goal reached';
  const share = reached(row, row.first, value);
  if (share >= 1) return 'first reached';
  return `${Math.floor(share * 100)} % of first${share >= 2 / 3 ? '' : ', below two thirds'}`;
}

function figures(measured: Measurements, facts: RunFacts): string {
  const lines = ['| workload | server | throughput | p50 ms | p99 ms | server CPU per request | errors |'];
  lines.push('| --- | --- | --- | --- | --- | --- | --- |');
  for (const [key, title] of facts.workloads) {
    for (const [server, byWorkload] of measured.samples) {
      const samples = byWorkload.get(key);
      if (samples !== undefined && samples.length > 0) lines.push(figureLine(title, server, samples));
    }
  }
  return lines.join('\n');
}

function figureLine(title: string, server: string, samples: readonly Sample[]): string {
  const of = (field: Exclude<keyof Sample, 'failure'>) => spreadOf(samples.map((sample) => sample[field]));
  const large = title.includes('MiB');
  const rate = of(large ? 'bytesPerSecond' : 'requestsPerSecond');
  const scale = large ? 1e-6 : 1;
  const unit = large ? 'MB/s' : '/s';
  const figure = (value: number) => short(value * scale);
  const errors = samples.reduce((sum, sample) => sum + sample.errors, 0);
  const cpu = large
    ? `${short(of('bytesPerCoreSecond').median * 1e-9)} GB/s per core`
    : `${short(of('cpuPerRequest').median)} µs`;
  return `| ${title} | ${server} | ${figure(rate.median)} ${unit} (${figure(rate.low)}–${figure(rate.high)}) | ${short(of('p50').median)} | ${short(of('p99').median)} | ${cpu} | ${errors} |`;
}

function baselineLines(measured: Measurements): string {
  const memory = [...measured.memory].map(([name, bytes]) => `${name} ${Math.round(bytes / 2 ** 20)} MiB`).join(', ');
  const one = (values: readonly number[], scale = 1) => short(spreadOf(values).median * scale);
  return (
    `Machine: write + fdatasync of 4 KiB ${one(measured.flushPerSecond)}/s, p50 ${one(measured.flushP50)} ms; ` +
    `MD5 ${one(measured.md5, 1e-6)} MB/s; LMDB scan of 1,000 rows ${one(measured.scan)} ms. Memory after load: ${memory}.`
  );
}

/** Three figures that count. */
function short(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toString();
  return Number(value.toPrecision(3)).toString();
}
