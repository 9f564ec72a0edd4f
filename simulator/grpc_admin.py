"""The imitated API's services for tenants, applications, device profiles, and the server itself."""

from chirpstack_api import api, common
from google.protobuf.empty_pb2 import Empty

from city.errors import Invalid
from simulator.chirpstack import ChirpStack
from simulator.events import REGION
from simulator.fleet import NEVER_SEEN, ONLINE
from simulator.grpc_access import Caller, Gatekeeper, Owners
from simulator.grpc_convert import Proto, fill, matches, page, part, record_of, set_time, stamped, uuid_text
from simulator.provisioned import ApiKey, Application, Profile, Tenant

VERSION = "4.20.0"


class Tenants:
    """TenantService, without its users: the simulator has one user only."""

    def __init__(self, town: ChirpStack) -> None:
        self._registry = town.registry

    def create(self, caller: Caller, request: Proto) -> Proto:
        message = part(request, "tenant")
        caller.must_be_admin(write=True)
        row = self._registry.add_tenant(record_of(Tenant, message, id=self._registry.new_id()))
        return api.CreateTenantResponse(id=row.id)

    def get(self, caller: Caller, request: Proto) -> Proto:
        key = uuid_text(request.id)
        caller.may(key, write=False)
        row, answer = self._registry.tenants.get(key), api.GetTenantResponse()
        fill(answer.tenant, row)
        return stamped(answer, row)

    def update(self, caller: Caller, request: Proto) -> Proto:
        message = part(request, "tenant")
        caller.must_be_admin(write=True)
        key = uuid_text(message.id)
        self._registry.update(self._registry.tenants, key, record_of(Tenant, message, id=key))
        return Empty()

    def delete(self, caller: Caller, request: Proto) -> Proto:
        caller.must_be_admin(write=True)
        self._registry.delete_tenant(uuid_text(request.id))
        return Empty()

    def list(self, caller: Caller, request: Proto) -> Proto:
        caller.must_be_admin(write=False)
        rows = (row for row in self._registry.tenants if matches(request.search, row.name))
        return page(request, api.ListTenantsResponse(), rows, lambda row: row.name,
                    lambda item, row: stamped(fill(item, row), row))


class Applications:
    """ApplicationService, without its integrations: MQTT is the one that there is."""

    def __init__(self, town: ChirpStack) -> None:
        self._registry, self._owners = town.registry, Owners(town.registry)

    def create(self, caller: Caller, request: Proto) -> Proto:
        message = part(request, "application")
        tenant = uuid_text(message.tenant_id)
        caller.may(tenant, write=True)
        row = record_of(Application, message, id=self._registry.new_id(), tenant_id=tenant)
        return api.CreateApplicationResponse(id=self._registry.add_application(row).id)

    def get(self, caller: Caller, request: Proto) -> Proto:
        key = uuid_text(request.id)
        caller.may(self._owners.of_application(key), write=False)
        row, answer = self._registry.applications.get(key), api.GetApplicationResponse()
        fill(answer.application, row)
        return stamped(answer, row)

    def update(self, caller: Caller, request: Proto) -> Proto:
        message = part(request, "application")
        key = uuid_text(message.id)
        caller.may(self._owners.of_application(key), write=True)
        was = self._registry.applications.get(key)
        self._registry.update(self._registry.applications, key,
                              record_of(Application, message, id=key, tenant_id=was.tenant_id))
        return Empty()

    def delete(self, caller: Caller, request: Proto) -> Proto:
        key = uuid_text(request.id)
        caller.may(self._owners.of_application(key), write=True)
        self._registry.delete_application(key)
        return Empty()

    def list(self, caller: Caller, request: Proto) -> Proto:
        tenant = uuid_text(request.tenant_id)
        caller.may(tenant, write=False)
        rows = (row for row in self._registry.applications
                if row.tenant_id == tenant and matches(request.search, row.name))
        return page(request, api.ListApplicationsResponse(), rows, lambda row: row.name,
                    lambda item, row: stamped(fill(item, row), row))

    def list_device_profiles(self, caller: Caller, request: Proto) -> Proto:
        key, answer = uuid_text(request.application_id), api.ListApplicationDeviceProfilesResponse()
        caller.may(self._owners.of_application(key), write=False)
        used = {row.device_profile_id for row in self._registry.devices if row.application_id == key}
        for row in sorted((self._registry.profiles.get(one) for one in used), key=lambda one: one.name):
            answer.result.add(id=row.id, name=row.name)
        return answer

    def list_device_tags(self, caller: Caller, request: Proto) -> Proto:
        key, answer = uuid_text(request.application_id), api.ListApplicationDeviceTagsResponse()
        caller.may(self._owners.of_application(key), write=False)
        said: dict[str, set[str]] = {}
        for row in self._registry.devices:
            for name, value in row.tags.items() if row.application_id == key else ():
                said.setdefault(name, set()).add(value)
        for name in sorted(said):
            answer.result.add(key=name, values=sorted(said[name]))
        return answer


