"""Calling an HTTP API with JSON, with one credential."""

import base64
import http.client
import json
import urllib.error
import urllib.request
import uuid

TIMEOUT_SECONDS = 60


class Refused(Exception):
    """The server answered, and the answer is no. `status` and `body` tell which."""

    def __init__(self, method, path, status, body):
        super().__init__(f"{method} {path} answered {status}: {body}")
        self.status = status
        self.body = body


class Unanswered(Exception):
    """Nobody answered; whether anything was done is open."""


class Client:
    """Calls one server. An answer that is not 2xx is `Refused`."""

    def __init__(self, url, authorization=None):
        self.url = url.rstrip("/")
        self.authorization = authorization

    @classmethod
    def with_app_key(cls, url, app_key):
        """`app_key` is `id:secret`, as the program takes it."""
        return cls(url, "AppKey " + base64.b64encode(app_key.encode()).decode())

    @classmethod
    def with_token(cls, url, token):
        """Sends `Bearer token`, as workspaces and most other APIs want it."""
        return cls(url, f"Bearer {token}")

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body=None, **headers):
        return self.call("POST", path, {} if body is None else body, headers)

    def put(self, path, body, **headers):
        return self.call("PUT", path, body, headers)

    def patch(self, path, body, **headers):
        return self.call("PATCH", path, body, headers)

    def delete(self, path):
        return self.call("DELETE", path)

    def call(self, method, path, body=None, headers=None):
        """Sends `body` as JSON and returns the answer's JSON, or its text if it is none."""
        data = None if body is None else json.dumps(body).encode()
        return self.send(method, path, data, {"Content-Type": "application/json", **named(headers)})

    def upload(self, path, file_name, content):
        """Sends `content` as the part `file` of a form."""
        boundary = uuid.uuid4().hex
        head = f'Content-Disposition: form-data; name="file"; filename="{file_name}"'
        body = b"".join(
            [f"--{boundary}\r\n{head}\r\n\r\n".encode(), content, f"\r\n--{boundary}--\r\n".encode()]
        )
        return self.send("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})

    def send(self, method, path, data, headers):
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        if self.authorization:
            request.add_header("Authorization", self.authorization)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return parsed(answer.read())
        except urllib.error.HTTPError as error:
            raise Refused(method, path, error.code, parsed(error.read())) from None
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(f"{method} {self.url}{path}: {error}") from None


def named(headers):
    """Makes `Idempotency-Key` of `idempotency_key`, so that headers can be keyword arguments."""
    return {name.replace("_", "-").title(): value for name, value in (headers or {}).items()}


def parsed(content):
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace")
