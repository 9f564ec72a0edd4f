"""Which scripts run fast, and how a worker keeps them; in this process, without timers."""

import pytest

from decoders._sandbox.worker import RECYCLE, TRUST, Engine, Program

INPUT = "[[1,2],5,0,{}]"
ENGINE = Engine(memory=16 << 20, stack=256 << 10, seconds=1, timers=False)


def program(source):
    return Program(ENGINE, source, lambda: None)


def answers(made, count=3):
    return [made.answer("u", INPUT) for _ in range(count)]


@pytest.mark.parametrize("body", ["return {data: {n: input.bytes[0]}}", "counter = 1; return {data: {n: counter}}",
                                  "return {data: {n: Buffer.from(input.bytes).readUInt8(0)}}",
                                  "const o = {}; o.constructor = 1; o.toString = 2; return {data: {n: o.constructor}}",
                                  "const e = new Error('x'); e.name = 'y'; e.message = 'z'; return {data: {n: 1}}"])
def test_ordinary_scripts_run_in_a_locked_context(body):
    made = program("function decodeUplink(input) {" + body + "}")
    assert answers(made) == ['D{"n":1}'] * 3
    assert made._run is not None


@pytest.mark.parametrize("source", ["Array.prototype.one = () => 1; function decodeUplink() { return {data: {n: [].one()}} }",
                                    "Object.assign(Math, {one: 1}); function decodeUplink() { return {data: {n: Math.one}} }",
                                    "function decodeUplink() { return {data: {n: eval('1')}} }",
                                    "function decodeUplink() { Reflect.set(Math, 'one', 1); return {data: {n: Math.one}} }"])
def test_scripts_that_change_what_is_built_in_run_in_fresh_contexts(source):
    made = program(source)
    assert answers(made) == ['D{"n":1}'] * 3
    assert made._run is None


def test_a_script_that_changes_what_is_built_in_at_a_later_call_is_noticed():
    made = program("function decodeUplink(i) { if (i.fPort === 5) return {data: {n: 1}};"
                   "const name = 'two', made = [].constructor; made['prototype'][name] = () => 2; return {data: {n: [].two()}} }")
    assert answers(made, 1) == ['D{"n":1}']
    assert made._run is not None
    assert made.answer("u", "[[1],6,0,{}]") == 'D{"n":2}'
    assert made._run is None
    assert answers(made, 1) == ['D{"n":1}']


def test_a_script_that_says_errors_is_believed_after_a_while():
    made = program("function decodeUplink() { return {errors: ['no']} }")
    assert answers(made, TRUST + 5) == ['E"no"'] * (TRUST + 5)
    assert made._run is not None
    assert made._confirmed == TRUST


def test_a_context_that_has_served_long_is_made_anew():
    made = program("function decodeUplink() { return {data: {}} }")
    answers(made, RECYCLE + 2)
    first = made._run
    made.rest()
    assert made._run is None
    answers(made, 1)
    assert made._run is not first
