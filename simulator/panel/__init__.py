"""The simulator's panel: what people may do to a town while it lives, over a page and a small API.

`controllable` says what a town must offer, `imitation` and `on_air` make the two levels offer it; `desk` does what people
ask for, `watch` sees what changes, `explain` reads frames. None of these knows of a network: `app`, `hub` and `serving` do.
"""
