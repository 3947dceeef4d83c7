import type { DescService } from '@bufbuild/protobuf';
import { CWObject, file_coreweave_cwobject_v1_cwobject } from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { file_google_rpc_error_details } from '../../proto/gen/google/rpc/error_details_pb.js';
import { file_grpc_health_v1_health, Health } from '../../proto/gen/grpc/health/v1/health_pb.js';
import {
  file_grpc_reflection_v1_reflection,
  ServerReflection,
} from '../../proto/gen/grpc/reflection/v1/reflection_pb.js';
import {
  file_grpc_reflection_v1alpha_reflection,
  ServerReflection as ServerReflectionAlpha,
} from '../../proto/gen/grpc/reflection/v1alpha/reflection_pb.js';
import { Admin, file_sallyport_admin_v1_admin } from '../../proto/gen/sallyport/admin/v1/admin_pb.js';
import { ADMIN_ACCESS, CWOBJECT_ACCESS, HEALTH_ACCESS, REFLECTION_ACCESS } from './access.ts';
import { accessKeysService } from './access-keys-service.ts';
import { accessPoliciesService } from './access-policies-service.ts';
import { adminService } from './admin-service.ts';
import { bucketsService } from './buckets-service.ts';
import type { Handlers } from './call.ts';
import { exchangeService } from './exchange-service.ts';
import { healthService } from './health.ts';
import type { ControlPorts } from './ports.ts';
import { createReflection } from './reflection.ts';
import type { RpcRoutes } from './rpc.ts';
import { renamedFile, renamedService, SECOND_PACKAGE } from './second-name.ts';

export function cwobjectHandlers(ports: ControlPorts): Handlers<typeof CWObject> {
  return {
    ...accessKeysService(ports),
    ...accessPoliciesService(ports),
    ...bucketsService(ports),
    ...exchangeService(ports),
  };
}

/** Registers every service that is served, with reflection and health over all of them. */
export function addServices(routes: RpcRoutes, ports: ControlPorts, cwobject: Handlers<typeof CWObject>): void {
  const second = renamedService(CWObject, `${SECOND_PACKAGE}.CWObject`);
  const served: readonly DescService[] = [CWObject, second, Admin, Health, ServerReflection, ServerReflectionAlpha];
  const names = served.map(({ typeName }) => typeName);
  routes.add([CWObject, second], cwobject, CWOBJECT_ACCESS);
  routes.add([Admin], adminService(ports), ADMIN_ACCESS);
  routes.addNative(Health, healthService(ports.readiness, names), HEALTH_ACCESS);
  const reflection = createReflection(
    [
      file_coreweave_cwobject_v1_cwobject,
      file_sallyport_admin_v1_admin,
      file_grpc_health_v1_health,
      file_grpc_reflection_v1_reflection,
      file_grpc_reflection_v1alpha_reflection,
      file_google_rpc_error_details,
    ],
    [renamedFile(file_coreweave_cwobject_v1_cwobject, SECOND_PACKAGE)],
    names,
  );
  const info = {
    async *serverReflectionInfo(requests: AsyncIterable<never>) {
      for await (const request of requests) yield reflection.answer(request);
    },
  };
  routes.addNative(ServerReflection, info as never, REFLECTION_ACCESS);
  routes.addNative(ServerReflectionAlpha, info as never, REFLECTION_ACCESS);
}
