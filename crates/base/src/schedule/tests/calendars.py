"""Writes calendars.json: what other calendars answer to the same questions.

    pip install croniter python-dateutil tzdata
    python calendars.py > calendars.json

Cron texts are asked of croniter, in UTC. Days of the week, of the month and of
the year are asked of dateutil's recurrence rules (RFC 5545), whose readings of
a wall clock become instants by Python's zoneinfo: a doubled reading is the
first, a skipped one counts with the offset from before the gap.
"""

import json
from datetime import datetime, timezone
from itertools import islice
from zoneinfo import ZoneInfo

from croniter import croniter
from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule

STARTS = ["2025-12-31T23:59:30", "2026-02-27T12:00:00", "2026-03-29T00:30:00", "2026-10-25T00:10:00", "2027-06-30T08:30:00"]

CRONS = """* * * * *
*/5 * * * *
*/7 * * * *
0 * * * *
59 23 31 12 *
15 3 * * *
0 0 1 * *
0 12 29 2 *
0 0 30 * *
0 0 31 * *
30 8 * * 1-5
30 8 * * MON-FRI
0 9 * * 0
0 9 * * 7
0 9 * * SUN
0 0 13 * 5
0 6 1,15 * 1
10-20/5 8-10 * * *
0 0-23/6 * * *
5,35 2,14 * * *
0 22 * 1-3,11 *
0 22 * JAN,JUL *
0 0 */10 * *
0 0 1 */3 *
45 16 * * 6,0
1 1 1 1 *
*/15 9-16 * * 1-5
0 4 8-14 * *
20 4 * 2 1
0 0 29 2 1"""

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo"]


def text(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def sunday_first(day):
    return (day - 1) % 7  # dateutil counts from Monday


def dates():
    for time in ["00:00", "02:30", "08:30", "23:59"]:
        yield {"type": "daily", "time": time}, {"freq": DAILY}
    for days in [[0], [1, 5], [6, 0, 3]]:
        yield {"type": "weekly", "days": days, "time": "02:15"}, {"freq": WEEKLY, "byweekday": [sunday_first(d) for d in days]}
    for days in [[1], [29, 30, 31], [31], [15, 25]]:
        yield {"type": "monthly", "days": days, "time": "02:30"}, {"freq": MONTHLY, "bymonthday": days}
    for months, days in [([2], [29]), ([3, 10], [25, 29]), ([4, 6, 12], [31])]:
        yield (
            {"type": "yearly", "months": months, "days": days, "time": "02:45"},
            {"freq": YEARLY, "bymonth": months, "bymonthday": days},
        )


def cases():
    for cron in CRONS.splitlines():
        for start in STARTS:
            begin = datetime.fromisoformat(start).replace(tzinfo=timezone.utc)
            times = croniter(cron, begin)
            yield {
                "schedule": {"type": "cron", "cron": cron},
                "after": text(begin),
                "times": [text(times.get_next(datetime)) for _ in range(4)],
            }
    for document, rule in dates():
        hour, minute = map(int, document["time"].split(":"))
        for zone in ZONES:
            for start in STARTS:
                begin = datetime.fromisoformat(start).replace(tzinfo=timezone.utc)
                readings = rrule(dtstart=datetime(2025, 1, 1, hour, minute), **rule)
                instants = (reading.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(timezone.utc) for reading in readings)
                later = (instant for instant in instants if instant > begin)
                yield {"schedule": {**document, "timezone": zone}, "after": text(begin), "times": [text(t) for t in islice(later, 4)]}


print("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases()) + "\n]")
