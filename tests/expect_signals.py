"""Computes which cases each template under examples/signals finds, without our engine.

Plain Python, case by case, from the meaning of each template in words. Writes
examples/signals/expected.json, which the tests of `mining` hold the engine to:

    python3 tests/expect_signals.py

A template is asked at one instant; what came after it is not known then. Ties
of time keep the order of the file. `CASES` is a side table: what the log says
of a case, and where it says nothing, values made up from the case's number
(vendor, discount_until, due), which are labelled as synthetic in the README.
"""

import csv, gzip, hashlib, json, re
from bisect import bisect_right
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = {
    "declarations": (ROOT / "examples/logs/declarations.csv.gz", "2018-06-01T00:00:00.000Z"),
    "purchase-variants": (ROOT / "examples/logs/purchase-variants.csv.gz", "2019-01-01T00:00:00.000Z"),
    "purchase-to-pay": (ROOT / "examples/purchase-to-pay/events.csv.gz", "2011-09-26T00:00:00.000Z"),
}
HOUR = 3_600_000
DAY = 24 * HOUR


def millis(text):
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round((at - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(milliseconds=1))


def load(log, now):
    path, now = LOGS[log][0], millis(now)
    cases = defaultdict(list)
    with gzip.open(path, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            at = millis(row["timestamp"])
            if at <= now:
                cases[row["case_id"]].append((at, row["activity"], row))
    for events in cases.values():
        events.sort(key=lambda event: event[0])
    return cases, now


def quantile(values, fraction):
    values = sorted(values)
    return values[min(len(values) - 1, int(fraction * len(values) + 1e-9))] if values else None


def acts(events):
    return [activity for _, activity, _ in events]


def first(events, wanted):
    return next((at for at, activity, _ in events if activity in wanted), None)


def place(events, wanted):
    return next((number for number, (_, activity, _) in enumerate(events, 1) if activity in wanted), None)


def vendor(case):
    return "v" + str(int(case) * 7919 % 40)


def submitted(events):
    return events[0][0]


DECLARED = {"Payment Handled", "Declaration REJECTED by EMPLOYEE", "Declaration REJECTED by MISSING",
            "Declaration SAVED by EMPLOYEE"}


def is_open(events):
    return events[-1][1] not in DECLARED


def stuck_fixed(cases, now):
    return [case for case, events in cases.items() if is_open(events) and now - events[-1][0] > 48 * HOUR]


def waits(cases):
    by_step = defaultdict(list)
    for events in cases.values():
        for (at, activity, _), (then, _, _) in zip(events, events[1:]):
            by_step[activity].append(then - at)
    return by_step


def stuck_unusual(cases, now):
    usual = {step: quantile(all_, 0.95) for step, all_ in waits(cases).items() if len(all_) >= 20}
    return [case for case, events in cases.items()
            if is_open(events) and events[-1][1] in usual and now - events[-1][0] > usual[events[-1][1]]]


def cycle_time_sla(cases, now):
    return [case for case, events in cases.items() if is_open(events) and now - events[0][0] > 480 * HOUR]


def sla_at_risk(cases, now):
    remaining = defaultdict(list)
    for events in cases.values():
        if not is_open(events):
            for at, activity, _ in events:
                remaining[activity].append(events[-1][0] - at)
    median = {step: quantile(all_, 0.5) for step, all_ in remaining.items()}
    return [case for case, events in cases.items()
            if is_open(events) and events[-1][1] in median
            and now - events[0][0] + median[events[-1][1]] > 480 * HOUR]


def working_millis(start, end):
    total, day = 0, start // DAY
    while day * DAY < end:
        if (day + 3) % 7 < 5:  # the first day of 1970 was a Thursday
            opens, closes = day * DAY + 8 * HOUR, day * DAY + 16 * HOUR
            total += max(0, min(closes, end) - max(opens, start))
        day += 1
    return total


def milestone_missing(cases, now):
    found = []
    for case, events in cases.items():
        start = first(events, {"Declaration SUBMITTED by EMPLOYEE"})
        if start is None or working_millis(start, now) <= 80 * HOUR:
            continue
        if not any(at >= start and activity == "Declaration FINAL_APPROVED by SUPERVISOR" for at, activity, _ in events):
            found.append(case)
    return found


def segregation(cases, now):
    found = []
    for case, events in cases.items():
        who = lambda duty: {row["resource"] for _, activity, row in events if activity == duty}
        if who("Create Purchase Order") & who("Approve Purchase Order for payment"):
            found.append(case)
    return found


def four_eyes(cases, now):
    created = defaultdict(set)
    for case, events in cases.items():
        for _, activity, row in events:
            if activity == "Create Purchase Order":
                created[vendor(case)].add(row["resource"])
    return [case for case, events in cases.items()
            if any(activity == "Approve Purchase Order for payment" and row["resource"] in created[vendor(case)]
                   for _, activity, row in events)]


def without_before(later, earlier):
    def find(cases, now):
        found = []
        for case, events in cases.items():
            one, other = place(events, later), place(events, earlier)
            if one is not None and (other is None or one < other):
                found.append(case)
        return found
    return find


def wrong_order(cases, now):
    found = []
    for case, events in cases.items():
        earlier, later = first(events, {"Record Goods Receipt"}), first(events, {"Record Invoice Receipt"})
        if earlier is not None and later is not None and later < earlier:
            found.append(case)
    return found


def duplicates(cases, now):
    groups = defaultdict(list)
    for case, events in cases.items():
        row = events[0][2]
        groups[(row["budget_number"], float(row["amount"]))].append((submitted(events), case))
    found = []
    for group in groups.values():
        group.sort()
        for (before, _), (at, case) in zip(group, group[1:]):
            if at - before <= 90 * DAY:
                found.append(case)
    return found


def blocked(cases, now):
    found = []
    for case, events in cases.items():
        since, times = None, 0
        for at, activity, _ in events:
            if activity == "Set Payment Block":
                since, times = at, times + 1
            elif activity == "Remove Payment Block":
                since = None
        if (since is not None and now - since > 30 * DAY) or times > 2:
            found.append(case)
    return found


def discount(cases, now):
    paid = {case: first(events, {"Payment Handled"}) for case, events in cases.items()}
    usual = quantile([paid[case] - events[0][0] for case, events in cases.items() if paid[case] is not None], 0.75)
    until = lambda events: submitted(events) + 14 * DAY
    return [case for case, events in cases.items()
            if paid[case] is None and now < until(events) and until(events) - now < usual]


def early(cases, now):
    found = []
    for case, events in cases.items():
        paid = first(events, {"Payment Handled"})
        if paid is not None and submitted(events) + 30 * DAY - paid > 10 * DAY:
            found.append(case)
    return found


def rework(cases, now):
    return [case for case, events in cases.items() if max(Counter(acts(events)).values()) > 2]


def ping_pong(cases, now):
    found = []
    for case, events in cases.items():
        who = [row["resource"] for _, _, row in events if row["resource"]]
        if sum(one == three and two != three for one, two, three in zip(who, who[1:], who[2:])) >= 3:
            found.append(case)
    return found


def reopened(cases, now):
    return [case for case, events in cases.items() if "Payment Handled" in acts(events)[:-1]]


def unwanted(cases, now):
    return [case for case, events in cases.items()
            if {"Delete Purchase Order Item", "Change Price"} & set(acts(events))]


def new_variant(cases, now):
    def shortened(events):
        kept = []
        for activity in acts(events):
            if kept[-2:] != [activity, activity]:
                kept.append(activity)
        return tuple(kept)
    ended = {case: (events[-1][0], shortened(events)) for case, events in cases.items() if not is_open(events)}
    earliest = {}
    for at, variant in ended.values():
        earliest[variant] = min(at, earliest.get(variant, at))
    return [case for case, (at, variant) in ended.items() if at == earliest[variant] and now - at <= 30 * DAY]


def variant_drift(cases, now):
    finished = sorted((events[-1][0], case) for case, events in cases.items() if events[-1][1] == "Payment Handled")
    variants = [tuple(acts(cases[case])) for _, case in finished]

    def distance(skipped):
        end = len(variants) - skipped
        window, before = Counter(variants[end - 500:end]), Counter(variants[end - 1000:end - 500])
        return sum(abs(window[key] - before[key]) for key in window | before) / 1000
    return ["variants"] if distance(0) > 0.15 and distance(500) > 0.15 else []


def duration_drift(cases, now):
    steps = defaultdict(list)
    for events in cases.values():
        for (at, one, _), (then, two, _) in zip(events, events[1:]):
            steps[(one, two)].append((then, then - at))
    found = []
    for (one, two), all_ in steps.items():
        if len(all_) < 600:
            continue
        all_ = [duration for _, duration in sorted(all_)][-600:]
        before, window = quantile(all_[:300], 0.5), quantile(all_[300:], 0.5)
        if before > 0 and window / before > 1.5:
            found.append(f"{one} → {two}")
    return found


def deviations(cases, now):
    text = (ROOT / "examples/signals/conformance-deviation.yaml").read_text()
    allowed = set(re.findall(r"''([^']+ > [^']+)''", text))
    return [case for case, events in cases.items()
            if any(f"{one} > {two}" not in allowed for one, two in zip(acts(events), acts(events)[1:]))]


def backlog(cases, now):
    week = 7 * DAY
    begin = min(events[0][0] for events in cases.values())
    counts = [Counter() for _ in range(5)]
    for events in cases.values():
        ends = [at for at, _, _ in events[1:]] + [float("inf") if events[-1][1] != "Payment Handled" else events[-1][0]]
        for (at, activity, _), until in zip(events, ends):
            for number in range(5):
                counts[number][activity] += at <= now - number * week < until
    known = sum(now - number * week >= begin for number in range(1, 5))
    found = []
    for activity, waiting in counts[0].items():
        before = [counts[number][activity] for number in range(1, known + 1)]
        mean = sum(before) / known
        deviation = (sum((count - mean) ** 2 for count in before) / (known - 1)) ** 0.5
        if waiting >= 10 and waiting > mean + 3 * deviation:
            found.append(activity)
    return found


def silence(cases, now):
    times = defaultdict(list)
    for events in cases.values():
        for at, _, row in events:
            times[row["resource"]].append(at)
    found = []
    for source, all_ in times.items():
        all_.sort()
        pauses = [later - at for at, later in zip(all_, all_[1:])]
        if source and len(pauses) >= 100 and now - all_[-1] > quantile(pauses, 0.999):
            found.append(source)
    return found


def value_at_risk(cases, now):
    found = []
    for case, events in cases.items():
        value = max((float(row["amount"]) for _, _, row in events if row["amount"]), default=0)
        if is_open(events) and value > 0 and (now - events[-1][0]) / DAY > 5000 / value:
            found.append(case)
    return found


TEMPLATES = {
    "stuck-fixed": ("declarations", stuck_fixed),
    "stuck-unusual": ("declarations", stuck_unusual),
    "cycle-time-sla": ("declarations", cycle_time_sla),
    "sla-at-risk": ("declarations", sla_at_risk),
    "milestone-missing": ("declarations", milestone_missing),
    "segregation-of-duties": ("purchase-to-pay", segregation),
    "four-eyes-across-cases": ("purchase-to-pay", four_eyes),
    "approval-missing": ("declarations", without_before({"Payment Handled"}, {
        "Declaration APPROVED by BUDGET OWNER", "Declaration FINAL_APPROVED by SUPERVISOR"})),
    "wrong-order": ("purchase-variants", wrong_order),
    "maverick-buying": ("purchase-variants", without_before({"Record Invoice Receipt"}, {
        "Create Purchase Requisition Item", "SRM: Created"})),
    "duplicate-invoice": ("declarations", duplicates),
    "payment-block-stuck": ("purchase-variants", blocked),
    "cash-discount-at-risk": ("declarations", discount),
    "early-payment": ("declarations", early),
    "rework-loop": ("declarations", rework),
    "ping-pong": ("purchase-to-pay", ping_pong),
    "reopened": ("declarations", reopened),
    "unwanted-activity": ("purchase-variants", unwanted),
    "new-variant": ("declarations", new_variant),
    # The way of a declaration changed at the turn of that year.
    "variant-drift": ("declarations", variant_drift, "2018-03-01T00:00:00.000Z"),
    "duration-drift": ("declarations", duration_drift),
    "conformance-deviation": ("declarations", deviations),
    "backlog": ("declarations", backlog),
    "silence": ("purchase-to-pay", silence),
    "value-at-risk": ("declarations", value_at_risk),
}


def main():
    loaded, expected = {}, {}
    for template, (log, find, *at) in TEMPLATES.items():
        at = at[0] if at else LOGS[log][1]
        if (log, at) not in loaded:
            loaded[(log, at)] = load(log, at)
        cases, now = loaded[(log, at)]
        found = sorted(find(cases, now))
        digest = hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]
        expected[template] = {"log": log, "now": at, "count": len(found), "sha256": digest, "first": found[:3]}
        print(f"{template:<24} {log:<18} {len(found):>6} of {len(cases)}")
    text = json.dumps(expected, indent=1, ensure_ascii=False) + "\n"
    (ROOT / "examples/signals/expected.json").write_text(text)


if __name__ == "__main__":
    main()
