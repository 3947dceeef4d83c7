import { type DescField, type DescMessage, type DescMethod, getOption } from '@bufbuild/protobuf';
import { http } from '../../proto/gen/google/api/annotations_pb.js';
import type { HttpRule } from '../../proto/gen/google/api/http_pb.js';
import { Failure, invalidField } from '../core/index.ts';
import { type Json, readJson } from './json-reader.ts';

/** One `google.api.http` annotation, ready for matching. */
export interface HttpBinding {
  readonly verb: string;
  readonly template: string;
  readonly segments: readonly Segment[];
  readonly method: DescMethod;
  /** True when the body is the request message (`body: "*"`). */
  readonly body: boolean;
}

type Segment = { readonly literal: string } | { readonly field: DescField };

/** Segments are literals or `{field}`; the contract uses nothing else, and anything else is a mistake in the schema. */
export function httpBinding(method: DescMethod): HttpBinding {
  const rule: HttpRule = getOption(method, http);
  const { case: verb, value } = rule.pattern;
  if (verb === undefined || verb === 'custom' || typeof value !== 'string' || !['', '*'].includes(rule.body))
    throw new Error(`${method.name}: unsupported google.api.http rule`);
  const segments = value
    .slice(1)
    .split('/')
    .map((part): Segment => {
      const name = /^\{(\w+)\}$/.exec(part)?.[1];
      if (name === undefined && /[{}*]/.test(part))
        throw new Error(`${method.name}: unsupported path template ${value}`);
      return name === undefined ? { literal: part } : { field: fieldNamed(method.input, name, method.name) };
    });
  return { verb: verb.toUpperCase(), template: value, segments, method, body: rule.body === '*' };
}

function fieldNamed(desc: DescMessage, name: string, where: string): DescField {
  const field = desc.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new Error(`${where}: no field ${name}`);
  return field;
}

/** Values of the path fields by JSON name, still percent-encoded; undefined when the path is another one. */
export function matchPath(binding: HttpBinding, path: string): Readonly<Record<string, string>> | undefined {
  const parts = path.slice(1).split('/');
  if (parts.length !== binding.segments.length) return undefined;
  const fields: Record<string, string> = {};
  for (const [index, segment] of binding.segments.entries()) {
    const part = parts[index] as string;
    if ('field' in segment) {
      if (part === '') return undefined;
      fields[segment.field.jsonName] = part;
    } else if (segment.literal !== part) return undefined;
  }
  return fields;
}

/** The request message as JSON, out of path, query and body. Fails `invalid`. */
export function requestJson(
  binding: HttpBinding,
  fields: Readonly<Record<string, string>>,
  query: string,
  body: Uint8Array,
): Json {
  const value = binding.body && body.byteLength > 0 ? readJson(body) : Object.create(null);
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new Failure('invalid', 'the body must be a JSON object');
  for (const [name, raw] of Object.entries(fields)) value[name] = percentDecode(raw, name);
  addQuery(binding, value, query);
  return value;
}

/** Query parameters take the proto name or the JSON name of a field; a list field may repeat. */
function addQuery(binding: HttpBinding, message: { [name: string]: Json }, query: string): void {
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const cut = pair.indexOf('=');
    const name = percentDecode((cut < 0 ? pair : pair.slice(0, cut)).replaceAll('+', ' '), 'query');
    const value = percentDecode((cut < 0 ? '' : pair.slice(cut + 1)).replaceAll('+', ' '), name);
    const field = binding.body
      ? undefined
      : binding.method.input.fields.find((it) => it.name === name || it.jsonName === name);
    if (field === undefined) throw invalidField(name, 'is not a parameter of this request');
    const { jsonName } = field;
    if (field.fieldKind === 'list') {
      const items = message[jsonName];
      const item = queryValue(field, value, name);
      if (Array.isArray(items)) items.push(item);
      else message[jsonName] = [item];
    } else if (jsonName in message) throw invalidField(name, 'is given twice');
    else message[jsonName] = queryValue(field, value, name);
  }
}

function queryValue(field: DescField, value: string, name: string): Json {
  if (field.fieldKind === 'map' || field.message !== undefined) throw invalidField(name, 'cannot be sent in the query');
  if (field.enum !== undefined) return /^\d+$/.test(value) ? Number(value) : value;
  return value === 'true' || value === 'false' ? value === 'true' : value;
}

function percentDecode(text: string, name: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidField(name, 'is not valid percent-encoded UTF-8');
  }
}
