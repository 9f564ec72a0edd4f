"""The load of the benches: a town of lamps, what its lamps report, and the programs that publish and watch it."""
