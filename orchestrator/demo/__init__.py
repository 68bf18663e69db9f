"""A small firm's weeks, played through the real worker in under a minute, and judged by the sandbox's own record.

    story ──► people act in the sandbox, its clock is moved ──► the worker (own process, real HTTP) catches up ──► verdict

`story` says what happens when, before anything runs; `people` do it; `driver` moves the clock from one moment to the next
and waits until the worker is idle; `record` is what the sandbox wrote down; `verdict` judges it; `report` says it.
"""
