"""What stands between all calls of a process and the vendors: budgets, a fair queue, retries, fallback, a cache.

``policy.py`` decides and is pure: ``now`` goes in, decisions come out. ``model.py`` carries them out and looks to each
call like any other language model. ``admission.py`` decides who gets a line at all.
"""
