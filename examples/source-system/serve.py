"""A small order system: orders over REST, in a database of its own.

    ORDERS_TOKENS="flow=SECRET,world=SECRET" python3 serve.py --database orders.db --port 0

| call | does |
|---|---|
| GET /orders, ?status=open | lists orders |
| GET /orders/{id} | shows one: step, status, carrier, due date |
| PATCH /orders/{id} | gives it another carrier; `Idempotency-Key` makes a repetition harmless |
| GET /orders/{id}/changes, /events | who changed what and when; which steps happened |
| GET /outbox | how many messages wait for the connector |
| GET /clock, POST /clock, POST /load | the world that is played; a real system has none of these |

Every call bears `Authorization: Bearer SECRET`; the token's name is who did it.
Python 3.9, standard library only.
"""

import argparse
import hmac
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from book import Book, Conflict, Forbidden, Invalid, NotFound, Refusal

# The caller that stands for people, trucks and time.
WORLD = "world"
BODY_BYTES_MAX = 64 << 20
STATUS_OF = {Forbidden: 403, NotFound: 404, Invalid: 400, Conflict: 409}


def route(book, method, path, query, body, caller, key):
    """Does what a request asks for and returns the answer."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if method == "GET" and parts == ["orders"]:
        return book.orders(query.get("status", [None])[0])
    if method == "GET" and parts[0] == "orders" and len(parts) == 2:
        return book.order(parts[1])
    if method == "GET" and parts[0] == "orders" and len(parts) == 3 and parts[2] in ("changes", "events"):
        return getattr(book, parts[2])(parts[1])
    if method == "PATCH" and parts[0] == "orders" and len(parts) == 2:
        return book.change(parts[1], object_of(body), caller, key)
    if method == "GET" and parts == ["outbox"]:
        return book.outbox()
    if method == "GET" and parts == ["clock"]:
        return book.clock()
    if method == "POST" and caller != WORLD:
        raise Forbidden(f'only the token called "{WORLD}" moves time and loads orders')
    if method == "POST" and parts == ["clock"]:
        return book.play_until(object_of(body).get("now"))
    if method == "POST" and parts == ["load"]:
        wanted = object_of(body)
        missing = {"orders", "carriers", "now"} - set(wanted)
        if missing:
            raise Invalid(f"there is no {' and no '.join(sorted(missing))} to load")
        return book.load(wanted["orders"], wanted["carriers"], wanted["now"])
    raise NotFound(f"there is no {method} {path}")


def object_of(body):
    try:
        value = json.loads(body)
    except ValueError as error:
        raise Invalid(f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Invalid("the body must be a JSON object")
    return value


def handler_of(book, tokens):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.serve()

        do_PATCH = do_POST = do_PUT = do_DELETE = do_GET

        def serve(self):
            # The body is read whatever the answer, or the next request on this
            # connection would begin in its middle.
            length = int(self.headers.get("Content-Length") or 0)
            if length > BODY_BYTES_MAX:
                self.close_connection = True
                return self.answer(413, {"error": f"a body has at most {BODY_BYTES_MAX} bytes"})
            body = self.rfile.read(length)
            caller = self.caller()
            if caller is None:
                return self.answer(401, {"error": "the token is missing or unknown: send Authorization: Bearer TOKEN"})
            asked = urlsplit(self.path)
            key = self.headers.get("Idempotency-Key")
            try:
                answer = route(book, self.command, asked.path, parse_qs(asked.query), body, caller, key)
            except Refusal as refusal:
                return self.answer(STATUS_OF[type(refusal)], {"error": str(refusal)})
            self.answer(200, answer)

        def caller(self):
            kind, _, given = self.headers.get("Authorization", "").partition(" ")
            for name, token in tokens.items():
                if kind == "Bearer" and hmac.compare_digest(given.encode(), token.encode()):
                    return name
            return None

        def answer(self, status, body):
            if status >= 400:
                print(f"{self.command} {self.path}: {status} {body}", file=sys.stderr, flush=True)
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, form, *values):
            pass

    return Handler


def main():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--database", default="orders.db")
    flags.add_argument("--port", type=int, default=8090)
    flags = flags.parse_args()
    given = os.environ.get("ORDERS_TOKENS")
    if not given:
        sys.exit('ORDERS_TOKENS is not set: say who may call, such as "flow=SECRET,world=SECRET"')
    tokens = dict(pair.split("=", 1) for pair in given.split(","))
    server = ThreadingHTTPServer(("127.0.0.1", flags.port), handler_of(Book(flags.database), tokens))
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
