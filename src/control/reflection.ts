import { type DescFile, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type DescriptorProto, type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import type {
  ServerReflectionRequest,
  ServerReflectionResponseSchema,
} from '../../proto/gen/grpc/reflection/v1/reflection_pb.js';

/** Answers the questions of gRPC server reflection; v1 and v1alpha share it because their messages are the same. */
export interface Reflection {
  answer(request: ServerReflectionRequest): MessageInitShape<typeof ServerReflectionResponseSchema>;
}

interface Index {
  readonly files: Map<string, FileDescriptorProto>;
  readonly symbols: Map<string, FileDescriptorProto>;
  /** `<extended type>#<number>` → file. */
  readonly extensions: Map<string, FileDescriptorProto>;
}

/** `files` and everything they import, plus `renamed` ones whose imports are among those; `services` are the names listed. */
export function createReflection(
  files: readonly DescFile[],
  renamed: readonly FileDescriptorProto[],
  services: readonly string[],
): Reflection {
  const index: Index = { files: new Map(), symbols: new Map(), extensions: new Map() };
  for (const file of files) addWithImports(index, file);
  for (const file of renamed) addFile(index, file);
  const sorted = [...services].sort();
  return {
    answer: (request) => ({
      validHost: request.host,
      originalRequest: request,
      messageResponse: respond(index, sorted, request),
    }),
  };
}

type Response = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse']>;

function respond(index: Index, services: readonly string[], request: ServerReflectionRequest): Response {
  const question = request.messageRequest;
  switch (question.case) {
    case 'listServices':
      return { case: 'listServicesResponse', value: { service: services.map((name) => ({ name })) } };
    case 'fileByFilename':
      return fileAnswer(index, index.files.get(question.value), `file ${question.value}`);
    case 'fileContainingSymbol':
      return fileAnswer(index, index.symbols.get(question.value), `symbol ${question.value}`);
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = question.value;
      const file = index.extensions.get(`${containingType}#${extensionNumber}`);
      return fileAnswer(index, file, `extension ${extensionNumber} of ${containingType}`);
    }
    case 'allExtensionNumbersOfType':
      return extensionNumbers(index, question.value);
    default:
      return problem(Code.InvalidArgument, 'the request asks nothing');
  }
}

/** The file with all its imports, each import before the file that needs it. */
function fileAnswer(index: Index, file: FileDescriptorProto | undefined, what: string): Response {
  if (file === undefined) return problem(Code.NotFound, `${what} is not served here`);
  const ordered = new Set<FileDescriptorProto>();
  const visit = (current: FileDescriptorProto): void => {
    if (ordered.has(current)) return;
    for (const name of current.dependency) {
      const next = index.files.get(name);
      if (next !== undefined) visit(next);
    }
    ordered.add(current);
  };
  visit(file);
  const bytes = [...ordered].reverse().map((one) => toBinary(FileDescriptorProtoSchema, one));
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto: bytes } };
}

function extensionNumbers(index: Index, typeName: string): Response {
  if (!index.symbols.has(typeName)) return problem(Code.NotFound, `type ${typeName} is not served here`);
  const prefix = `${typeName}#`;
  const numbers = [...index.extensions.keys()]
    .filter((key) => key.startsWith(prefix))
    .map((key) => Number(key.slice(prefix.length)));
  return { case: 'allExtensionNumbersResponse', value: { baseTypeName: typeName, extensionNumber: numbers } };
}

function problem(errorCode: Code, errorMessage: string): Response {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}

function addWithImports(index: Index, file: DescFile): void {
  if (index.files.has(file.proto.name)) return;
  addFile(index, file.proto);
  for (const dependency of file.dependencies) addWithImports(index, dependency);
}

function addFile(index: Index, file: FileDescriptorProto): void {
  index.files.set(file.name, file);
  const name = (local: string): string => (file.package === '' ? local : `${file.package}.${local}`);
  for (const message of file.messageType) addMessage(index, file, message, name(message.name));
  for (const item of file.enumType) index.symbols.set(name(item.name), file);
  addExtensions(index, file, file.extension, file.package);
  for (const service of file.service) {
    index.symbols.set(name(service.name), file);
    for (const method of service.method) index.symbols.set(`${name(service.name)}.${method.name}`, file);
  }
}

function addMessage(index: Index, file: FileDescriptorProto, message: DescriptorProto, fullName: string): void {
  index.symbols.set(fullName, file);
  for (const field of message.field) index.symbols.set(`${fullName}.${field.name}`, file);
  for (const item of message.enumType) index.symbols.set(`${fullName}.${item.name}`, file);
  for (const nested of message.nestedType) addMessage(index, file, nested, `${fullName}.${nested.name}`);
  addExtensions(index, file, message.extension, fullName);
}

function addExtensions(
  index: Index,
  file: FileDescriptorProto,
  extensions: DescriptorProto['extension'],
  scope: string,
): void {
  for (const extension of extensions) {
    index.symbols.set(scope === '' ? extension.name : `${scope}.${extension.name}`, file);
    index.extensions.set(`${extension.extendee.replace(/^\./, '')}#${extension.number}`, file);
  }
}
