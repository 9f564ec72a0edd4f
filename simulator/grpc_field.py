"""The imitated API's services for gateways, multicast groups and firmware updates."""

from chirpstack_api import api, common
from google.protobuf.empty_pb2 import Empty

from city.errors import Conflict, Invalid, NotFound, Unsupported
from city.readings import NS
from simulator.chirpstack import ChirpStack
from simulator.grpc_access import Caller, Owners
from simulator.grpc_convert import (
    HEX,
    Proto,
    dev_addr,
    eui,
    fill,
    key_text,
    matches,
    page,
    part,
    record_of,
    set_time,
    stamped,
    time_of,
    uuid_text,
)
from simulator.provisioned import CLASS_B, Deployment, GatewayRecord, Group

STARTED = "started"  # the rule behind FAILED_PRECONDITION
FIRST_JOB = "CREATE_MC_GROUP"


class Gateways:
    """GatewayService, without metrics, certificates and relays."""

    def __init__(self, town: ChirpStack) -> None:
        self._town, self._registry, self._owners = town, town.registry, Owners(town.registry)

    def create(self, caller: Caller, request: Proto) -> Proto:
        row = self._read(part(request, "gateway"))
        caller.may(row.tenant_id, write=True)
        self._registry.add_gateway(row)
        return Empty()

    def get(self, caller: Caller, request: Proto) -> Proto:
        key, answer = eui(request.gateway_id), api.GetGatewayResponse()
        caller.may(self._owners.of_gateway(key), write=False)
        row = self._registry.gateways.get(key)
        fill(answer.gateway, row)
        _place(answer.gateway.location, row)
        if region := self._town.fleet.region(row):
            answer.gateway.metadata["region_config_id"] = region
            answer.gateway.metadata["region_common_name"] = "EU868"
        self._seen(answer, row)
        return stamped(answer, row)

    def update(self, caller: Caller, request: Proto) -> Proto:
        row = self._read(part(request, "gateway"))
        caller.may(self._owners.of_gateway(row.gateway_id), write=True)
        caller.may(row.tenant_id, write=False)
        self._registry.update(self._registry.gateways, row.gateway_id, row)
        return Empty()

    def delete(self, caller: Caller, request: Proto) -> Proto:
        key = eui(request.gateway_id)
        caller.may(self._owners.of_gateway(key), write=True)
        self._registry.delete_gateway(key)
        return Empty()

    def list(self, caller: Caller, request: Proto) -> Proto:
        tenant = uuid_text(request.tenant_id) if request.tenant_id else ""
        group = self._registry.groups.get(uuid_text(request.multicast_group_id)) if request.multicast_group_id else None
        caller.may(tenant or None, write=False)
        rows = (row for row in self._registry.gateways
                if tenant in ("", row.tenant_id) and (group is None or row.gateway_id in group.gateways)
                and matches(request.search, row.name, row.gateway_id))
        return page(request, api.ListGatewaysResponse(), rows, lambda row: row.name, self._item)

    def _item(self, item: Proto, row: GatewayRecord) -> None:
        stamped(fill(item, row), row)
        _place(item.location, row)
        item.state = self._town.fleet.state(row)
        self._seen(item, row)

    def _seen(self, message: Proto, row: GatewayRecord) -> None:
        seen = self._town.fleet.last_seen_ns(row)
        if seen is not None:
            set_time(message.last_seen_at, seen)

    def _read(self, message: Proto) -> GatewayRecord:
        at = message.location
        return record_of(GatewayRecord, message, gateway_id=eui(message.gateway_id), tenant_id=uuid_text(message.tenant_id),
                         latitude=at.latitude, longitude=at.longitude, altitude=at.altitude,
                         stats_interval=message.stats_interval, downlink_priority=message.downlink_priority or 10)


