/**
 * Lengths of the functions of a TypeScript source, found by counting braces. Strings, templates, comments and regular
 * expressions are blanked first, which is enough for code that the formatter has laid out.
 */
export function functionLengths(text: string): { readonly name: string; readonly length: number }[] {
  const lines = blank(text).split('\n');
  const found: { name: string; length: number }[] = [];
  const head =
    /^\s*(?:export\s+)?(?:default\s+)?(?:async\s+)?(?:function\*?\s+([\w$]+)|(?:const|let)\s+([\w$]+)[^=]*=\s*(?:async\s*)?(?:\([^;]*|[\w$]+\s*)=>\s*\{|(?:private\s+|public\s+|protected\s+|static\s+|override\s+|async\s+|\*|get\s+|set\s+)*(#?[\w$]+)\s*(?:<[^(]*>)?\([^;]*\{?\s*$)/;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    const match = head.exec(line);
    if (!match) continue;
    const name = match[1] ?? match[2] ?? match[3] ?? '';
    if (['if', 'for', 'while', 'switch', 'catch', 'return', 'test', 'describe', 'it'].includes(name)) continue;
    const end = closing(lines, at);
    if (end !== undefined) found.push({ name, length: end - at + 1 });
  }
  return found;
}

/** Line on which the brace opened at or soon after `from` closes. */
function closing(lines: readonly string[], from: number): number | undefined {
  let depth = 0;
  let opened = false;
  for (let at = from; at < lines.length; at++) {
    for (const char of lines[at] ?? '') {
      if (char === '{') {
        depth++;
        opened = true;
      } else if (char === '}') depth--;
      else if (char === ';' && !opened && depth === 0 && at > from) return undefined;
    }
    if (opened && depth <= 0) return at;
  }
  return undefined;
}

function blank(text: string): string {
  const hide = (piece: string) => piece.replace(/[^\n]/g, ' ');
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g, hide);
}
