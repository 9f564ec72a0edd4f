"""The parts of the UL20xx codec: words (codes and their names), uplinks and their making, downlinks."""
