"""Learns anew from the latest declarations, and serves what was learned only if it is better.

Reads the declarations that were paid last with SQL, learns on the first 70 % and is
measured on the rest, which are all later: beside a naive forecast, and beside what
the endpoint answers now. Only who beats both is served. The last line is the result
as JSON.
"""

import argparse
import base64
import json
import random
import time
from statistics import mean, median

import numpy
from sklearn.ensemble import GradientBoostingRegressor

import declarations
import serve
from lake import Lake

CASES = 1000
LEARNED_ON = 0.7
SEED = 2018
FOLDER = "/Shared/variant-drift"
# Rows in one call of the endpoint.
ROWS_MAX = 500
READY_SECONDS = 300
PAUSE_SECONDS = 0.5


def learn(known, took):
    """A forecast of the median, so that a declaration that lay for months does not bend it."""
    return GradientBoostingRegressor(
        loss="absolute_error", n_estimators=100, max_depth=3, min_samples_leaf=20, subsample=0.7, random_state=SEED
    ).fit(known, took)


def written(model, activities, version):
    """The model as numbers, which the endpoint can read without scikit-learn."""
    trees = []
    for (tree,) in model.estimators_:
        inner = tree.tree_
        trees.append({
            "feature": inner.feature.tolist(),
            "threshold": inner.threshold.tolist(),
            "left": inner.children_left.tolist(),
            "right": inner.children_right.tolist(),
            "value": inner.value[:, 0, 0].tolist(),
        })
    begin = float(model.init_.predict(numpy.zeros((1, model.n_features_in_)))[0])
    return {"version": version, "activities": activities, "begin": begin, "rate": model.learning_rate, "trees": trees}


def naive(last_known, took):
    """What was usual after the same activity."""
    usual = {activity: [] for activity in last_known}
    for activity, hours in zip(last_known, took):
        usual[activity].append(hours)
    all_hours = median(took)
    middles = {activity: median(hours) for activity, hours in usual.items()}
    return lambda activity: middles.get(activity, all_hours)


class Endpoint:
    """The serving endpoint, as a caller sees it."""

    def __init__(self, lake, name):
        self.lake, self.name = lake, name
        found = lake.call("GET", "/api/2.0/serving-endpoints").get("endpoints", [])
        self.exists = name in [endpoint["name"] for endpoint in found]

    def forecasts(self, cases):
        """Asks the endpoint for every moment of some declarations: its version, and the hours."""
        records = [
            {"events": [{"timestamp": at.isoformat(), "activity": activity, "amount": amount} for at, activity, amount in trace[:length]]}
            for trace in cases for length in range(1, len(trace))
        ]
        version, hours = None, []
        for begin in range(0, len(records), ROWS_MAX):
            body = {"dataframe_records": records[begin:begin + ROWS_MAX]}
            for answer in self.lake.call("POST", f"/serving-endpoints/{self.name}/invocations", body)["predictions"]:
                version = answer["version"]
                hours.append(answer["hours"])
        return version, hours

    def serve(self, model):
        """Lets the endpoint answer with a model; the one before answers until it can."""
        version = str(model["version"])
        file = f"model-{version}.json"
        content = base64.b64encode(json.dumps(model).encode()).decode()
        self.lake.call("POST", "/api/2.0/workspace/import", {
            "path": f"{FOLDER}/{file}", "format": "AUTO", "content": content, "overwrite": True,
        })
        entity = {
            "name": f"forecast-{version}",
            "entity_name": f"{FOLDER}/serve.py:predict",
            "entity_version": version,
            "environment_vars": {"MODEL": file},
        }
        config = {"served_entities": [entity]}
        if self.exists:
            self.lake.call("PUT", f"/api/2.0/serving-endpoints/{self.name}/config", config)
        else:
            self.lake.call("POST", "/api/2.0/serving-endpoints", {"name": self.name, "config": config})
        # Whoever asks after this job has ended is to be answered by the new model.
        deadline = time.monotonic() + READY_SECONDS
        while True:
            state = self.lake.call("GET", f"/api/2.0/serving-endpoints/{self.name}")["state"]
            if state["ready"] == "READY" and state["config_update"] == "NOT_UPDATING":
                return
            if state["config_update"] == "UPDATE_FAILED" or time.monotonic() > deadline:
                shown = self.lake.call("GET", f"/api/2.0/serving-endpoints/{self.name}")
                raise SystemExit(f"the endpoint does not answer with version {version}: {shown}")
            time.sleep(PAUSE_SECONDS)


def main():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--schema", required=True, help="catalog.schema")
    flags.add_argument("--endpoint", required=True)
    asked = flags.parse_args()
    lake = Lake()
    endpoint = Endpoint(lake, asked.endpoint)

    cases = declarations.traces(lake.sql(declarations.LATEST.format(schema=asked.schema, cases=CASES)))
    split = int(len(cases) * LEARNED_ON)
    earlier, later = cases[:split], cases[split:]
    if len(later) < 30:
        raise SystemExit(f"{len(cases)} paid declarations are too few to hold some out: let more come in first")
    activities = sorted({activity for trace in earlier for _, activity, _ in trace})
    known, last, took = declarations.moments(earlier, activities)
    unseen, last_unseen, took_unseen = declarations.moments(later, activities)
    print(f"learned on {len(earlier)} declarations until {earlier[-1][-1][0]:%Y-%m-%d}, measured on {len(later)} until {later[-1][-1][0]:%Y-%m-%d}")

    served_version, served = endpoint.forecasts(later) if endpoint.exists else (None, None)
    model = learn(known, took)
    new = written(model, activities, 1 if served_version is None else served_version + 1)
    of_new = [serve.forecast(new, row) for row in unseen]
    # What is served must be what was learned.
    sample = random.Random(SEED).sample(range(len(unseen)), min(200, len(unseen)))
    apart = max(abs(of_new[place] - float(model.predict([unseen[place]])[0])) for place in sample)
    if apart > 1e-6:
        raise SystemExit(f"the model as it is served differs by {apart} h from the one that was learned")

    usual = naive(last, took)
    errors = {
        "new": mean(abs(forecast - hours) for forecast, hours in zip(of_new, took_unseen)),
        "naive": mean(abs(usual(activity) - hours) for activity, hours in zip(last_unseen, took_unseen)),
    }
    if served is not None:
        errors["served"] = mean(abs(forecast - hours) for forecast, hours in zip(served, took_unseen))
    for who, error in errors.items():
        print(f"  {who}: mean error {error:.1f} h")
    better = all(errors["new"] < error for who, error in errors.items() if who != "new")
    if better:
        endpoint.serve(new)
    print(json.dumps({
        "decision": "served" if better else "kept back",
        "version": new["version"] if better else served_version,
        "error_new": round(errors["new"], 2),
        "error_naive": round(errors["naive"], 2),
        "error_served": round(errors["served"], 2) if "served" in errors else None,
        "learned_on": len(earlier),
        "measured_on": len(later),
        "latest": later[-1][-1][0].isoformat() + "Z",
    }))


if __name__ == "__main__":
    main()
