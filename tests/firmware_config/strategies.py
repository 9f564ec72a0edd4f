"""Any DeviceConfig, for properties."""

from hypothesis import strategies as st

from city.orders import AlarmLimits, Position
from firmware_config.profile import DeviceConfig


def _pair(most):
    both = st.lists(st.integers(0, most), min_size=2, max_size=2, unique=True).map(sorted)
    return st.one_of(both, st.tuples(st.none(), st.integers(0, most)), st.tuples(st.integers(0, most), st.none()))


limits = st.builds(
    lambda power, voltage, factor: AlarmLimits(power[0], power[1], voltage[0], voltage[1], factor),
    _pair(2000), _pair(500), st.one_of(st.none(), st.floats(0, 1)))
positions = st.builds(Position, st.floats(-90, 90), st.floats(-180, 180))
configs = st.builds(
    DeviceConfig,
    *(st.one_of(st.none(), part) for part in (
        st.integers(60, 86_400), st.integers(60, 86_400), st.integers(0, 100), limits, positions)))
