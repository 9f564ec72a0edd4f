"""The panel's API and page as an application. Everything happens in the loop in which the towns live, between two steps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from starlette.responses import StreamingResponse

from city.errors import Invalid, NotFound, Unsupported
from city.settings import Secret
from simulator.panel import faults_here, maps, page
from simulator.panel.controllable import Controllable
from simulator.panel.desk import Desk
from simulator.panel.guard import Guard
from simulator.panel.hub import Hub
from simulator.panel.pausing import PausableClock
from simulator.panel.problems import RESPONSES, install
from simulator.panel.shapes import (
    MOST_PAGE,
    Car,
    CircuitOut,
    ClockIn,
    ClockOut,
    DeviceOut,
    DevicePage,
    FaultIn,
    FaultKind,
    FaultOf,
    FrameOut,
    GatewayOut,
    LotOut,
    MapOut,
    Numbers,
    Raw,
    RunningFault,
    Rush,
    StreetOut,
    Switch,
    TownOut,
    WeatherIn,
    WeatherOut,
)

TITLE = "stadtfunk simulator"
Short = Annotated[str, Query(max_length=64)]
Latitude = Annotated[float | None, Query(ge=-90, le=90)]
Longitude = Annotated[float | None, Query(ge=-180, le=180)]


class Panel:
    """The towns of this process, by id, and the clock, where it may be stopped."""

    def __init__(self, towns: Sequence[Controllable], clock: PausableClock | None = None) -> None:
        self.desks: Mapping[str, Desk] = {desk.scenario.tenant.id: desk for desk in map(Desk, towns)}
        self.clock, self.hub = clock, Hub({str(name): desk for name, desk in self.desks.items()}, clock)

    def desk(self, town: str) -> Desk:
        """A town. Raises NotFound."""
        if town not in self.desks:
            raise NotFound("There is no town {id} here.", field="town", rule="exists", id=town[:64])
        return self.desks[town]


def create_app(panel: Panel, *, token: Secret, host: str) -> FastAPI:
    """The application behind its guard."""
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json",
                  description="Control of simulated towns while they run. What changes anything needs "
                              "`Authorization: Bearer <token>`; the token is shown when the simulator starts.")
    app.state.panel = panel
    install(app)
    for router in (seeing, doing):
        app.include_router(router, prefix="/api", responses=RESPONSES)
    page.mount(app, _desks)
    app.add_middleware(Guard, token=token, host=host)
    return app


async def panel_of(request: Request) -> Panel:
    """This application's."""
    panel: Panel = request.app.state.panel
    return panel


def _desks(request: Request) -> Mapping[str, Desk]:
    panel: Panel = request.app.state.panel
    return panel.desks


async def desk_of(town: str, request: Request) -> Desk:
    """The town of the address."""
    panel: Panel = request.app.state.panel
    return panel.desk(town)


seeing, doing = APIRouter(tags=["see"]), APIRouter(tags=["do"])
AtDesk = Annotated[Desk, Depends(desk_of)]
AtPanel = Annotated[Panel, Depends(panel_of)]


# -- to be seen


@seeing.get("/towns")
async def towns(panel: AtPanel) -> list[TownOut]:
    """The towns that are simulated here."""
    return [desk.about() for desk in panel.desks.values()]


@seeing.get("/clock")
async def clock(panel: AtPanel) -> ClockOut:
    """Whether time can be stopped, and whether it is."""
    return ClockOut(can_pause=panel.clock is not None, paused=panel.clock is not None and panel.clock.paused)


@seeing.get("/fault-kinds")
async def fault_kinds() -> list[FaultKind]:
    """The kinds of fault and their keys."""
    return faults_here.kinds()


@seeing.get("/towns/{town}")
async def numbers(desk: AtDesk, panel: AtPanel) -> Numbers:
    """A town's numbers now."""
    desk.watch.whole()
    return desk.numbers(paused=panel.clock is not None and panel.clock.paused)


@seeing.get("/towns/{town}/events", response_class=StreamingResponse,
            responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}})
