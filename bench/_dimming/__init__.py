"""The parts of bench.dimming."""