class DeviceProfiles:
    """DeviceProfileService, without the library of vendors' devices."""

    def __init__(self, town: ChirpStack) -> None:
        self._registry, self._owners = town.registry, Owners(town.registry)

    def create(self, caller: Caller, request: Proto) -> Proto:
        message = part(request, "device_profile")
        tenant = uuid_text(message.tenant_id) if message.tenant_id else ""
        caller.may(tenant or None, write=True)
        row = self._registry.add_profile(self._read(message, self._registry.new_id(), tenant))
        return api.CreateDeviceProfileResponse(id=row.id)

    def get(self, caller: Caller, request: Proto) -> Proto:
        key = uuid_text(request.id)
        self._may_read(caller, self._owners.of_profile(key))
        row, answer = self._registry.profiles.get(key), api.GetDeviceProfileResponse()
        fill(answer.device_profile, row)
        return stamped(answer, row)

    def update(self, caller: Caller, request: Proto) -> Proto:
        message = part(request, "device_profile")
        key = uuid_text(message.id)
        caller.may(self._owners.of_profile(key) or None, write=True)
        was = self._registry.profiles.get(key)
        self._registry.update(self._registry.profiles, key, self._read(message, key, was.tenant_id))
        return Empty()

    def delete(self, caller: Caller, request: Proto) -> Proto:
        key = uuid_text(request.id)
        caller.may(self._owners.of_profile(key) or None, write=True)
        self._registry.delete_profile(key)
        return Empty()

    def list(self, caller: Caller, request: Proto) -> Proto:
        tenant = uuid_text(request.tenant_id) if request.tenant_id else ""
        self._may_read(caller, tenant)
        wanted = {""} if request.global_only else {tenant} if request.tenant_only else {"", tenant}
        rows = (row for row in self._registry.profiles if row.tenant_id in wanted and matches(request.search, row.name))
        return page(request, api.ListDeviceProfilesResponse(), rows, lambda row: row.name,
                    lambda item, row: stamped(fill(item, row), row))

    def list_adr_algorithms(self, caller: Caller, request: Proto) -> Proto:  # noqa: ARG002 - nothing is asked
        caller.may(caller.tenant_id, write=False)
        answer = api.ListDeviceProfileAdrAlgorithmsResponse(total_count=1)
        answer.result.add(id="default", name="Default ADR algorithm (LoRa only)")
        return answer

    def _may_read(self, caller: Caller, tenant: str | None) -> None:
        caller.may(caller.tenant_id if tenant == "" else tenant, write=False)

    def _read(self, message: Proto, key: str, tenant: str) -> Profile:
        if message.rx1_delay > 15:
            raise Invalid("Validation error: {what}", field="rx1_delay", rule="0…15", what="RX1 Delay must be between 0 - 15")
        return record_of(Profile, message, id=key, tenant_id=tenant)