async def events(town: str, panel: AtPanel) -> StreamingResponse:
    """Server-sent events: `numbers` each half second, `changes` of devices, `anew` for one who was too slow."""
    panel.desk(town)
    return StreamingResponse(panel.hub.stream(panel.hub.open(town)), media_type="text/event-stream",
                             headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


@seeing.get("/towns/{town}/devices")
async def devices(desk: AtDesk, q: Short = "", kind: Short = "", shows: Short = "", zone: Short = "", circuit: Short = "",
            offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
            limit: Annotated[int, Query(ge=1, le=MOST_PAGE)] = 50) -> DevicePage:
    """A part of the list: `q` is in a name, an asset or a DevEUI; `shows` is what a device does, or its mark."""
    return desk.roster.page(text=q, kind=kind, shows=shows, zone=zone, circuit=circuit, offset=offset, limit=limit)


@seeing.get("/towns/{town}/devices/{asset}")
async def device(desk: AtDesk, asset: str) -> DeviceOut:
    """Everything about a device."""
    return desk.device(asset)


@seeing.get("/towns/{town}/devices/{asset}/frames")
async def frames(desk: AtDesk, asset: str, limit: Annotated[int, Query(ge=1, le=30)] = 10) -> list[FrameOut]:
    """Its last frames, newest first, explained."""
    return desk.frames(asset, limit)


@seeing.get("/towns/{town}/map")
async def town_map(desk: AtDesk, south: Latitude = None, west: Longitude = None, north: Latitude = None,
             east: Longitude = None) -> MapOut:
    """The devices in a box, or in all of the town; cells of them where they are many."""
    corners = (south, west, north, east)
    if all(one is None for one in corners):
        return maps.map_of(desk.roster, desk.box)
    if south is None or west is None or north is None or east is None or south >= north or west >= east:
        raise Invalid("A box needs its four edges, south below north and west before east.", field="south", rule="box")
    return maps.map_of(desk.roster, (south, west, north, east))


@seeing.get("/towns/{town}/streets")
async def streets(desk: AtDesk) -> list[StreetOut]:
    """The streets, for the map."""
    return maps.streets_of(desk.scenario)


@seeing.get("/towns/{town}/circuits")
async def circuits(desk: AtDesk) -> list[CircuitOut]:
    """The circuits of the lamps."""
    return desk.circuits()


@seeing.get("/towns/{town}/lots")
async def lots(desk: AtDesk) -> list[LotOut]:
    """The parking zones."""
    return desk.lots()


@seeing.get("/towns/{town}/gateways")
async def gateways(desk: AtDesk) -> list[GatewayOut]:
    """The gateways with what of the air they have used."""
    return desk.gateways()


@seeing.get("/towns/{town}/weather")
async def weather(desk: AtDesk) -> WeatherOut:
    """The radio's weather."""
    return desk.weather()


@seeing.get("/towns/{town}/faults")
async def faults(desk: AtDesk) -> list[RunningFault]:
    """What is happening."""
    return desk.faults()


# -- to be done


@doing.post("/clock")
async def pause(asked: ClockIn, panel: AtPanel) -> ClockOut:
    """Stop virtual time, or let it go on."""
    if panel.clock is None:
        raise Unsupported("This time is a real server's, too: it cannot be stopped.", field="paused", rule="virtual")
    panel.clock.pause(asked.paused)
    return ClockOut(can_pause=True, paused=panel.clock.paused)


@doing.post("/towns/{town}/devices/{asset}/network")
async def network(desk: AtDesk, asset: str, asked: Switch) -> DeviceOut:
    """Pull a device off the net (its antenna is torn off), or bring it back."""
    return _then(desk, asset, lambda: desk.part(asset, on=asked.on))


@doing.post("/towns/{town}/devices/{asset}/fault")
async def fail(desk: AtDesk, asset: str, asked: FaultOf) -> DeviceOut:
    """Let a device fail, or repair it."""
    return _then(desk, asset, lambda: desk.fail(asset, asked.fault))


@doing.post("/towns/{town}/devices/{asset}/car")
async def car(desk: AtDesk, asset: str, asked: Car) -> DeviceOut:
    """Park a car in a bay, or let it leave."""
    return _then(desk, asset, lambda: desk.park(asset, here=asked.here))


@doing.post("/towns/{town}/devices/{asset}/reboot")
async def reboot(desk: AtDesk, asset: str) -> DeviceOut:
    """Let a device start anew."""
    return _then(desk, asset, lambda: desk.reboot(asset))


@doing.post("/towns/{town}/devices/{asset}/send")
async def send(desk: AtDesk, asset: str, asked: Raw) -> DeviceOut:
    """Let a device send these bytes."""
    return _then(desk, asset, lambda: desk.say(asset, asked))


@doing.post("/towns/{town}/circuits/{circuit}/power")
async def power(desk: AtDesk, circuit: str, asked: Switch) -> CircuitOut:
    """Cut a circuit's power, or restore it."""
    desk.power(circuit, on=asked.on)
    return desk.circuit(circuit)


@doing.post("/towns/{town}/lots/{zone}/rush", status_code=201)
async def rush(desk: AtDesk, zone: str, asked: Rush) -> RunningFault:
    """More cars come to a parking zone for a while."""
    number = desk.rush(zone, asked)
    return next(one for one in desk.faults() if one.number == number)


@doing.post("/towns/{town}/gateways/{gateway}/power")
async def gateway_power(desk: AtDesk, gateway: str, asked: Switch) -> GatewayOut:
    """Take a gateway down, or bring it up."""
    desk.switch_gateway(gateway, on=asked.on)
    return desk.gateway(gateway)


@doing.post("/towns/{town}/weather")
async def set_weather(desk: AtDesk, asked: WeatherIn) -> WeatherOut:
    """Change the radio's weather."""
    desk.set_weather(asked)
    return desk.weather()


@doing.post("/towns/{town}/faults", status_code=201)
async def start_fault(desk: AtDesk, asked: FaultIn) -> RunningFault:
    """Let a fault of a scenario's kinds begin now."""
    given: dict[str, Any] = asked.model_dump()
    return desk.start_fault(given)


@doing.delete("/towns/{town}/faults/{number}", status_code=204)
async def end_fault(desk: AtDesk, number: int) -> Response:
    """End a fault."""
    desk.end(number)
    return Response(status_code=204)


def _then(desk: Desk, asset: str, do: Callable[[], object]) -> DeviceOut:
    """Do it, and say how the device is now."""
    do()
    return desk.device(asset)
