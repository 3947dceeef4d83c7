import { malformedXml, type XmlElement } from './read.ts';

/** How often a child may occur: `one` exactly once, `optional` at most once, `many` any number of times. */
export type Occurrence = 'one' | 'optional' | 'many';

export type Elements<Rules extends Readonly<Record<string, Occurrence>>> = {
  readonly [Name in keyof Rules]: Rules[Name] extends 'many'
    ? readonly XmlElement[]
    : Rules[Name] extends 'one'
      ? XmlElement
      : XmlElement | undefined;
};

/**
 * The children of an element by name. Anything that `rules` does not list, repeats or omits is `MalformedXML`
 * (threat P-07): a document that we cannot read is never taken for an empty one.
 */
export function childrenOf<const Rules extends Readonly<Record<string, Occurrence>>>(
  element: XmlElement,
  rules: Rules,
): Elements<Rules> {
  const found = new Map<string, XmlElement[]>();
  for (const child of element.children) {
    if (!Object.hasOwn(rules, child.name))
      throw malformedXml(`element ${child.name} is not allowed in ${element.name}.`);
    const siblings = found.get(child.name);
    if (siblings === undefined) found.set(child.name, [child]);
    else if (rules[child.name] === 'many') siblings.push(child);
    else throw malformedXml(`element ${child.name} may occur only once in ${element.name}.`);
  }
  if (element.children.length === 0 && /[^ \t\r\n]/.test(element.text))
    throw malformedXml(`element ${element.name} must hold elements, not text.`);
  const result: Record<string, XmlElement | readonly XmlElement[] | undefined> = Object.create(null);
  for (const [name, occurrence] of Object.entries(rules)) {
    const siblings = found.get(name) ?? [];
    if (occurrence === 'one' && siblings.length === 0)
      throw malformedXml(`element ${name} is missing in ${element.name}.`);
    result[name] = occurrence === 'many' ? siblings : siblings[0];
  }
  return result as Elements<Rules>;
}

/** The text of a leaf, unchanged. An element with children is `MalformedXML`. */
export function textOf(element: XmlElement): string {
  if (element.children.length > 0) throw malformedXml(`element ${element.name} must hold text, not elements.`);
  return element.text;
}

/** `textOf`, or `undefined` for an element that is not there. */
export function optionalText(element: XmlElement | undefined): string | undefined {
  return element === undefined ? undefined : textOf(element);
}

/** A whole number of plain decimal digits within `[min, max]`; anything else is `MalformedXML`. */
export function integerOf(element: XmlElement, min: number, max: number): number {
  const text = textOf(element).trim();
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw malformedXml(`element ${element.name} must be a whole number from ${min} to ${max}.`);
  return value;
}

/** `true` or `false` in any case; absent is `false`. */
export function booleanOf(element: XmlElement | undefined): boolean {
  if (element === undefined) return false;
  const text = textOf(element).trim().toLowerCase();
  if (text !== 'true' && text !== 'false') throw malformedXml(`element ${element.name} must be true or false.`);
  return text === 'true';
}
