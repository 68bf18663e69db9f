"""The job engine: claim, look, act, record. Every effect on the outside world passes through `effects.perform`."""
