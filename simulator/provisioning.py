"""A town told to any ChirpStack over gRPC, so often as one likes: what is there already is compared, and put right.

Nothing is deleted but a town's own device from the group of another zone. What an operator has added (tags, descriptions,
other devices) stays.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
from chirpstack_api import api

from city.errors import CityError, Conflict, Forbidden, Invalid, NetworkServerDown, SignInNeeded
from city.settings import Secret
from simulator.inventory import Inventory
from simulator.provisioned import GatewayRecord, Group, Profile, Record, Registered
from simulator.secrets_of import keys

CALL_S = 20.0  # until a call is given up
LOCKED = "database is locked"  # what a ChirpStack on SQLite says while it writes for another call
PATIENCE_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)  # between tries then
PAGE = 500  # rows of a list in one answer, well below gRPC's 4 MB
Code = grpc.StatusCode
Step = Callable[[str, int], None]
"""Called with a kind and how many of its things have been seen to."""
T = TypeVar("T")
_NOT_OURS = ("id", "tenant_id", "application_id", "device_profile_id", "f_cnt")  # ids are the server's, the counter lives


@dataclass(slots=True)
class Report:
    """How many of each kind were created, changed, or were right already, and under which ids the town is known."""

    created: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    tenant_id: str = ""
    applications: dict[str, str] = field(default_factory=dict)  # name → id


class Provisioner:
    """One server. `parallel` calls are under way at a time at most."""

    def __init__(self, channel: grpc.aio.Channel, token: Secret, *, url: str, parallel: int = 16) -> None:
        self._channel, self._url, self._parallel = channel, url, parallel
        self._metadata = (("authorization", f"Bearer {token.reveal()}"),)
        self._stubs: dict[str, Any] = {}
        self._one = asyncio.Semaphore(1)
        self._turn = asyncio.Semaphore(parallel)

    async def provision(self, town: Inventory, seed: int, *, tenant_id: str = "", step: Step) -> Report:
        """Fill the server with a town. With `tenant_id` into that tenant, which a tenant's key needs; else into the tenant
        of the town's name. Raises NetworkServerDown, SignInNeeded, Forbidden, Conflict and Invalid, each a sentence that
        says what to do."""
        report = Report()
        report.tenant_id = tenant_id or await self._tenant(town, report)
        step("tenants", 1)
        applications = {one.id: await self._application(one.name, one, report) for one in town.applications}
        profiles = {one.id: await self._profile(one, report) for one in town.profiles}
        report.applications = {one.name: applications[one.id] for one in town.applications}
        step("applications", len(applications))
        step("profiles", len(profiles))
        await self._gateways(town.gateways, report, step)
        for mine, theirs in applications.items():
            devices = [one for one in town.devices if one.application_id == mine]
            await self._devices(devices, theirs, profiles, seed, report, step)
            await self._groups([one for one in town.groups if one.application_id == mine], theirs,
                               {one.dev_eui for one in devices}, report, step)
        return report

    # -- tenant, applications, profiles: found by name

    async def _tenant(self, town: Inventory, report: Report) -> str:
        found = await self._named("Tenant", api.ListTenantsRequest(search=town.tenant.name), town.tenant.name)
        if found is not None:
            report.right["tenants"] += 1
            return found
        message = _filled(api.Tenant(), town.tenant)
        report.created["tenants"] += 1
        return str((await self._call("Tenant", "Create", api.CreateTenantRequest(tenant=message), "tenant")).id)

    async def _application(self, name: str, wanted: Record, report: Report) -> str:
        found = await self._named("Application", api.ListApplicationsRequest(tenant_id=report.tenant_id, search=name), name)
        if found is not None:
            report.right["applications"] += 1
            return found
        message = _filled(api.Application(), wanted)
        message.tenant_id = report.tenant_id
        report.created["applications"] += 1
        request = api.CreateApplicationRequest(application=message)
        return str((await self._call("Application", "Create", request, name)).id)

    async def _profile(self, wanted: Profile, report: Report) -> str:
        listing = api.ListDeviceProfilesRequest(tenant_id=report.tenant_id, search=wanted.name, tenant_only=True)
        found = await self._named("DeviceProfile", listing, wanted.name)
        if found is None:
            message = _filled(api.DeviceProfile(), wanted)
            message.tenant_id = report.tenant_id
            report.created["profiles"] += 1
            request = api.CreateDeviceProfileRequest(device_profile=message)
            return str((await self._call("DeviceProfile", "Create", request, wanted.name)).id)
        got = (await self._call("DeviceProfile", "Get", api.GetDeviceProfileRequest(id=found), wanted.name)).device_profile
        right = _filled(_copy(got), wanted)
        if right != got:
            await self._call("DeviceProfile", "Update", api.UpdateDeviceProfileRequest(device_profile=right), wanted.name)
        (report.right if right == got else report.changed)["profiles"] += 1
        return found

    async def _named(self, service: str, request: Any, name: str) -> str | None:  # noqa: ANN401 - chirpstack_api has no types
        rows = await self._all(service, request)
        return next((str(row.id) for row in rows if row.name == name), None)

    # -- gateways and devices: found by their EUI

    async def _gateways(self, wanted: Sequence[GatewayRecord], report: Report, step: Step) -> None:
        rows = await self._all("Gateway", api.ListGatewaysRequest(tenant_id=report.tenant_id))
        known = {row.gateway_id for row in rows}

        async def see_to(one: GatewayRecord) -> None:
            if one.gateway_id in known:
                request = api.GetGatewayRequest(gateway_id=one.gateway_id)
                got = (await self._call("Gateway", "Get", request, one.gateway_id)).gateway
                right = _gateway(_copy(got), one)
                if right != got:
                    await self._call("Gateway", "Update", api.UpdateGatewayRequest(gateway=right), one.gateway_id)
                (report.right if right == got else report.changed)["gateways"] += 1
            else:
                message = _gateway(api.Gateway(), one)
                message.tenant_id = report.tenant_id
                await self._call("Gateway", "Create", api.CreateGatewayRequest(gateway=message), one.gateway_id)
                report.created["gateways"] += 1
            step("gateways", 1)

        await self._each(wanted, see_to)

    async def _devices(self, wanted: Sequence[Registered], application: str, profiles: Mapping[str, str], seed: int,
                       report: Report, step: Step) -> None:
        rows = await self._all("Device", api.ListDevicesRequest(application_id=application))
        known = {row.dev_eui: row for row in rows}

        async def see_to(one: Registered) -> None:
            message = _filled(api.Device(), one)
            message.application_id, message.device_profile_id = application, profiles[one.device_profile_id]
            row = known.get(one.dev_eui)
            if row is None:
                await self._call("Device", "Create", api.CreateDeviceRequest(device=message), one.dev_eui)
                await self._new_keys(one, seed)
                report.created["devices"] += 1
            elif await self._put_right(row, message, one, seed):
                report.changed["devices"] += 1
            else:
                report.right["devices"] += 1
            step("devices", 1)

        await self._each(wanted, see_to)

    async def _put_right(self, row: Any, wanted: Any, one: Registered, seed: int) -> bool:  # noqa: ANN401 - no types
        """Whether anything had to be changed about a device that is there."""
        differs = (row.name, row.device_profile_id) != (wanted.name, wanted.device_profile_id) \
            or any(row.tags.get(name) != value for name, value in wanted.tags.items())
        if differs:
            got = (await self._call("Device", "Get", api.GetDeviceRequest(dev_eui=one.dev_eui), one.dev_eui)).device
            got.name, got.device_profile_id = wanted.name, wanted.device_profile_id
            got.tags.update(wanted.tags)
            await self._call("Device", "Update", api.UpdateDeviceRequest(device=got), one.dev_eui)
        return await self._keys_differ(one, seed) or differs

    async def _keys_differ(self, one: Registered, seed: int) -> bool:
        request = api.GetDeviceKeysRequest(dev_eui=one.dev_eui)
        try:
            got = (await self._raw("Device", "GetKeys", request)).device_keys
        except grpc.aio.AioRpcError as error:
            if error.code() != Code.NOT_FOUND:
                raise self._sentence(error, one.dev_eui) from error
            await self._new_keys(one, seed)
            return True
        right = _keys(one.dev_eui, seed)
        if (got.nwk_key, got.gen_app_key) == (right.nwk_key, right.gen_app_key):
            return False
        await self._call("Device", "UpdateKeys", api.UpdateDeviceKeysRequest(device_keys=right), one.dev_eui)
        return True

    async def _new_keys(self, one: Registered, seed: int) -> None:
        request = api.CreateDeviceKeysRequest(device_keys=_keys(one.dev_eui, seed))
        await self._call("Device", "CreateKeys", request, one.dev_eui)

    # -- multicast groups

    async def _groups(self, wanted: Sequence[Group], application: str, own: set[str], report: Report, step: Step) -> None:
        rows = await self._all("MulticastGroup", api.ListMulticastGroupsRequest(application_id=application)) if wanted else []
        known = {row.name: str(row.id) for row in rows}
        for one in wanted:
            ident = known.get(one.name)
            if ident is None:
                message = _filled(api.MulticastGroup(), one)
                message.application_id = application
                request = api.CreateMulticastGroupRequest(multicast_group=message)
                ident = str((await self._call("MulticastGroup", "Create", request, one.name)).id)
                changed, fresh = False, True
            else:
                changed, fresh = await self._group_put_right(ident, one), False
            moved = await self._members(ident, one, application, own)
            (report.created if fresh else report.changed if changed or moved else report.right)["groups"] += 1
            step("groups", 1)

    async def _group_put_right(self, ident: str, one: Group) -> bool:
        got = (await self._call("MulticastGroup", "Get", api.GetMulticastGroupRequest(id=ident), one.name)).multicast_group
        right = _filled(_copy(got), one)
        if right == got:
            return False
        await self._call("MulticastGroup", "Update", api.UpdateMulticastGroupRequest(multicast_group=right), one.name)
        return True

    async def _members(self, ident: str, one: Group, application: str, own: set[str]) -> bool:
        rows = await self._all("Device", api.ListDevicesRequest(application_id=application, multicast_group_id=ident))
        there = {str(row.dev_eui) for row in rows}
        missing, strayed = sorted(set(one.devices) - there), sorted((there & own) - set(one.devices))

        async def add(dev_eui: str) -> None:
            request = api.AddDeviceToMulticastGroupRequest(multicast_group_id=ident, dev_eui=dev_eui)
            await self._call("MulticastGroup", "AddDevice", request, dev_eui)

        async def remove(dev_eui: str) -> None:
            request = api.RemoveDeviceFromMulticastGroupRequest(multicast_group_id=ident, dev_eui=dev_eui)
            await self._call("MulticastGroup", "RemoveDevice", request, dev_eui)

        await self._each(missing, add)
        await self._each(strayed, remove)
        return bool(missing or strayed)

    # -- calls

    async def _all(self, service: str, request: Any) -> list[Any]:  # noqa: ANN401 - chirpstack_api has no types
        """Every row of a list, page by page: without a limit ChirpStack says only how many there are."""
        rows: list[Any] = []
        request.limit = PAGE
        while True:
            request.offset = len(rows)
            answer = await self._call(service, "List", request, service)
            rows += answer.result
            if len(answer.result) < PAGE:
                return rows

    async def _call(self, service: str, method: str, request: Any, about: str) -> Any:  # noqa: ANN401 - no types
        try:
            return await self._raw(service, method, request)
        except grpc.aio.AioRpcError as error:
            raise self._sentence(error, about) from error

    async def _raw(self, service: str, method: str, request: Any) -> Any:  # noqa: ANN401 - chirpstack_api has no types
        stub = self._stubs.get(service)
        if stub is None:
            stub = self._stubs[service] = getattr(api, f"{service}ServiceStub")(self._channel)
        for wait_s in PATIENCE_S:
            try:
                async with self._turn:
                    return await getattr(stub, method)(request, metadata=self._metadata, timeout=CALL_S)
            except grpc.aio.AioRpcError as error:
                if LOCKED not in (error.details() or ""):
                    raise
            self._turn = self._one  # who has one writer is helped by nobody's hurry
            await asyncio.sleep(wait_s)
        async with self._turn:
            return await getattr(stub, method)(request, metadata=self._metadata, timeout=CALL_S)

    def _sentence(self, error: grpc.aio.AioRpcError, about: str) -> CityError:
        """What a person can do about it."""
        code, said = error.code(), (error.details() or str(error.code()))[:300]
        if code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.UNKNOWN, Code.CANCELLED):
            return NetworkServerDown("ChirpStack's API at {url} does not answer: {what}", url=self._url, what=said)
        if code == Code.UNAUTHENTICATED and not error.details():  # ChirpStack says nothing to keys that may not
            return Forbidden("ChirpStack does not let this token do that: an administrator's key is needed, or --tenant with "
                             "a tenant's.")
        if code == Code.UNAUTHENTICATED:
            return SignInNeeded("ChirpStack does not accept the token: {what}", what=said)
        taken = code == Code.INTERNAL and ("duplicate" in said.lower() or "unique" in said.lower())  # the database's words
        if code == Code.ALREADY_EXISTS or taken:
            return Conflict("{what} is in ChirpStack already, but elsewhere: in another tenant or application.", what=about)
        return Invalid("ChirpStack refuses {what}: {why}", field=about, rule=code.name, what=about, why=said)

    async def _each(self, items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
        """Several at a time, the first failure ends all."""
        waiting = iter(items)

        async def worker() -> None:
            for item in waiting:
                await work(item)

        tasks = [asyncio.create_task(worker()) for _ in range(self._parallel)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _filled(message: Any, record: Record) -> Any:  # noqa: ANN401 - chirpstack_api has no types
    """With what the record says; what it says nothing of stays, and so do ids."""
    named = message.DESCRIPTOR.fields_by_name
    for name in (name for name in type(record).__slots__ if name in named and name not in _NOT_OURS):
        value = getattr(record, name)
        if isinstance(value, Mapping):
            if name == "tags":
                getattr(message, name).update(value)
        elif value != "":
            setattr(message, name, value)
    return message


def _gateway(message: Any, record: GatewayRecord) -> Any:  # noqa: ANN401 - chirpstack_api has no types
    _filled(message, record)
    at = message.location
    at.latitude, at.longitude, at.altitude = record.latitude, record.longitude, record.altitude
    return message


def _copy(message: Any) -> Any:  # noqa: ANN401 - chirpstack_api has no types
    copied = type(message)()
    copied.CopyFrom(message)
    return copied


def _keys(dev_eui: str, seed: int) -> Any:  # noqa: ANN401 - chirpstack_api has no types
    known = keys(seed, dev_eui)
    return api.DeviceKeys(dev_eui=dev_eui, nwk_key=known.app_key.hex(), app_key="00" * 16, gen_app_key=known.gen_app_key.hex())
