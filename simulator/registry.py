"""What a network server has been told: tenants, applications, profiles, devices, gateways, groups. No I/O.

Rules are ChirpStack's (`chirpstack/src/storage/*.rs`): names of 1 to 100 characters, limits of a tenant, a group's devices
in its application and its gateways under its tenant, and what goes with what when it is deleted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from city.errors import Conflict, Invalid, NotFound, TooLarge
from simulator.inventory import Inventory
from simulator.provisioned import (
    NO_TAGS,
    ApiKey,
    Application,
    Deployment,
    GatewayRecord,
    Group,
    Profile,
    Record,
    Registered,
    RootKeys,
    Tenant,
)
from simulator.secrets_of import keys as derived_keys

NAME_MOST = 100  # characters
MOST = 200_000  # of one kind
DEPLOYMENTS_MOST = 100  # each of up to 4 MB
FEW = 10_000  # tenants, applications, profiles, groups, keys
SCRIPT_MOST = 256 << 10
TEXT_MOST = 16_384  # characters of a description
TAGS_MOST, TAG_MOST = 64, 1024  # of one thing; characters
UNIQUE, FOREIGN = "unique", "foreign key"  # the rules of its database that ChirpStack leaves it to

R = TypeVar("R", bound=Record)


class Table(Generic[R]):
    """Records of one kind by id, `most` at most."""

    __slots__ = ("_most", "_rows", "rows")

    def __init__(self, most: int = MOST) -> None:
        self._rows: dict[str, R] = {}
        self.rows: Mapping[str, R] = MappingProxyType(self._rows)  # by id, as they are at any time
        self._most = most

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def find(self, key: str) -> R | None:
        """The record, or None."""
        return self._rows.get(key)

    def get(self, key: str) -> R:
        """The record. Raises NotFound."""
        row = self._rows.get(key)
        if row is None:
            raise NotFound("Object does not exist (id: {id})", id=key)
        return row

    def referred(self, key: str) -> R:
        """The record that another one names. Raises NotFound with the rule FOREIGN."""
        row = self._rows.get(key)
        if row is None:
            raise NotFound("Object does not exist (id: {id})", rule=FOREIGN, id=key)
        return row

    def add(self, key: str, row: R) -> R:
        """Raises Conflict where the id is taken, TooLarge beyond what may be kept."""
        if key in self._rows:
            raise taken(key)
        if len(self._rows) >= self._most:
            raise TooLarge("This simulated server keeps at most {most} objects of a kind.", most=self._most)
        self._rows[key] = row
        return row

    def put(self, key: str, row: R) -> R:
        """In the place of the record with this id. Raises NotFound."""
        self.get(key)
        self._rows[key] = row
        return row

    def pop(self, key: str) -> R:
        """Raises NotFound."""
        row = self.get(key)
        del self._rows[key]
        return row


class Registry:
    """`now_ns` tells the time, `new_id` makes UUIDs; `changed` is called with the DevEUI of each device that something
    was changed about, `forgotten` with that of each deleted one."""

    def __init__(self, now_ns: Callable[[], int], new_id: Callable[[], str], *,
                 changed: Callable[[str], None], forgotten: Callable[[str], None]) -> None:
        self.now_ns, self.new_id, self._changed, self._forgotten = now_ns, new_id, changed, forgotten
        self.tenants: Table[Tenant] = Table(FEW)
        self.applications: Table[Application] = Table(FEW)
        self.profiles: Table[Profile] = Table(FEW)
        self.devices: Table[Registered] = Table()
        self.gateways: Table[GatewayRecord] = Table(FEW)
        self.groups: Table[Group] = Table(FEW)
        self.deployments: Table[Deployment] = Table(DEPLOYMENTS_MOST)
        self.api_keys: Table[ApiKey] = Table(FEW)

    def fill(self, known: Inventory) -> None:
        """Take a whole town in, before anything else happens."""
        _take(self.tenants, self.now_ns(), [(known.tenant.id, known.tenant)])
        _take(self.applications, self.now_ns(), [(one.id, one) for one in known.applications])
        _take(self.profiles, self.now_ns(), [(one.id, one) for one in known.profiles])
        _take(self.gateways, self.now_ns(), [(one.gateway_id, one) for one in known.gateways])
        _take(self.devices, self.now_ns(), [(one.dev_eui, one) for one in known.devices])
        _take(self.groups, self.now_ns(), [(one.id, one) for one in known.groups])

    # -- create

    def add_tenant(self, tenant: Tenant) -> Tenant:
        """Raises Invalid."""
        return self.tenants.add(tenant.id, self._dated(tenant))

    def add_application(self, application: Application) -> Application:
        """Raises Invalid, and NotFound for its tenant."""
        self.tenants.referred(application.tenant_id)
        return self.applications.add(application.id, self._dated(application))

    def add_profile(self, profile: Profile) -> Profile:
        """Raises Invalid, and NotFound for its tenant."""
        if profile.tenant_id:
            self.tenants.referred(profile.tenant_id)
        return self.profiles.add(profile.id, self._dated(profile))

    def add_device(self, device: Registered) -> Registered:
        """Raises Conflict, Invalid, and NotFound for application and profile. ChirpStack asks for no name here, and takes a
        profile of another tenant."""
        tenant = self.tenants.get(self.applications.referred(device.application_id).tenant_id)
        self.profiles.referred(device.device_profile_id)
        if tenant.max_device_count and self._devices_of(tenant) >= tenant.max_device_count:
            raise Invalid("Not allowed ({what})", field="device", rule="max_device_count",
                          what="Max number of devices exceeded for tenant")
        device.created_ns = device.updated_ns = self.now_ns()
        self.devices.add(device.dev_eui, _bounded(device))
        self._changed(device.dev_eui)
        return device

    def add_gateway(self, gateway: GatewayRecord) -> GatewayRecord:
        """Raises Conflict, Invalid, and NotFound for its tenant."""
        tenant = self.tenants.get(gateway.tenant_id)
        if not tenant.can_have_gateways:
            raise Invalid("Not allowed ({what})", field="gateway", rule="can_have_gateways",
                          what="Tenant can not have gateways")
        owned = sum(one.tenant_id == tenant.id for one in self.gateways)
        if tenant.max_gateway_count and owned >= tenant.max_gateway_count:
            raise Invalid("Not allowed ({what})", field="gateway", rule="max_gateway_count",
                          what="Max number of gateways exceeded for tenant")
        return self.gateways.add(gateway.gateway_id, self._dated(gateway))

    def add_group(self, group: Group) -> Group:
        """Raises Invalid, and NotFound for its application."""
        self.applications.referred(group.application_id)
        return self.groups.add(group.id, self._dated(group))

    def add_deployment(self, deployment: Deployment) -> Deployment:
        """Raises Invalid, and NotFound for application and profile."""
        tenant = self.tenant_of(deployment.application_id)
        if self.profiles.get(deployment.device_profile_id).tenant_id not in ("", tenant.id):
            raise _invalid("The application and device-profile must be under the same tenant")
        return self.deployments.add(deployment.id, self._dated(deployment))

    def add_api_key(self, key: ApiKey) -> ApiKey:
        """Raises Invalid, and NotFound for its tenant."""
        if key.tenant_id:
            self.tenants.referred(key.tenant_id)
        return self.api_keys.add(key.id, self._dated(key))

    # -- change

    def update_device(self, device: Registered) -> None:
        """Raises Invalid and NotFound; keys stay."""
        was = self.devices.get(device.dev_eui)
        if self.tenant_of(device.application_id) is not self.tenant_of(was.application_id):
            raise Invalid("Not allowed ({what})", field="device", rule="tenant",
                          what="Application must be under the same tenant")
        self.profiles.referred(device.device_profile_id)
        device.keys, device.key_seed, device.created_ns = was.keys, was.key_seed, was.created_ns
        device.next_nonce = was.next_nonce
        self.devices.put(device.dev_eui, self._redated(device))
        self._changed(device.dev_eui)

    def update(self, table: Table[R], key: str, row: R) -> None:
        """Raises Invalid and NotFound; what hangs on it hears of it."""
        row.created_ns = table.get(key).created_ns
        table.put(key, self._redated(row))
        for device in list(self.devices):
            if key in (device.application_id, device.device_profile_id):
                self._changed(device.dev_eui)

    def set_keys(self, dev_eui: str, keys: RootKeys | None) -> None:
        """Give a device keys, or take them away. Raises NotFound."""
        device = self.devices.get(dev_eui)
        device.keys, device.key_seed = keys, None

    def keys_of(self, device: Registered) -> RootKeys | None:
        """A device's keys; those that follow from a seed are made when they are asked for."""
        if device.keys is None and device.key_seed is not None:
            known = derived_keys(device.key_seed, device.dev_eui)
            device.keys = RootKeys(known.app_key, gen_app_key=known.gen_app_key, created_ns=device.created_ns,
                                   updated_ns=device.created_ns)
        return device.keys

    def add_member(self, group: Group, dev_eui: str) -> None:
        """Raises NotFound where the device is not in the group's application, Conflict where it is in the group."""
        if self.devices.get(dev_eui).application_id != group.application_id:
            raise NotFound("Object does not exist (id: {id})", id=dev_eui)
        _join(group.devices, dev_eui, self.now_ns())

    def add_transmitter(self, group: Group, gateway_id: str) -> None:
        """Raises NotFound where the gateway is not the tenant's, Conflict where it is in the group."""
        if self.gateways.get(gateway_id).tenant_id != self.applications.get(group.application_id).tenant_id:
            raise NotFound("Object does not exist (id: {id})", id=gateway_id)
        _join(group.gateways, gateway_id, self.now_ns())

    # -- delete

    def delete_tenant(self, key: str) -> None:
        """With all that is its. Raises NotFound."""
        self.tenants.pop(key)
        for application in [one.id for one in self.applications if one.tenant_id == key]:
            self.delete_application(application)
        for profile in [one.id for one in self.profiles if one.tenant_id == key]:
            self.delete_profile(profile)
        for gateway in [one.gateway_id for one in self.gateways if one.tenant_id == key]:
            self.delete_gateway(gateway)
        for api_key in [one.id for one in self.api_keys if one.tenant_id == key]:
            self.api_keys.pop(api_key)

    def delete_application(self, key: str) -> None:
        """With its devices, groups and deployments. Raises NotFound."""
        self.applications.pop(key)
        self._delete_devices(one.dev_eui for one in self.devices if one.application_id == key)
        for group in [one.id for one in self.groups if one.application_id == key]:
            self.groups.pop(group)
        for deployment in [one.id for one in self.deployments if one.application_id == key]:
            self.deployments.pop(deployment)

    def delete_profile(self, key: str) -> None:
        """With its devices. Raises NotFound."""
        self.profiles.pop(key)
        self._delete_devices(one.dev_eui for one in self.devices if one.device_profile_id == key)

    def delete_gateway(self, key: str) -> None:
        """Raises NotFound."""
        self.gateways.pop(key)
        for members in (*self.groups, *self.deployments):
            members.gateways.pop(key, None)

    def delete_device(self, key: str) -> None:
        """Raises NotFound."""
        self.devices.pop(key)
        for members in (*self.groups, *self.deployments):
            members.devices.pop(key, None)
        self._forgotten(key)

    def _delete_devices(self, found: Iterable[str]) -> None:
        for dev_eui in list(found):
            self.delete_device(dev_eui)

    # -- relations

    def tenant_of(self, application_id: str) -> Tenant:
        """The tenant of an application. Raises NotFound."""
        return self.tenants.get(self.applications.get(application_id).tenant_id)

    def tags_of(self, device: Registered, *, application: bool = True) -> dict[str, str]:
        """An event's tags: the application's (but in `txack`), the profile's, the device's; the later win."""
        own = {**self.profiles.get(device.device_profile_id).tags, **device.tags}
        return {**self.applications.get(device.application_id).tags, **own} if application else own

    def _devices_of(self, tenant: Tenant) -> int:
        own = {one.id for one in self.applications if one.tenant_id == tenant.id}
        return sum(one.application_id in own for one in self.devices)

    def _dated(self, row: R) -> R:
        row.created_ns = self.now_ns()
        return self._redated(row)

    def _redated(self, row: R) -> R:
        if not row.name:
            raise _invalid("name is not set")
        row.updated_ns = self.now_ns()
        return _bounded(row)


