import type { MessageShape } from '@bufbuild/protobuf';
import {
  type DescEnum,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  ScalarType,
} from '@bufbuild/protobuf';
import { Failure, invalidField } from '../core/index.ts';
import type { Json } from './json-reader.ts';

const INTEGERS = new Set<ScalarType>([
  ScalarType.INT32,
  ScalarType.INT64,
  ScalarType.UINT32,
  ScalarType.UINT64,
  ScalarType.SINT32,
  ScalarType.SINT64,
  ScalarType.FIXED32,
  ScalarType.FIXED64,
  ScalarType.SFIXED32,
  ScalarType.SFIXED64,
]);
const WHOLE = /^-?(?:0|[1-9]\d*)$/;

/**
 * Brings a JSON value into the form that protobuf JSON demands, where real clients differ from it, and refuses what
 * the protobuf library would let through: unknown members by name, and integers written as `0x10`, `1e3`, ` 5` (P-10).
 * Enums also take their short words, `ACTIVE` for `ACCESS_KEY_STATUS_ACTIVE` (contract clients.md 10).
 */
export function shapeJson(desc: DescMessage, value: Json, at = ''): Json {
  if (desc.typeName.startsWith('google.protobuf.')) return shapeWellKnown(desc, value, at);
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw at === '' ? new Failure('invalid', 'the body must be a JSON object') : invalidField(at, 'must be an object');
  const shaped: { [name: string]: Json } = Object.create(null);
  for (const [name, member] of Object.entries(value)) {
    const path = at === '' ? name : `${at}.${name}`;
    const field = desc.fields.find((candidate) => candidate.jsonName === name || candidate.name === name);
    if (field === undefined) throw invalidField(path, 'is not a field of this request');
    if (field.jsonName in shaped) throw invalidField(path, 'is given twice');
    shaped[field.jsonName] = member === null ? null : shapeField(field, member, path);
  }
  return shaped;
}

function shapeField(field: DescField, value: Json, at: string): Json {
  if (field.fieldKind === 'list') {
    if (!Array.isArray(value)) throw invalidField(at, 'must be a list');
    return value.map((item, index) => shapeItem(field, item, `${at}[${index}]`));
  }
  if (field.fieldKind === 'map') {
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      throw invalidField(at, 'must be an object');
    const shaped: { [name: string]: Json } = Object.create(null);
    for (const [name, item] of Object.entries(value)) shaped[name] = shapeItem(field, item, `${at}.${name}`);
    return shaped;
  }
  return shapeItem(field, value, at);
}

function shapeItem(field: DescField, value: Json, at: string): Json {
  if (field.message !== undefined) return shapeJson(field.message, value, at);
  if (field.enum !== undefined) return shapeEnum(field.enum, value, at);
  return shapeScalar(field.scalar, value, at);
}

function shapeScalar(scalar: ScalarType | undefined, value: Json, at: string): Json {
  if (scalar !== undefined && INTEGERS.has(scalar) && typeof value === 'string' && !WHOLE.test(value))
    throw invalidField(at, 'must be a whole number in decimal digits');
  return value;
}

function shapeWellKnown(desc: DescMessage, value: Json, at: string): Json {
  const inner = desc.typeName.endsWith('Value') ? desc.fields.find((field) => field.name === 'value') : undefined;
  if (inner !== undefined) return shapeScalar(inner.scalar, value, at);
  if (desc.typeName === 'google.protobuf.Empty') return value;
  if (desc.typeName === 'google.protobuf.Timestamp' && typeof value !== 'string')
    throw invalidField(at, 'must be a time such as 2027-02-03T10:15:00Z');
  return value;
}

function shapeEnum(desc: DescEnum, value: Json, at: string): Json {
  if (typeof value === 'number' && desc.value[value] !== undefined) return value;
  const known =
    typeof value === 'string'
      ? desc.values.find(({ name }) => name === value || name === `${desc.sharedPrefix?.toUpperCase() ?? ''}${value}`)
      : undefined;
  if (known === undefined) throw invalidField(at, `must be one of ${desc.values.map(({ name }) => name).join(', ')}`);
  return known.name;
}

/** The message, or `Failure('invalid')` naming the field. Values never appear in the message: they may be secrets. */
export function messageFromJson<D extends DescMessage>(desc: D, value: Json): MessageShape<D> {
  const shaped = shapeJson(desc, value);
  try {
    return fromJson(desc, shaped as JsonValue);
  } catch (error) {
    const field = fieldOf(error);
    if (field === undefined) throw new Failure('invalid', `the body is no ${desc.name}`, { cause: error });
    throw invalidField(field, 'is out of range or of the wrong type');
  }
}

/** The protobuf library says which field it could not read only in the text of its error, before the value. */
function fieldOf(error: unknown): string | undefined {
  const text = error instanceof Error ? error.message : '';
  const name = /\bfield ([\w.]+)/.exec(text)?.[1]?.split('.').at(-1);
  return name?.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
