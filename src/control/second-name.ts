import { clone, type DescFile, type DescService } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

/**
 * The documentation calls the package `coreweave.cwobject.v1`; generated code of released clients suggests
 * `cwobject.v1`. Both are served from one schema file: docs/decisions/0002-control-plane-schema.md.
 */
export const SECOND_PACKAGE = 'cwobject.v1';

/** The same service under another full name; messages stay the same descriptors, their names are not on the wire. */
export function renamedService<S extends DescService>(service: S, typeName: string): S {
  const renamed = { ...service, typeName } as S & { methods: S['methods']; method: S['method'] };
  const methods = service.methods.map((method) => ({ ...method, parent: renamed }));
  return Object.assign(renamed, {
    methods,
    method: Object.fromEntries(methods.map((method) => [method.localName, method])),
  });
}

/** The file for reflection, with every name of its own package moved to `packageName`. */
export function renamedFile(file: DescFile, packageName: string): FileDescriptorProto {
  const proto = clone(FileDescriptorProtoSchema, file.proto);
  const from = `.${proto.package}.`;
  const to = `.${packageName}.`;
  const rename = (name: string): string => (name.startsWith(from) ? to + name.slice(from.length) : name);
  const walk = (messages: FileDescriptorProto['messageType']): void => {
    for (const message of messages) {
      for (const field of message.field) field.typeName = rename(field.typeName);
      walk(message.nestedType);
    }
  };
  walk(proto.messageType);
  for (const service of proto.service)
    for (const method of service.method) {
      method.inputType = rename(method.inputType);
      method.outputType = rename(method.outputType);
    }
  proto.name = `${packageName.replaceAll('.', '/')}/${proto.name.split('/').at(-1)}`;
  proto.package = packageName;
  return proto;
}
