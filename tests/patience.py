"""How long a test waits for what must happen."""

PATIENCE_S = 60.0  # a busy machine with two cores is slow, not wrong; where all is well nobody waits
