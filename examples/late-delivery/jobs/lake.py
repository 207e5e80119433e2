"""SQL and files of a Databricks workspace, over its REST API.

A task is given the address and a token of its workspace in its environment, here
as in the cloud. Standard library only.
"""

import json
import os
import pathlib
import urllib.error
import urllib.request


class Lake:
    def __init__(self):
        self.host = os.environ["DATABRICKS_HOST"].rstrip("/")
        self.host = self.host if "://" in self.host else f"https://{self.host}"
        self.token = os.environ["DATABRICKS_TOKEN"]
        warehouses = self.call("GET", "/api/2.0/sql/warehouses").get("warehouses", [])
        if not warehouses:
            raise SystemExit("the workspace has no SQL warehouse: make one, or allow this job's owner to use one")
        self.warehouse = warehouses[0]["id"]

    def sql(self, statement, **parameters):
        """Returns the rows of a statement, each as a dictionary of texts; `:name` are its parameters."""
        answer = self.call("POST", "/api/2.0/sql/statements", {
            "warehouse_id": self.warehouse,
            "statement": statement,
            "parameters": [{"name": name, "value": str(value)} for name, value in parameters.items()],
            "wait_timeout": "50s",
            "on_wait_timeout": "CANCEL",
        })
        if answer["status"]["state"] != "SUCCEEDED":
            said = answer["status"].get("error", {}).get("message", "without a word")
            raise SystemExit(f"a statement ended as {answer['status']['state']}: {said} ({' '.join(statement.split())})")
        columns = [column["name"] for column in answer["manifest"]["schema"].get("columns", [])]
        rows, chunk = [], answer.get("result", {})
        while True:
            rows += [dict(zip(columns, row)) for row in chunk.get("data_array") or []]
            if not chunk.get("next_chunk_internal_link"):
                return rows
            chunk = self.call("GET", chunk["next_chunk_internal_link"])

    def volume(self, schema, name):
        """Returns the folder of a volume; makes the volume if it is not there."""
        catalog, schema = schema.replace("`", "").split(".")
        volumes = self.call("GET", f"/api/2.1/unity-catalog/volumes?catalog_name={catalog}&schema_name={schema}")
        if name not in [volume["name"] for volume in volumes.get("volumes", [])]:
            made = {"catalog_name": catalog, "schema_name": schema, "name": name, "volume_type": "MANAGED"}
            self.call("POST", "/api/2.1/unity-catalog/volumes", made)
        # The local workspace says where /Volumes is; in the cloud it is there.
        folder = pathlib.Path(os.environ.get("LOOPWRIGHT_VOLUMES", "/Volumes"), catalog, schema, name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.host + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            said = error.read(2000).decode(errors="replace")
            raise SystemExit(f"{method} {path}: {error.code} {said}") from None
