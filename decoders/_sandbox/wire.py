"""What goes over the pipes between the pool and a worker. All numbers little-endian.

A request: HEAD (kind, flags, SHA-256 of the source, milliseconds of wall clock a call, bytes of source, bytes of items), the
source (or nothing where the worker has been given it), then the items, JSON in UTF-8 on one line each. An answer to each
item in order: LENGTH and UTF-8, whose first letter says what it is.
"""

import struct

HEAD = struct.Struct("<cB32sIII")
LENGTH = struct.Struct("<I")
READY = b"R"  # a worker's first byte, once it has given up its rights

UPLINK, NORMALIZED, ENCODE, DOWNLINK, CHECK = b"u", b"n", b"e", b"d", b"c"
CAREFUL = 1  # flag: answers are sent one by one, and CPU time counts besides the wall clock

ENTRIES = ("decodeUplink", "encodeDownlink", "decodeDownlink", "normalizeUplink", "Decode", "Encode", "Decoder", "Encoder")

# Letters of answers.
DATA, BYTES, CHECKED = "D", "B", "C"
THREW, SAYS, UNUSABLE = "X", "E", "N"
MEMORY, STACK, OUTPUT, TIME = "M", "S", "O", "T"  # after these the worker ends
UNKNOWN_SOURCE = "?"
DIED = "K"  # said by the pool, not by a worker
BREACHES = frozenset(MEMORY + STACK + OUTPUT + TIME + DIED)
