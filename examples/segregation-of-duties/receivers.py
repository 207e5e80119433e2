"""Receives what the flow tells people: a mail server and a channel, each on a port of its own.

    python receivers.py FOLDER

The mail server is that of `aiosmtpd`; the channel takes what Slack's incoming webhooks
take. What arrives is kept as files in FOLDER, one for each mail and message.
"""

import email
import email.policy
import http.server
import itertools
import json
import pathlib
import sys

from aiosmtpd.controller import Controller

FOLDER = pathlib.Path(sys.argv[1])
numbers = itertools.count(1)


def keep(kind, content):
    """A file is there whole or not at all."""
    file = FOLDER / f"{kind}-{next(numbers):04}.json"
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content), encoding="utf-8")
    part.rename(file)


class Mailbox:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        keep("mail", {"to": envelope.rcpt_tos, "subject": mail["Subject"], "text": mail.get_content()})
        return "250 2.0.0 queued"


class MailServer(Controller):
    def _trigger_server(self):
        # The port was 0: the system has chosen one.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Channel(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")
        right = bool(body.get("text"))
        if right:
            keep("message", body)
        answer = b"ok" if right else b"no_text"
        self.send_response(200 if right else 400)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


mails = MailServer(Mailbox(), hostname="127.0.0.1", port=0)
mails.start()
channel = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Channel)
print(f"listening on http://127.0.0.1:{mails.port}", flush=True)
print(f"listening on http://127.0.0.1:{channel.server_address[1]}", flush=True)
channel.serve_forever()
