"""Waiting for what is to become true, and saying what was waited for."""

import time

PAUSE_SECONDS = 0.05


class NotInTime(Exception):
    """Something did not become true before its deadline."""


def until(what, look, deadline=120, seen=None):
    """Looks until `look` returns something true, and returns that.

    `what` says in words what is waited for. After `deadline` seconds the wait
    fails with these words and with what `seen` (or else the last look) told.
    """
    ends = time.monotonic() + deadline
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > ends:
            last = seen() if seen else found
            raise NotInTime(f"waited {deadline} s for this: {what}; last seen: {last!r}")
        time.sleep(PAUSE_SECONDS)