class MulticastGroups:
    """MulticastGroupService, for class C."""

    def __init__(self, town: ChirpStack) -> None:
        self._town, self._registry, self._owners = town, town.registry, Owners(town.registry)

    def create(self, caller: Caller, request: Proto) -> Proto:
        message = part(request, "multicast_group")
        application = uuid_text(message.application_id)
        caller.may(self._owners.of_application(application), write=True)
        row = self._read(message, self._registry.new_id(), application)
        return api.CreateMulticastGroupResponse(id=self._registry.add_group(row).id)

    def get(self, caller: Caller, request: Proto) -> Proto:
        row, answer = self._group(caller, request.id, write=False), api.GetMulticastGroupResponse()
        fill(answer.multicast_group, row)
        return stamped(answer, row)

    def update(self, caller: Caller, request: Proto) -> Proto:
        message = part(request, "multicast_group")
        was = self._group(caller, message.id, write=True)
        row = self._read(message, was.id, was.application_id)
        row.devices, row.gateways = was.devices, was.gateways
        self._registry.update(self._registry.groups, row.id, row)
        return Empty()

    def delete(self, caller: Caller, request: Proto) -> Proto:
        row = self._group(caller, request.id, write=True)
        self._town.multicast.flush(row.id)
        self._registry.groups.pop(row.id)
        return Empty()

    def list(self, caller: Caller, request: Proto) -> Proto:
        application = uuid_text(request.application_id) if request.application_id else ""
        tenant = uuid_text(request.tenant_id) if request.tenant_id else ""
        caller.may(self._owners.of_application(application) if application else tenant or None, write=False)
        device = eui(request.dev_eui) if request.dev_eui else ""
        rows = (row for row in self._registry.groups
                if application in ("", row.application_id) and (not device or device in row.devices)
                and tenant in ("", self._owners.of_group(row.id)) and matches(request.search, row.name))
        return page(request, api.ListMulticastGroupsResponse(), rows, lambda row: row.name, self._item)

    def add_device(self, caller: Caller, request: Proto) -> Proto:
        self._registry.add_member(self._group(caller, request.multicast_group_id, write=True), eui(request.dev_eui))
        return Empty()

    def remove_device(self, caller: Caller, request: Proto) -> Proto:
        _leave(self._group(caller, request.multicast_group_id, write=True).devices, eui(request.dev_eui))
        return Empty()

    def add_gateway(self, caller: Caller, request: Proto) -> Proto:
        self._registry.add_transmitter(self._group(caller, request.multicast_group_id, write=True), eui(request.gateway_id))
        return Empty()

    def remove_gateway(self, caller: Caller, request: Proto) -> Proto:
        _leave(self._group(caller, request.multicast_group_id, write=True).gateways, eui(request.gateway_id))
        return Empty()

    def enqueue(self, caller: Caller, request: Proto) -> Proto:
        said = part(request, "queue_item")
        key = uuid_text(said.multicast_group_id)
        caller.may(self._owners.of_group(key), write=True)
        group = self._registry.groups.referred(key)
        if not 0 < said.f_port < 256:
            raise Invalid("Validation error: {what}", field="f_port", rule=HEX, what="FPort must be between 1 - 255")
        f_cnt = self._town.multicast.enqueue(group, said.f_port, said.data, time_of(said, "expires_at"))
        return api.EnqueueMulticastGroupQueueItemResponse(f_cnt=f_cnt)

    def flush_queue(self, caller: Caller, request: Proto) -> Proto:
        self._town.multicast.flush(self._group(caller, request.multicast_group_id, write=True).id)
        return Empty()

    def list_queue(self, caller: Caller, request: Proto) -> Proto:
        group, answer = self._group(caller, request.multicast_group_id, write=False), api.ListMulticastGroupQueueResponse()
        for item in self._town.multicast.waiting(group.id):
            said = answer.items.add(multicast_group_id=group.id, f_cnt=item.f_cnt, f_port=item.f_port, data=item.data)
            if item.expires_ns is not None:
                set_time(said.expires_at, item.expires_ns)
        return answer

    def _group(self, caller: Caller, text: str, *, write: bool) -> Group:
        key = uuid_text(text)
        caller.may(self._owners.of_group(key), write=write)
        return self._registry.groups.get(key)

    def _read(self, message: Proto, key: str, application: str) -> Group:
        if message.group_type == CLASS_B:
            raise Unsupported("The simulated server has no class B.")
        return record_of(Group, message, id=key, application_id=application, mc_addr=dev_addr(message.mc_addr),
                         mc_nwk_s_key=key_text(message.mc_nwk_s_key), mc_app_s_key=key_text(message.mc_app_s_key))

    def _item(self, item: Proto, row: Group) -> None:
        stamped(fill(item, row), row)
        item.application_name = self._registry.applications.get(row.application_id).name


