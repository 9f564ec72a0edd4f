"""The imitated server's gRPC API on a port: chirpstack_api's servicers, in the loop that drives the town.

Every call is answered at the town's present. Calls that are not imitated answer UNIMPLEMENTED; there is no gRPC-web. Status
codes are those of a real ChirpStack (4.20.0-test.1 on SQLite), call for call: it leaves duplicates and things that are named
but do not exist to its database, and answers INTERNAL with the database's words, although its code knows ALREADY_EXISTS.
So it does where its database is locked, because an uplink is being written: what it was asked for has then not been done.
"""

import re
from collections.abc import Callable, Mapping

import grpc
from chirpstack_api import api

from city.clock import Clock
from city.errors import (
    BadInput,
    CityError,
    Conflict,
    Invalid,
    NotFound,
    Refused,
    SignInNeeded,
    TooLarge,
    Unavailable,
    Unsupported,
)
from city.settings import Secret
from simulator.chirpstack import ChirpStack
from simulator.grpc_access import RIGHTS, Caller, Gatekeeper
from simulator.grpc_admin import Applications, DeviceProfiles, Internal, Tenants
from simulator.grpc_convert import HEX, Proto
from simulator.grpc_device import Devices
from simulator.grpc_field import STARTED, Fuota, Gateways, MulticastGroups
from simulator.provisioned import ApiKey
from simulator.registry import FOREIGN, UNIQUE
from simulator.tokens import sign

MESSAGE_MOST = 4 << 20  # bytes
CALLS_MOST = 256  # under way at a time
CLOSE_S = 0.5
CODES: tuple[tuple[type[CityError], grpc.StatusCode], ...] = (
    (NotFound, grpc.StatusCode.NOT_FOUND), (Conflict, grpc.StatusCode.ALREADY_EXISTS),
    (SignInNeeded, grpc.StatusCode.UNAUTHENTICATED), (TooLarge, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unsupported, grpc.StatusCode.UNIMPLEMENTED), (Invalid, grpc.StatusCode.INVALID_ARGUMENT),
    (BadInput, grpc.StatusCode.INVALID_ARGUMENT))
WORDS = {RIGHTS: "", UNIQUE: "UNIQUE constraint failed", FOREIGN: "FOREIGN KEY constraint failed"}  # by an error's rule
LOCKED = "database is locked"
Answerer = Callable[[Caller, Proto], Proto]


class GrpcApi:
    """One town's API. `start` it in the loop that drives the town, and `stop` it before that ends."""

    def __init__(self, town: ChirpStack, secret: Secret, clock: Clock) -> None:
        self._town, self._secret = town, secret
        self._gatekeeper = Gatekeeper(town.registry, secret, clock)
        self._server: grpc.aio.Server | None = None
        self.locked = 0  # so many of the calls to come find the database locked

    async def start(self, address: str) -> int:
        """Listen on host:port; the port (another, where 0 was asked for). Raises Unavailable where it cannot be had."""
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", MESSAGE_MOST), ("grpc.so_reuseport", 0)],
                                 maximum_concurrent_rpcs=CALLS_MOST)
        for name, service in self._services().items():
            getattr(api, f"add_{name}Servicer_to_server")(self._servicer(name, service), server)
        try:
            port: int = server.add_insecure_port(address)
        except RuntimeError as error:
            raise Unavailable("The API cannot listen on {address}.", address=address) from error
        await server.start()
        self._server = server
        return port

    async def stop(self) -> None:
        """Let running calls end, for half a second."""
        if self._server is not None:
            await self._server.stop(CLOSE_S)

    def admin_token(self, name: str = "simulator") -> str:
        """The token of a new API key that may do everything, as `chirpstack create-api-key` prints it."""
        registry = self._town.registry
        key = registry.add_api_key(ApiKey(registry.new_id(), name, is_admin=True))
        return sign(self._secret, "key", key.id)

    def _services(self) -> Mapping[str, object]:
        town = self._town
        return {"TenantService": Tenants(town), "ApplicationService": Applications(town),
                "DeviceProfileService": DeviceProfiles(town), "DeviceService": Devices(town),
                "GatewayService": Gateways(town), "MulticastGroupService": MulticastGroups(town),
                "FuotaService": Fuota(town), "InternalService": Internal(town, self._gatekeeper)}

    def _servicer(self, name: str, service: object) -> object:
        """chirpstack_api's servicer with those methods overridden that our service has, under their own names."""
        base: type[object] = getattr(api, f"{name}Servicer")
        own = {method: self._call(getattr(service, snake(method)))
               for method in dir(base) if not method.startswith("_") and hasattr(service, snake(method))}
        return type(name, (base,), own)()

    def _call(self, answer: Answerer) -> Callable[..., object]:
        gatekeeper = self._gatekeeper

        async def call(_: object, request: Proto, context: Proto) -> Proto:
            if self.locked:
                self.locked -= 1
                return await context.abort(grpc.StatusCode.INTERNAL, LOCKED)
            try:
                said = dict(context.invocation_metadata() or ()).get("authorization")
                return answer(gatekeeper.caller(said), request)
            except (BadInput, Refused, Unavailable) as error:
                return await context.abort(code_of(error), words_of(error))

        return call


def code_of(error: CityError) -> grpc.StatusCode:
    """The status that ChirpStack gives for an error of this kind."""
    if isinstance(error, Refused) and error.rule in (HEX, UNIQUE, FOREIGN):
        return grpc.StatusCode.INTERNAL  # from its parsers of EUIs and keys, and from its database
    if isinstance(error, Conflict) and error.rule == STARTED:
        return grpc.StatusCode.FAILED_PRECONDITION
    return next((code for kind, code in CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def words_of(error: CityError) -> str:
    """What the answer says; nothing to those who may not."""
    return WORDS.get(error.rule, str(error)) if isinstance(error, Refused) else str(error)


def snake(name: str) -> str:
    """`GetNextFCntDown` → `get_next_f_cnt_down`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
