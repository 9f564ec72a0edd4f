"""`stadtfunk doctor`: looks at the whole chain and says what is wrong with it, each finding with its mend.

Probes gather facts and wait for neighbours, each for a bounded time; judges are pure and turn facts into findings.
"""
