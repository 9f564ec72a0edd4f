"""A device profile's own script, as the server runs it: in the sandbox that the platform uses for such scripts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from city.errors import ScriptError
from city.readings import NS
from decoders.codec import Frame
from decoders.javascript import Program, Sandbox, Uplinked
from simulator.events import Up


class ServerCodec:
    """Call it as simulator.extras.Codec. The sandbox's process begins with the first uplink that needs it; close it."""

    def __init__(self) -> None:
        self._sandbox = Sandbox()

    def __call__(self, script: str, up: Up, variables: Mapping[str, str]) -> Mapping[str, Any]:
        """The decoded object. Raises ScriptError where the script does not decode, SandboxDown where it cannot run."""
        at = datetime.fromtimestamp((up.time_ns or up.at_ns) / NS, UTC)
        [said] = self._sandbox.decode_uplinks(Program(script), [Uplinked(Frame(up.f_port, up.data), at, variables)])
        if isinstance(said, ScriptError):
            raise said
        return said.data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the sandbox's process."""
        self._sandbox.close()