class Internal:
    """InternalService as far as programs use it: signing in, API keys, version, regions, summaries."""

    def __init__(self, town: ChirpStack, gatekeeper: Gatekeeper) -> None:
        self._town, self._registry, self._gatekeeper = town, town.registry, gatekeeper

    def login(self, caller: Caller, request: Proto) -> Proto:  # noqa: ARG002 - whoever it is
        return api.LoginResponse(jwt=self._gatekeeper.sign_in(request.email, request.password))

    def create_api_key(self, caller: Caller, request: Proto) -> Proto:
        message = part(request, "api_key")
        tenant = uuid_text(message.tenant_id) if message.tenant_id else ""
        if message.is_admin == bool(tenant):
            raise Invalid("Either is_admin or tenant_id must be set.", field="api_key", rule="one of two")
        caller.must_be_user()
        row = self._registry.add_api_key(record_of(ApiKey, message, id=self._registry.new_id(), tenant_id=tenant))
        return api.CreateApiKeyResponse(id=row.id, token=self._gatekeeper.token_of(row.id))

    def delete_api_key(self, caller: Caller, request: Proto) -> Proto:
        caller.must_be_user()
        self._registry.api_keys.pop(uuid_text(request.id))
        return Empty()

    def list_api_keys(self, caller: Caller, request: Proto) -> Proto:
        if request.is_admin == bool(request.tenant_id):
            raise Invalid("Either is_admin or tenant_id must be set.", field="is_admin", rule="one of two")
        caller.must_be_user()
        rows = (row for row in self._registry.api_keys
                if row.is_admin == request.is_admin and request.tenant_id in ("", row.tenant_id))
        return page(request, api.ListApiKeysResponse(), rows, lambda row: row.name, fill)

    def get_version(self, caller: Caller, request: Proto) -> Proto:  # noqa: ARG002 - nothing is asked
        caller.must_be_user()
        return api.GetVersionResponse(version=VERSION)

    def list_regions(self, caller: Caller, request: Proto) -> Proto:  # noqa: ARG002 - nothing is asked
        caller.must_be_user()
        answer = api.ListRegionsResponse()
        answer.regions.add(id=REGION, region=common.Region.EU868, description="EU868")
        return answer

    def get_devices_summary(self, caller: Caller, request: Proto) -> Proto:
        own = self._own(caller, request)
        answer, now = api.GetDevicesSummaryResponse(), self._town.now_ns
        for row in self._registry.devices:
            if own is not None and self._registry.applications.get(row.application_id).tenant_id != own:
                continue
            station, profile = self._town.station(row.dev_eui), self._registry.profiles.get(row.device_profile_id)
            if not station.last_seen_ns:
                answer.never_seen_count += 1
            elif now - station.last_seen_ns > 1.5 * profile.uplink_interval * 1e9:
                answer.inactive_count += 1
            else:
                answer.active_count += 1
            if station.gateway is not None:
                answer.dr_count[station.link.dr] += 1
        return answer

    def get_gateways_summary(self, caller: Caller, request: Proto) -> Proto:
        own, answer = self._own(caller, request), api.GetGatewaysSummaryResponse()
        for row in self._registry.gateways:
            if own is None or row.tenant_id == own:
                state = self._town.fleet.state(row)
                name = {NEVER_SEEN: "never_seen_count", ONLINE: "online_count"}.get(state, "offline_count")
                setattr(answer, name, getattr(answer, name) + 1)
        return answer

    def _own(self, caller: Caller, request: Proto) -> str | None:
        """The tenant asked for; None is all, which only an administrator may ask."""
        if not request.tenant_id:
            caller.must_be_user()
            return None
        tenant = uuid_text(request.tenant_id)
        caller.may(tenant, write=False)
        return tenant


def last_seen(field: Proto, ns: int | None) -> None:
    """Set a `last_seen_at`; left unset where nothing was seen."""
    if ns:
        set_time(field, ns)


