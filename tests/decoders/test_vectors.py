"""A vectors file is read strictly, and what does not hold is found and said."""

import pytest

from decoders import laws, vectors
from decoders.catalog import codec_of, vectors_path
from decoders.codec import Frame

HEAD = 'source = "manual"\n'


def written(tmp_path, text):
    path = tmp_path / "x.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def findings(tmp_path, text, model="bosch/tps110"):
    return [found.problem for found in vectors.run(codec_of(model), vectors.load(written(tmp_path, text)))]


def test_a_wrong_value_a_missing_and_an_unexpected_one_are_found(tmp_path):
    (problem,) = findings(tmp_path, """[[uplink]]
says = "x"
port = 2
hex = "01 12"
reads = { "bay.occupied" = false, "device.temperature" = 18, "device.battery" = 3 }""")
    assert problem == ("bay.occupied: True instead of False; device.battery: nothing instead of 3; "
                       "device.heartbeat: True instead of nothing")


def test_another_failure_than_the_expected_one_is_found(tmp_path):
    text = '[[uplink]]\nsays = "x"\nport = 1\nhex = ""\nfails = "Trailing"'
    assert findings(tmp_path, text)[0].startswith("raises Truncated")


def test_a_frame_that_should_fail_but_reads_is_found(tmp_path):
    text = '[[uplink]]\nsays = "x"\nport = 1\nhex = "01"\nfails = "Trailing"'
    assert findings(tmp_path, text)[0].startswith("should fail with Trailing")


def test_an_order_written_otherwise_is_found(tmp_path):
    text = '[[downlink]]\nsays = "x"\norder = { DataRate = { dr = 3 } }\nport = 52\nhex = "02"'
    assert findings(tmp_path, text) == ["02 reads as DataRate(dr=2)"]


@pytest.mark.parametrize("text", [
    '[[uplink]]\nsays = "x"\nport = 1\nhex = "0"\nreads = {}',
    '[[uplink]]\nsays = "x"\nport = 1\nhex = "00"',
    '[[uplink]]\nsays = "x"\nport = 1\nhex = "00"\nread = {}\nfails = "Trailing"',
    '[[downlink]]\nsays = "x"\norder = { SetLevel = { level = 140 } }',
    '[[downlink]]\nsays = "x"\norder = { Nonsense = { } }',
    "[[uplink",
])
def test_a_file_that_is_wrong_itself_says_so(tmp_path, text):
    with pytest.raises(vectors.VectorsError, match=r"^x\.toml"):
        vectors.load(written(tmp_path, text))


def test_a_codec_that_breaks_on_some_bytes_is_found():
    codec = codec_of("bosch/tps110")

    def fragile(frame):
        return codec.decode_uplink(Frame(frame.port, frame.data[:1] or bytes([frame.data[0]])))

    broken = type(codec)(**{name: getattr(codec, name) for name in codec.__slots__} | {"decode_uplink": fragile})
    told = vectors.load(vectors_path("bosch/tps110"))
    assert any("IndexError" in found.problem for found in laws.all_laws(broken, told))
    assert laws.all_laws(codec, told) == []
