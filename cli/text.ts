/**
 * Characters that act on a terminal or reorder what is read: C0 and C1 controls, DEL, bidirectional marks and
 * embeddings, line and paragraph separators, invisible fillers. Names and messages come from other people.
 */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the purpose
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** One line that is safe to print: unsafe characters become visible escapes such as `\u202e`. */
export function printable(text: string): string {
  return text.replaceAll(UNSAFE, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The same data for programs; unsafe characters inside strings are written as JSON escapes. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value, undefined, 2);
  return `${text.replaceAll(UNSAFE, (character) => (character === '\n' ? '\n' : escapeCharacter(character)))}\n`;
}

/** Columns aligned under upper-case headings. `none` is printed instead of an empty table. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], none: string): string {
  if (rows.length === 0) return `${none}\n`;
  const cells = [headings.map((heading) => heading.toUpperCase()), ...rows.map((row) => row.map(printable))];
  return aligned(cells, '  ');
}

/** `label  value` lines with the values aligned. */
export function fields(pairs: readonly (readonly [string, string])[]): string {
  return aligned(
    pairs.map(([label, value]) => [label, printable(value)]),
    '  ',
  );
}

function aligned(cells: readonly (readonly string[])[], gap: string): string {
  const widths: number[] = [];
  for (const row of cells) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, [...cell].length);
    });
  }
  const line = (row: readonly string[]) =>
    row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - [...cell].length)).join(gap);
  return cells.map((row) => `${line(row).trimEnd()}\n`).join('');
}

/** `1.5 GiB`; exact below 1 KiB. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1).replace(/\.0$/, '')} ${units[unit]}`;
}
