/**
 * Threats that must each have a passing test whose name starts with the row's number. `npm test` fails when one is
 * missing, so a defence cannot lose its test unnoticed.
 */
const row = (letter: string, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `${letter}-${String(from + index).padStart(2, '0')}`);

export const REQUIRED_THREAT_ROWS: readonly string[] = [
  ...row('S', 1, 17),
  ...row('P', 1, 11),
  ...row('K', 1, 11),
  ...row('A', 1, 3),
  'D-01',
  'D-02',
  'D-03',
  ...row('D', 9, 12),
  'D-15',
  'D-18',
  'D-19',
];

export function missingThreatRows(passedTestNames: readonly string[]): string[] {
  const covered = new Set<string>();
  for (const name of passedTestNames) {
    // `S-05, S-09 …` covers both.
    const head = /^((?:[A-Z]-\d\d)(?:[,/ ]+(?:[A-Z]-\d\d))*)/.exec(name)?.[1] ?? '';
    for (const match of head.matchAll(/[A-Z]-\d\d/g)) covered.add(match[0]);
  }
  return REQUIRED_THREAT_ROWS.filter((name) => !covered.has(name));
}
