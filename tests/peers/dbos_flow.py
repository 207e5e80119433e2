"""The flow of `cargo xtask bench flows` in DBOS: four steps and one workflow,
behind a front of the standard library."""

import http.client
import http.server
import json
import socketserver
import sys
import threading

from dbos import DBOS

port, sink, database = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
DBOS(config={"name": "orders", "system_database_url": database, "log_level": "ERROR", "sys_db_pool_size": 40})
kept = threading.local()


def ask(method, path, body=None):
    for connection in (getattr(kept, "connection", None), None):
        connection = connection or http.client.HTTPConnection("127.0.0.1", sink, timeout=60)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"content-type": "application/json"})
            answer = json.loads(connection.getresponse().read())
            kept.connection = connection
            return answer
        except (OSError, http.client.HTTPException):
            kept.connection = None
    raise ConnectionError("the sink does not answer")


@DBOS.step()
def set_variables(order):
    return {"order": order["orderId"], "amount": order["amount"]}


@DBOS.step()
def is_large(amount):
    return amount > 100


@DBOS.step()
def mapped(order, amount, items):
    return {"id": order, "total": amount * 1.2, "n": len(items)}


@DBOS.step()
def call(body):
    return ask("POST", "/orders", body)


@DBOS.step()
def status():
    return ask("GET", "/status")["state"]


@DBOS.workflow()
def hook(order, calls=True):
    values = set_variables(order)
    if not is_large(values["amount"]):
        return None
    body = mapped(values["order"], values["amount"], order["items"])
    return call(body) if calls else body


@DBOS.workflow()
def poll(order):
    for _ in range(20):
        DBOS.sleep(0.1)
        if status() != "running":
            return


@DBOS.workflow()
def sleep(order):
    values = set_variables(order)
    DBOS.sleep(order["wait"])
    call({"id": values["order"]})


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, answer = 200, {}
        if self.path == "/hook":
            answer = hook(order)
        elif self.path == "/pure":
            answer = hook(order, False)
        else:
            status = 202
            DBOS.start_workflow({"/later": hook, "/poll": poll, "/sleep": sleep}[self.path], order)
        text = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
        self.wfile.write(head.encode() + text)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 512


DBOS.launch()
Server(("127.0.0.1", port), Front).serve_forever()
