"""Virtual time passes in order, and only forwards."""

from simulator.engine import Engine


def test_actions_happen_in_the_order_of_their_times_and_of_being_asked_for() -> None:
    engine, done = Engine(0), []
    engine.at(20, done.append, "late")
    engine.at(10, done.append, "first")
    engine.at(10, done.append, "second")
    assert engine.run(15) == 2
    assert done == ["first", "second"]
    assert engine.now == 15


def test_an_action_may_ask_for_more_in_the_same_run() -> None:
    engine, done = Engine(0), []

    def again(left: int) -> None:
        done.append(engine.now)
        if left:
            engine.after(1.0, again, left - 1)

    engine.at(0, again, 3)
    engine.run(10_000_000_000)
    assert done == [0, 1_000_000_000, 2_000_000_000, 3_000_000_000]
    assert engine.waiting == 0


def test_what_is_past_happens_now_and_time_never_runs_back() -> None:
    engine, done = Engine(100), []
    engine.at(5, lambda: done.append(engine.now))
    engine.run(50)
    engine.run(200)
    assert done == [100]
    engine.run(10)
    assert engine.now == 200
