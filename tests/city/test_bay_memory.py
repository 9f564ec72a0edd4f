"""What is remembered of a bay is the same in whatever order, and however often, its sensor's words arrive."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from city.bay_memory import BayMemory
from city.bay_tracks import follow, ordered
from city.bays import BayEvent, Rules, Span, Track
from city.readings import NS

BEGIN = 1_800_000_000 * NS
WORDS = st.lists(st.tuples(st.integers(1, 5000), st.sampled_from(["edge", "beat", "other"]), st.booleans()), min_size=1,
                 max_size=20)


def events(words):
    at, found = BEGIN, []
    for number, (gap_s, sign, occupied) in enumerate(words):
        at += gap_s * NS
        found.append(BayEvent(at, "s", number, sign, None if sign == "other" else occupied))
    return found


@settings(deadline=None)
@given(WORDS, st.randoms(use_true_random=False))
def test_any_order_of_arrival_leads_to_the_same_track_and_spans(words, rng):
    said = events(words)
    arrivals = said + rng.sample(said, len(said) // 2)
    rng.shuffle(arrivals)
    memory, kept = BayMemory(), []
    for event in arrivals:
        kept.append(event)
        if not memory.take(event, Rules()):
            memory.again(kept, Rules())
    track, spans = follow(Track(), ordered(said), Rules(), timedelta(hours=24))
    assert (memory.track, memory.spans) == (track, spans)


@settings(deadline=None)
@given(WORDS, st.integers(0, 20))
def test_it_goes_on_the_same_from_an_older_track(words, rolled):
    said, memory = events(words), BayMemory()
    for number, event in enumerate(said):
        if number == rolled:
            memory.roll()
            memory.roll()
        assert memory.take(event, Rules())
    before = memory.track, memory.spans
    memory.again([event for event in said if event.at_ns > memory.since_ns], Rules())
    assert (memory.track, memory.spans) == before


def test_a_masked_time_is_not_known_and_its_ends_are_not_certain():
    memory = BayMemory()
    memory.mask(200 * NS, 250 * NS)
    memory.mask(0, 300 * NS)
    whole = [Span(100 * NS, 400 * NS, True, True), Span(400 * NS, 500 * NS, False, True)]
    assert memory.cut(whole, 600 * NS) == [
        Span(100 * NS, 200 * NS, True, False), Span(200 * NS, 300 * NS, None, False), Span(300 * NS, 400 * NS, True, False),
        Span(400 * NS, 500 * NS, False, True)]
    memory.forget(301 * NS)
    assert memory.masks == []
