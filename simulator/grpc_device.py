"""The imitated API's DeviceService: devices, their keys and sessions, and their queues."""

from chirpstack_api import api, common
from google.protobuf.empty_pb2 import Empty

from city.errors import Invalid, NotFound, Unsupported
from city.readings import NS
from simulator.chirpstack import ChirpStack
from simulator.downlinks import Order
from simulator.events import battery_level
from simulator.grpc_access import Caller, Owners
from simulator.grpc_convert import (
    Proto,
    dev_addr,
    eui,
    fill,
    has_tags,
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
from simulator.provisioned import Registered, RootKeys
from simulator.registry import taken
from simulator.secrets_of import NET_ID
from simulator.station import Station

ADDRESSES = 1 << 25  # of a NetID of type 0
EXPIRES_MOST_NS = 10 * 365 * 86_400 * NS  # from now; nothing waits that long


class Devices:
    """DeviceService, without the metrics that ChirpStack keeps in Redis."""

    def __init__(self, town: ChirpStack) -> None:
        self._town, self._registry, self._owners = town, town.registry, Owners(town.registry)

    # -- devices

    def create(self, caller: Caller, request: Proto) -> Proto:
        row = self._read(part(request, "device"))
        caller.may(self._owners.of_application(row.application_id), write=True)
        self._registry.add_device(row)
        return Empty()

    def get(self, caller: Caller, request: Proto) -> Proto:
        row, answer = self._device(caller, request.dev_eui, write=False), api.GetDeviceResponse()
        fill(answer.device, row)
        self._seen(answer, row)
        answer.class_enabled = common.DeviceClass.Value(self._town.station(row.dev_eui).family.device_class)
        return stamped(answer, row)

    def update(self, caller: Caller, request: Proto) -> Proto:
        row = self._read(part(request, "device"))
        caller.may(self._owners.of_device(row.dev_eui), write=True)
        caller.may(self._owners.of_application(row.application_id), write=False)
        self._registry.update_device(row)
        return Empty()

    def delete(self, caller: Caller, request: Proto) -> Proto:
        self._registry.delete_device(self._device(caller, request.dev_eui, write=True).dev_eui)
        return Empty()

    def list(self, caller: Caller, request: Proto) -> Proto:
        key = uuid_text(request.application_id)
        caller.may(self._owners.of_application(key), write=False)
        rows = (row for row in self._registry.devices if row.application_id == key and self._wanted(request, row))
        return page(request, api.ListDevicesResponse(), rows, lambda row: row.name, self._item)

    # -- keys

    def create_keys(self, caller: Caller, request: Proto) -> Proto:
        row, keys = self._keys(caller, request)
        if self._registry.keys_of(row) is not None:
            raise taken(row.dev_eui)
        self._registry.set_keys(row.dev_eui, keys)
        return Empty()

    def get_keys(self, caller: Caller, request: Proto) -> Proto:
        row, answer = self._device(caller, request.dev_eui, write=False), api.GetDeviceKeysResponse()
        keys = self._known_keys(row)
        said = answer.device_keys
        said.dev_eui, said.nwk_key = row.dev_eui, keys.nwk_key.hex()
        said.app_key, said.gen_app_key = keys.app_key.hex(), keys.gen_app_key.hex()
        set_time(answer.created_at, keys.created_ns)
        set_time(answer.updated_at, keys.updated_ns)
        return answer

    def update_keys(self, caller: Caller, request: Proto) -> Proto:
        self._device(caller, part(request, "device_keys").dev_eui, write=True)
        row, keys = self._keys(caller, request)
        keys.created_ns = self._known_keys(row).created_ns
        self._registry.set_keys(row.dev_eui, keys)
        return Empty()

    def delete_keys(self, caller: Caller, request: Proto) -> Proto:
        row = self._device(caller, request.dev_eui, write=True)
        self._known_keys(row)
        self._registry.set_keys(row.dev_eui, None)
        return Empty()

    def flush_dev_nonces(self, caller: Caller, request: Proto) -> Proto:
        row = self._device(caller, request.dev_eui, write=True)
        self._known_keys(row)
        self._town.sessions.flush_nonces(row.dev_eui)
        return Empty()

    # -- sessions

    def activate(self, caller: Caller, request: Proto) -> Proto:
        said = part(request, "device_activation")
        row = self._device(caller, said.dev_eui, write=True)
        for name in ("s_nwk_s_int_key", "f_nwk_s_int_key"):
            key_text(getattr(said, name))
        keys = key_text(said.nwk_s_enc_key), key_text(said.app_s_key)
        self._town.sessions.activate(row.dev_eui, dev_addr(said.dev_addr), keys, said.f_cnt_up, said.n_f_cnt_down)
        return Empty()

    def deactivate(self, caller: Caller, request: Proto) -> Proto:
        self._town.sessions.deactivate(self._device(caller, request.dev_eui, write=True).dev_eui)
        return Empty()

    def get_activation(self, caller: Caller, request: Proto) -> Proto:
        row, answer = self._device(caller, request.dev_eui, write=False), api.GetDeviceActivationResponse()
        station = self._town.station(row.dev_eui)
        if not station.server_addr:
            return answer
        network, application = self._town.sessions.keys_of(row.dev_eui)
        said = answer.device_activation
        said.dev_eui, said.dev_addr, said.app_s_key = row.dev_eui, station.server_addr, application
        said.nwk_s_enc_key = said.s_nwk_s_int_key = said.f_nwk_s_int_key = network
        said.f_cnt_up, said.n_f_cnt_down = station.heard_f_cnt + 1, station.f_cnt_down
        return answer

    def get_random_dev_addr(self, caller: Caller, request: Proto) -> Proto:
        if request.dev_eui:
            self._device(caller, request.dev_eui, write=False)
        elif request.tenant_id:
            caller.may(uuid_text(request.tenant_id), write=False)
            self._registry.tenants.get(uuid_text(request.tenant_id))
        else:
            raise Invalid("The request lacks {what}.", field="tenant_id", rule="required", what="tenant_id")
        address = int(self._registry.new_id()[:8], 16) % ADDRESSES | NET_ID
        return api.GetRandomDevAddrResponse(dev_addr=f"{address:08x}")

    # -- the queue

    def enqueue(self, caller: Caller, request: Proto) -> Proto:
        said = part(request, "queue_item")
        caller.may(self._owners.of_device(eui(said.dev_eui)), write=True)
        station = self._town.station(self._registry.devices.referred(eui(said.dev_eui)).dev_eui)
        if said.is_encrypted:
            raise Unsupported("The simulated server makes no frames: it takes no encrypted items.")
        if request.flush_queue:
            self._town.queues.flush(station, pending=False)
        expires = time_of(said, "expires_at")
        if expires is not None:
            expires = min(expires, self._town.now_ns + EXPIRES_MOST_NS)
        order = Order("", station.dev_eui, said.confirmed, said.f_port, said.data, expires)
        return api.EnqueueDeviceQueueItemResponse(id=self._town.queues.enqueue(station, order))

    def flush_queue(self, caller: Caller, request: Proto) -> Proto:
        station = self._station(caller, request.dev_eui, write=True)
        if station is not None:
            self._town.queues.flush(station, pending=True)
        return Empty()

    def get_queue(self, caller: Caller, request: Proto) -> Proto:
        station = self._station(caller, request.dev_eui, write=False)
        items = () if station is None else station.queue
        answer = api.GetDeviceQueueItemsResponse(total_count=len(items))
        for item in () if request.count_only else items:
            said = answer.result.add(
                id=item.id, dev_eui=item.order.dev_eui, confirmed=item.order.confirmed, f_port=item.order.f_port,
                data=item.order.data, is_pending=item.pending_until_ns is not None, f_cnt_down=item.f_cnt or 0)
            if item.order.expires_ns is not None:
                set_time(said.expires_at, item.order.expires_ns)
        return answer

    def get_next_f_cnt_down(self, caller: Caller, request: Proto) -> Proto:
        station = self._town.station(self._device(caller, request.dev_eui, write=False).dev_eui)
        return api.GetDeviceNextFCntDownResponse(f_cnt_down=station.f_cnt_down if station.server_addr else 0)

    # -- parts

    def _station(self, caller: Caller, text: str, *, write: bool) -> Station | None:
        """None where there is no such device, of which ChirpStack says nothing where it is about queues."""
        dev_eui = eui(text)
        caller.may(self._owners.of_device(dev_eui), write=write)
        return self._town.station(dev_eui) if dev_eui in self._registry.devices else None

    def _device(self, caller: Caller, text: str, *, write: bool) -> Registered:
        dev_eui = eui(text)
        caller.may(self._owners.of_device(dev_eui), write=write)
        return self._registry.devices.get(dev_eui)

    def _read(self, message: Proto) -> Registered:
        return record_of(Registered, message, dev_eui=eui(message.dev_eui), join_eui=eui(message.join_eui),
                         application_id=uuid_text(message.application_id),
                         device_profile_id=uuid_text(message.device_profile_id))

    def _keys(self, caller: Caller, request: Proto) -> tuple[Registered, RootKeys]:
        said, now = part(request, "device_keys"), self._town.now_ns
        caller.may(self._owners.of_device(eui(said.dev_eui)), write=True)
        row = self._registry.devices.referred(eui(said.dev_eui))
        return row, RootKeys(bytes.fromhex(key_text(said.nwk_key)), bytes.fromhex(key_text(said.app_key)),
                             bytes.fromhex(key_text(said.gen_app_key)), now, now)

    def _known_keys(self, row: Registered) -> RootKeys:
        keys = self._registry.keys_of(row)
        if keys is None:
            raise NotFound("Object does not exist (id: {id})", id=row.dev_eui)
        return keys

    def _wanted(self, request: Proto, row: Registered) -> bool:
        group = self._registry.groups.get(uuid_text(request.multicast_group_id)) if request.multicast_group_id else None
        return (matches(request.search, row.name, row.dev_eui) and has_tags(request.tags, row.tags)
                and request.device_profile_id in ("", row.device_profile_id)
                and (group is None or row.dev_eui in group.devices))

    def _item(self, item: Proto, row: Registered) -> None:
        stamped(fill(item, row), row)
        item.device_profile_name = self._registry.profiles.get(row.device_profile_id).name
        self._seen(item, row)

    def _seen(self, message: Proto, row: Registered) -> None:
        station = self._town.station(row.dev_eui)
        if station.last_seen_ns:
            set_time(message.last_seen_at, station.last_seen_ns)
        if station.margin is not None:
            message.device_status.margin = station.margin
            message.device_status.battery_level = battery_level(station.battery)