class Fuota:
    """FuotaService as far as ordering goes: deployments with their devices and gateways. A started one shows its first
    job, which fails with a sentence that says why: the simulated server sends no fragments."""

    def __init__(self, town: ChirpStack) -> None:
        self._town, self._registry, self._owners = town, town.registry, Owners(town.registry)

    def create_deployment(self, caller: Caller, request: Proto) -> Proto:
        message = part(request, "deployment")
        application = uuid_text(message.application_id)
        caller.may(self._owners.of_application(application), write=True)
        row = record_of(Deployment, message, id=self._registry.new_id(), application_id=application,
                        device_profile_id=uuid_text(message.device_profile_id))
        return api.CreateFuotaDeploymentResponse(id=self._registry.add_deployment(row).id)

    def get_deployment(self, caller: Caller, request: Proto) -> Proto:
        row, answer = self._row(caller, request.id, write=False), api.GetFuotaDeploymentResponse()
        fill(answer.deployment, row)
        if row.started_ns:
            set_time(answer.started_at, row.started_ns)
        return stamped(answer, row)

    def update_deployment(self, caller: Caller, request: Proto) -> Proto:
        message = part(request, "deployment")
        was = self._open(caller, message.id)
        row = record_of(Deployment, message, id=was.id, application_id=was.application_id,
                        device_profile_id=was.device_profile_id, devices=was.devices, gateways=was.gateways)
        self._registry.update(self._registry.deployments, row.id, row)
        return Empty()

    def delete_deployment(self, caller: Caller, request: Proto) -> Proto:
        self._registry.deployments.pop(self._row(caller, request.id, write=True).id)
        return Empty()

    def start_deployment(self, caller: Caller, request: Proto) -> Proto:
        self._open(caller, request.id).started_ns = self._town.now_ns
        return Empty()

    def list_deployments(self, caller: Caller, request: Proto) -> Proto:
        key = uuid_text(request.application_id)
        caller.may(self._owners.of_application(key), write=False)
        rows = (row for row in self._registry.deployments if row.application_id == key)
        return page(request, api.ListFuotaDeploymentsResponse(), rows, lambda row: row.name, self._item)

    def add_devices(self, caller: Caller, request: Proto) -> Proto:
        row = self._open(caller, request.fuota_deployment_id)
        found = [self._registry.devices.get(eui(text)) for text in request.dev_euis]
        if any(one.device_profile_id != row.device_profile_id for one in found):
            raise Invalid("Validation error: {what}", field="dev_euis", rule="profile",
                          what="All devices must have the same device-profile as the FUOTA deployment")
        row.devices.update({one.dev_eui: self._town.now_ns for one in found})
        return Empty()

    def remove_devices(self, caller: Caller, request: Proto) -> Proto:
        row = self._open(caller, request.fuota_deployment_id)
        for text in request.dev_euis:
            row.devices.pop(eui(text), None)
        return Empty()

    def list_devices(self, caller: Caller, request: Proto) -> Proto:
        row = self._row(caller, request.fuota_deployment_id, write=False)
        answer = api.ListFuotaDeploymentDevicesResponse(total_count=len(row.devices))
        for dev_eui in sorted(row.devices)[request.offset:request.offset + request.limit] if request.limit else ():
            item = answer.result.add(fuota_deployment_id=row.id, dev_eui=dev_eui)
            set_time(item.created_at, row.devices[dev_eui])
        return answer

    def add_gateways(self, caller: Caller, request: Proto) -> Proto:
        row = self._open(caller, request.fuota_deployment_id)
        tenant, found = self._registry.tenant_of(row.application_id), [eui(text) for text in request.gateway_ids]
        if any(self._registry.gateways.get(one).tenant_id != tenant.id for one in found):
            raise Invalid("Validation error: {what}", field="gateway_ids", rule="tenant",
                          what="All gateways must be under the same tenant as the FUOTA deployment")
        row.gateways.update(dict.fromkeys(found, self._town.now_ns))
        return Empty()

    def remove_gateways(self, caller: Caller, request: Proto) -> Proto:
        row = self._open(caller, request.fuota_deployment_id)
        for text in request.gateway_ids:
            row.gateways.pop(eui(text), None)
        return Empty()

    def list_gateways(self, caller: Caller, request: Proto) -> Proto:
        row = self._row(caller, request.fuota_deployment_id, write=False)
        answer = api.ListFuotaDeploymentGatewaysResponse(total_count=len(row.gateways))
        for gateway in sorted(row.gateways)[request.offset:request.offset + request.limit] if request.limit else ():
            item = answer.result.add(fuota_deployment_id=row.id, gateway_id=gateway)
            set_time(item.created_at, row.gateways[gateway])
        return answer

    def list_jobs(self, caller: Caller, request: Proto) -> Proto:
        row, answer = self._row(caller, request.fuota_deployment_id, write=False), api.ListFuotaDeploymentJobsResponse()
        if row.started_ns:
            job = answer.jobs.add(job=FIRST_JOB, max_retry_count=0, attempt_count=1,
                                  error_msg="the simulated server sends no fragments")
            set_time(job.created_at, row.started_ns)
            set_time(job.scheduler_run_after, row.started_ns + NS)
        return answer

    def _row(self, caller: Caller, text: str, *, write: bool) -> Deployment:
        key = uuid_text(text)
        caller.may(self._owners.of_deployment(key), write=write)
        return self._registry.deployments.get(key)

    def _open(self, caller: Caller, text: str) -> Deployment:
        row = self._row(caller, text, write=True)
        if row.started_ns:
            raise Conflict("FUOTA deployment has already started", field="deployment", rule=STARTED)
        return row

    def _item(self, item: Proto, row: Deployment) -> None:
        stamped(fill(item, row), row)
        item.application_name = self._registry.applications.get(row.application_id).name
        if row.started_ns:
            set_time(item.started_at, row.started_ns)


def _place(field: Proto, row: GatewayRecord) -> None:
    field.latitude, field.longitude, field.altitude = row.latitude, row.longitude, row.altitude
    field.source = common.LocationSource.UNKNOWN


def _leave(members: dict[str, int], key: str) -> None:
    if members.pop(key, None) is None:
        raise NotFound("Object does not exist (id: {id})", id=key)
