"""The whole exception tree; the branch tells the handler what to do.

CityError
  BadInput      the world sent nonsense: keep as dead letter with the reason, count, acknowledge, go on
    MalformedEvent     not an event of the network server
    RetainedEvent      published as retained: it may be as old as the topic
    UnknownDevice      no such device in our registry
    ForeignDevice      the message names another tenant than our registry
    FromTheFuture  TooOld   an event dated where no event can be
    TooManyFrames      more of one device than LoRaWAN can carry
    DecodeError        the codec cannot read the frame
      Truncated  Trailing  OutOfRange  UnknownPort  UnknownVersion
      ScriptError        a town's own script threw, or said that it cannot read the frame
      ScriptBreach       it broke a limit of time, memory or size and was stopped
      ScriptOff          it has been switched off
      ScriptWaits        it has no time or no process now: kept, and read later without being asked
      TooManySeries      it says more different things than are kept of one device
  Refused       the caller may not have this: a problem+json answer that names the field and the rule
    NotFound  Forbidden  Conflict  Unsupported  Invalid
    SignInNeeded  TooOften  TooLarge
  Unavailable   a neighbour is down: back off, do not acknowledge
    BrokerDown  NetworkServerDown  InfluxDown  SandboxDown  Undelivered
    StoreDown
      LogBroken          the local log could not be made durable: end the process, so that it starts again
    LeaseLost          another process does this now

A message is one English sentence with {named} places, filled from `facts`. It is also the key of the translation:
whoever shows it to a person translates `message` first and fills in `facts` afterwards.
"""


class CityError(Exception):
    """One sentence (`message`, a template) and the facts that complete it."""

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    def __str__(self) -> str:
        return self.message.format(**self.facts) if self.facts else self.message

    @property
    def reason(self) -> str:
        """The class's name: the stable key for counters, dead letters and problem types."""
        return type(self).__name__


class BadInput(CityError):
    """The world sent nonsense: keep it, count it, acknowledge it, go on."""


class MalformedEvent(BadInput):
    """Not an event of the network server."""


class RetainedEvent(BadInput):
    """The broker has kept the event for whoever subscribes: nobody can tell whether it is new."""


class UnknownDevice(BadInput):
    """The registry has no such device, or no asset for it."""


class ForeignDevice(BadInput):
    """The message claims another tenant than our registry says."""


class FromTheFuture(BadInput):
    """The event is dated later than any clock's error explains."""


class TooOld(BadInput):
    """The event is dated before the time that we keep."""


class TooManyFrames(BadInput):
    """The device sends more frames than any LoRaWAN device can: it is broken, or forged."""


class DecodeError(BadInput):
    """The codec cannot read the frame."""


class Truncated(DecodeError):
    """The frame ends before its layout does."""


class Trailing(DecodeError):
    """The frame goes on after its layout has ended."""


class OutOfRange(DecodeError):
    """A value that its layout does not allow."""


class UnknownPort(DecodeError):
    """The model sends nothing documented on this FPort."""


class UnknownVersion(DecodeError):
    """A header or firmware generation that the codec does not know."""


class ScriptError(DecodeError):
    """A town's own script threw, returned nothing usable, or said itself that it cannot read the frame."""


class ScriptBreach(ScriptError):
    """The script broke a limit of time, memory or size and was stopped."""


class ScriptOff(ScriptError):
    """The script has been switched off for this town."""


class ScriptWaits(ScriptError):
    """The town's scripts have used up their time, or no process can run them: the frame is read as soon as one can."""


class TooManySeries(DecodeError):
    """The device has said more different raw values than are kept of one device."""


class Refused(CityError):
    """The caller may not have this. `field` names the input at fault, `rule` the rule it breaks."""

    def __init__(self, message: str, *, field: str = "", rule: str = "", **facts: object) -> None:
        super().__init__(message, **({"field": field, **facts} if "{field}" in message else facts))
        self.field = field
        self.rule = rule


class NotFound(Refused):
    """No such thing for this caller."""


class Forbidden(Refused):
    """The caller's role does not allow this."""


class Conflict(Refused):
    """It contradicts what is already there."""


class Unsupported(Refused):
    """The device model cannot do this."""


class Invalid(Refused):
    """A value breaks a rule."""


class SignInNeeded(Refused):
    """Nobody is signed in, or the sign-in does not hold."""


class TooOften(Refused):
    """Not now: the fact `seconds` says how long to wait."""


class TooLarge(Refused):
    """More bytes or more rows than one request may carry or ask for."""


class Unavailable(CityError):
    """A neighbour is down: back off, do not acknowledge."""


class BrokerDown(Unavailable):
    """The MQTT broker does not answer or refuses us."""


class Undelivered(Unavailable):
    """A message about incidents was not taken by whoever it was for."""


class StoreDown(Unavailable):
    """The city database or the local log cannot be written."""


class LogBroken(StoreDown):
    """The local log could not be made durable: nothing may be acknowledged until the process has started again."""


class NetworkServerDown(Unavailable):
    """ChirpStack's API does not answer."""


class InfluxDown(Unavailable):
    """InfluxDB does not answer, or not now."""


class SandboxDown(Unavailable):
    """No process can be started in which scripts run."""


class LeaseLost(Unavailable):
    """Another process has taken over what we did alone."""
