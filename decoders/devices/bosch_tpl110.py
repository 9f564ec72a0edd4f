"""Bosch Parking Lot Sensor TPL110: speaks exactly as the TPS110 does (`bosch_tps110`), under the name on its label."""

from dataclasses import replace

from decoders.devices import bosch_tps110

CODEC = replace(bosch_tps110.CODEC, model="bosch/tpl110", title="Parking Lot Sensor TPL110")