def taken(key: str) -> Conflict:
    """There is such a thing already."""
    return Conflict("Object already exists (id: {id})", rule=UNIQUE, id=key)


def _take(table: Table[R], now_ns: int, rows: Iterable[tuple[str, R]]) -> None:
    for key, row in rows:
        row.created_ns = row.updated_ns = now_ns
        table.add(key, row)


def _bounded(row: R) -> R:
    """The record. Raises Invalid where its texts are too long or too many."""
    if len(row.name) > NAME_MOST:
        raise _invalid(f"name is longer than {NAME_MOST} characters")
    if len(getattr(row, "description", "")) > TEXT_MOST:
        raise _invalid(f"description is longer than {TEXT_MOST} characters")
    if len(getattr(row, "payload_codec_script", "")) > SCRIPT_MOST:
        raise _invalid(f"payload_codec_script is longer than {SCRIPT_MOST} characters")
    for pairs in (getattr(row, "tags", NO_TAGS), getattr(row, "variables", NO_TAGS)):
        if len(pairs) > TAGS_MOST or any(len(name) + len(value) > TAG_MOST for name, value in pairs.items()):
            raise _invalid(f"more than {TAGS_MOST} tags or variables, or one longer than {TAG_MOST} characters")
    return row


def _join(members: dict[str, int], key: str, now_ns: int) -> None:
    if key in members:
        raise taken(key)
    members[key] = now_ns


def _invalid(what: str) -> Invalid:
    return Invalid("Validation error: {what}", field="name", rule="ChirpStack", what=what)
