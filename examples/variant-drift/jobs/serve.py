"""Answers how many hours it still takes until a declaration is paid.

The endpoint calls `predict` with the records that it was asked with, each with the `events` of a
declaration so far, and gives back the hours and the version of the model. The model
is a file of numbers beside this one, named by the variable MODEL; standard library only.
"""

import json
import os
import pathlib
import struct

import declarations


def forecast(model, row):
    """Walks each tree from its root to a leaf, and adds up what the leaves say."""
    hours = model["begin"]
    for tree in model["trees"]:
        node = 0
        while tree["left"][node] >= 0:
            # The trees have learned on numbers of single precision.
            goes_left = single(row[tree["feature"][node]]) <= tree["threshold"][node]
            node = tree["left"][node] if goes_left else tree["right"][node]
        hours += model["rate"] * tree["value"][node]
    return hours


def single(number):
    return struct.unpack("f", struct.pack("f", number))[0]


def load():
    return json.loads((pathlib.Path(__file__).parent / os.environ["MODEL"]).read_text(encoding="utf-8"))


MODEL = load() if "MODEL" in os.environ else None


def predict(records):
    answers = []
    for record in records:
        events = [{"case_id": "", **event} for event in record["events"]]
        (trace,) = declarations.traces(events)
        hours = forecast(MODEL, declarations.features(trace, MODEL["activities"]))
        answers.append({"hours": round(hours, 6), "version": MODEL["version"]})
    return answers
