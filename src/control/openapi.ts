import { type DescField, type DescMessage, type DescMethod, ScalarType } from '@bufbuild/protobuf';
import { CWObject } from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { type AccessRow, CWOBJECT_ACCESS } from './access.ts';
import { type HttpBinding, httpBinding } from './transcode.ts';

type Json = string | number | boolean | readonly Json[] | { readonly [name: string]: Json };
type Schemas = Record<string, Json>;

/** One line per operation; the protobuf descriptors carry no comments at run time. */
const SUMMARIES: Readonly<Record<keyof (typeof CWObject)['method'], string>> = {
  authCanI: 'Check whether the caller may do every action on every resource',
  createAccessKeyFromJWT: 'Create an access key with an API access token',
  listAccessKeyInfo: 'List access keys',
  getAccessKeyInfo: 'Get one access key',
  updateAccessKeyStatus: 'Suspend or reactivate every key of a principal',
  listAccessPolicies: 'List organization access policies',
  ensureAccessPolicy: 'Create or replace an organization access policy',
  deleteAccessPolicy: 'Delete an organization access policy',
  listBucketInfo: 'List buckets',
  getBucketInfo: 'Get one bucket',
  setBucketSettings: 'Change settings of a bucket',
  setOrganizationSettings: 'Change settings of the organization',
  revokeAccessKeyByAccessKey: 'Revoke an access key by its ID',
  revokeAccessKeysByPrincipal: 'Revoke every access key of a principal',
  createAccessKeyFromSAML: 'Exchange a SAML assertion for an access key',
  createAccessKeyFromOIDC: 'Exchange an OIDC token for an access key',
  createAccessKeyFromContainerCreds: 'AWS container credentials for an OIDC token',
  createAccessKeyFromApiToken: 'AWS container credentials for an API access token',
};

/**
 * The OpenAPI 3.0.3 document of the HTTP/JSON mapping, made from the descriptors: title, version, tag, operation ids and
 * security schemes as the hosted service publishes them (contract control-plane section 1).
 */
export function openApiDocument(): { readonly [name: string]: Json } {
  const schemas: Schemas = {};
  addSchema(schemas, StatusSchema);
  const paths: Record<string, Record<string, Json>> = {};
  for (const method of CWObject.methods) {
    const binding = httpBinding(method);
    const path = `/${binding.segments.map((it) => ('field' in it ? `{${it.field.jsonName}}` : it.literal)).join('/')}`;
    paths[path] ??= {};
    paths[path][binding.verb.toLowerCase()] = operation(schemas, method, binding);
  }
  return {
    openapi: '3.0.3',
    info: { title: 'CoreWeave AI Object Storage API', version: '0.0.1' },
    paths,
    components: {
      schemas,
      securitySchemes: {
        TokenAuth: { type: 'http', scheme: 'bearer' },
        ContainerCredentialsAuth: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: 'A raw OIDC token, without Bearer.',
        },
      },
    },
    security: [{ TokenAuth: [] }],
    tags: [{ name: 'CWObject' }],
  };
}

function operation(schemas: Schemas, method: DescMethod, binding: HttpBinding): Json {
  const name = method.localName as keyof typeof SUMMARIES;
  const response = (schema: Json, description: string): Json => ({
    description,
    content: { 'application/json': { schema } },
  });
  return {
    tags: ['CWObject'],
    operationId: `CWObject_${method.name}`,
    summary: SUMMARIES[name],
    ...parameters(schemas, method, binding),
    ...(binding.body
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: addSchema(schemas, method.input) } },
          },
        }
      : {}),
    responses: {
      '200': response(addSchema(schemas, method.output), 'OK'),
      default: response({ $ref: '#/components/schemas/Status' }, 'Error'),
    },
    ...security(CWOBJECT_ACCESS[name]),
  };
}

function security({ authentication }: AccessRow): { readonly [name: string]: Json } {
  if (authentication === 'raw-jwt') return { security: [{ ContainerCredentialsAuth: [] }] };
  return authentication === 'body' || authentication === 'none' ? { security: [] } : {};
}

function parameters(schemas: Schemas, method: DescMethod, binding: HttpBinding): { readonly [name: string]: Json } {
  const inPath = new Set(binding.segments.flatMap((segment) => ('field' in segment ? [segment.field.name] : [])));
  const list = method.input.fields.flatMap((field): Json[] => {
    if (inPath.has(field.name))
      return [{ name: field.jsonName, in: 'path', required: true, schema: fieldSchema(schemas, field) }];
    if (binding.body) return [];
    const bounds = field.name === 'limit' ? { minimum: 1, maximum: 1000 } : {};
    const schema = { ...(fieldSchema(schemas, field) as { [name: string]: Json }), ...bounds };
    return [{ name: field.jsonName, in: 'query', schema }];
  });
  return list.length === 0 ? {} : { parameters: list };
}

/** Adds the message under its short name and answers a reference to it. */
function addSchema(schemas: Schemas, desc: DescMessage): Json {
  const known = WELL_KNOWN[desc.typeName];
  if (known !== undefined) return known;
  if (schemas[desc.name] === undefined) {
    const properties: Record<string, Json> = {};
    schemas[desc.name] = { type: 'object', properties };
    for (const field of desc.fields) properties[field.jsonName] = fieldSchema(schemas, field);
  }
  return { $ref: `#/components/schemas/${desc.name}` };
}

const UINT64: Json = { type: 'string', format: 'uint64' };
const WELL_KNOWN: Readonly<Record<string, Json>> = {
  'google.protobuf.Timestamp': { type: 'string', format: 'date-time' },
  'google.protobuf.BoolValue': { type: 'boolean' },
  'google.protobuf.Int32Value': { type: 'integer', format: 'int32' },
  'google.protobuf.UInt32Value': { type: 'integer', format: 'uint32' },
  'google.protobuf.UInt64Value': UINT64,
  'google.protobuf.Empty': { type: 'object' },
  'google.protobuf.Any': { type: 'object', properties: { '@type': { type: 'string' } }, additionalProperties: true },
};

function fieldSchema(schemas: Schemas, field: DescField): Json {
  if (field.fieldKind === 'list') return { type: 'array', items: itemSchema(schemas, field) };
  if (field.fieldKind === 'map') return { type: 'object', additionalProperties: itemSchema(schemas, field) };
  return itemSchema(schemas, field);
}

function itemSchema(schemas: Schemas, field: DescField): Json {
  if (field.message !== undefined) return addSchema(schemas, field.message);
  if (field.enum !== undefined) return { type: 'string', enum: field.enum.values.map(({ name }) => name) };
  switch (field.scalar) {
    case ScalarType.BOOL:
      return { type: 'boolean' };
    case ScalarType.UINT32:
      return { type: 'integer', format: 'uint32' };
    case ScalarType.INT32:
      return { type: 'integer', format: 'int32' };
    case ScalarType.UINT64:
      return UINT64;
    default:
      return { type: 'string' };
  }
}
