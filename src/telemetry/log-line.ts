/** C1 controls and DEL (a terminal acts on them), line and paragraph separators, marks that turn the direction of text. */
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * A line of JSON without characters that a terminal or a viewer would act on: keys, names and user agents come from
 * strangers (threat K-13). JSON itself escapes what is below U+0020; the rest can only stand inside strings, so the line
 * stays the same JSON.
 */
export function safeLogLine(line: string): string {
  return line.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
