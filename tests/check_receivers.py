"""Lets flows send mail and messages to receivers that we did not write: the
SMTP server of `aiosmtpd`, over TLS and with a login, and a receiver of Slack's
calls over the HTTP server of Python.

    python tests/check_receivers.py PATH_OF_LOOPWRIGHT
"""

import base64
import email
import email.policy
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

KEY = "receivers:only-for-tests"
KEY_TEXT = base64.b64encode(KEY.encode()).decode()
PASSWORD = b"a password of tests"


class Mailbox:
    """Keeps mails; there is no user called nobody, and slow asks for patience."""

    def __init__(self):
        self.mails = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 5.1.1 no such user"
        if address.startswith("slow"):
            return "450 4.7.28 too many mails"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        text = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((session.ssl is not None, envelope.mail_from, envelope.rcpt_tos, text))
        return "250 2.0.0 queued as 42"


def right(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"ann" and data.password == PASSWORD, handled=False)


class MailServer(Controller):
    def __init__(self, mailbox, context):
        self.context = context
        super().__init__(mailbox, hostname="127.0.0.1", port=0)

    def factory(self):
        return SMTP(self.handler, tls_context=self.context, require_starttls=True, authenticator=right, auth_required=True)

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Slack(http.server.BaseHTTPRequestHandler):
    """Answers as Slack does: what is wrong is said in a 200."""

    messages = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")
        if self.path == "/services/T/B/s3cret":
            return self.say(200, "ok") if body.get("text") else self.say(400, "no_text")
        if self.path.startswith("/services"):
            return self.say(404, "no_service")
        if self.headers["Authorization"] != "Bearer xoxb-right":
            return self.tell({"ok": False, "error": "invalid_auth"})
        if self.path == "/api/auth.test":
            return self.tell({"ok": True, "team": "Tests", "user": "loopwright"})
        if body["channel"] == "#busy":
            return self.say(429, "", {"Retry-After": "7"})
        if body["channel"] == "#closed":
            return self.tell({"ok": False, "error": "not_in_channel"})
        self.messages.append(body)
        return self.tell({"ok": True, "channel": "C1", "ts": "1.2", "message": {"text": body["text"]}})

    def tell(self, answer):
        self.say(200, json.dumps(answer), {"Content-Type": "application/json"})

    def say(self, status, text, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def certificate(folder):
    """Makes a certificate of our own for 127.0.0.1."""
    names = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-subj", "/CN=localhost"]
    files = ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    return f"{folder}/cert.pem", context


class Server:
    def __init__(self, program, data, authorities):
        environment = {
            **os.environ,
            "LOOPWRIGHT_BOOTSTRAP_APP_KEY": KEY,
            "LOOPWRIGHT_EGRESS_ALLOW": "127.0.0.0/8",
            "LOOPWRIGHT_CA_FILE": authorities,
            "LOOPWRIGHT_LOG": "error",
        }
        command = [program, "serve", "--data", data, "--listen", "127.0.0.1:0", "--workspace-listen", "off"]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip().removeprefix("listening on ")

    def call(self, method, path, body=None, kind="application/json"):
        data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Authorization", f"AppKey {KEY_TEXT}")
        request.add_header("Content-Type", kind)
        for _ in range(100):
            try:
                with urllib.request.urlopen(request) as answer:
                    text = answer.read()
                    return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise RuntimeError(f"{method} {path}: {error.code} {error.read()}") from error
                time.sleep(0.1)
        raise RuntimeError("the server does not get ready")

    def run(self, module, parameters, mapper):
        flow = {"flow": [{"id": 1, "module": module, "parameters": parameters, "mapper": mapper}]}
        self.call("PUT", "/api/v1/flows/f", json.dumps(flow), "application/yaml")
        run = self.call("POST", "/api/v1/flows/f/run", {})["id"]
        for _ in range(300):
            details = self.call("GET", f"/api/v1/runs/{run}")
            if details["state"] != "live":
                return details
            time.sleep(0.1)
        raise RuntimeError(f"run {run} does not end")


def fails(details, *expected):
    assert details["outcome"] == "error", details
    for part in expected:
        assert part in details["reason"], details["reason"]


def check_mail(server, port, mailbox):
    connection = {"kind": "smtp", "host": "127.0.0.1", "port": port, "tls": "starttls", "user": "ann",
                  "from": "Orders <orders@y.example>"}
    server.call("PUT", "/api/v1/connections/mail", {**connection, "password": PASSWORD.decode()})
    server.call("PUT", "/api/v1/connections/wrong", {**connection, "password": "another"})
    tested = server.call("POST", "/api/v1/connections/mail/test")
    assert tested["ok"], tested
    tested = server.call("POST", "/api/v1/connections/wrong/test")
    assert not tested["ok"] and "refused the login" in tested["said"], tested

    mail = {"to": ["Ann <ann@x.example>"], "cc": ["cid@x.example"], "bcc": ["boss@x.example"],
            "subject": "Bestellung 17 ist spät – bitte ansehen", "contentType": "html", "text": "Grüße",
            "html": "<p>Grüße <img src='cid:logo'></p>", "replyTo": "team@y.example", "priority": "high",
            "inReplyTo": "<1@z.example>", "references": ["<0@z.example>", "<1@z.example>"],
            "headers": [{"key": "X-Case", "value": "17"}],
            "attachments": [{"fileName": "logo.png", "data": "PNG", "cid": "logo"},
                            {"fileName": "Zeilen – März.csv", "data": "a;b\nä;ö\n"}]}
    details = server.run("email:ActionSendEmail", {"connection": "mail"}, mail)
    assert details["outcome"] == "success", details["reason"]
    is_secure, sender, recipients, text = mailbox.mails.pop()
    assert is_secure and sender == "orders@y.example", sender
    assert recipients == ["ann@x.example", "cid@x.example", "boss@x.example"], recipients
    assert text["Subject"] == mail["subject"] and text["Bcc"] is None and text["X-Case"] == "17", text
    assert text["Message-ID"] == details["operations"][0]["output"][0]["messageId"], text["Message-ID"]
    assert text["In-Reply-To"] == "<1@z.example>" and text["References"] == "<0@z.example> <1@z.example>"
    assert text.get_body(("plain",)).get_content().strip() == "Grüße"
    assert text.get_body(("html",)).get_content().strip() == mail["html"]
    [attached] = [part for part in text.iter_attachments() if part.get_filename() == "Zeilen – März.csv"]
    assert attached.get_content().replace("\r", "") == "a;b\nä;ö\n", attached.get_content()
    [shown] = [part for part in text.walk() if part["Content-ID"] == "<logo>"]
    assert shown.get_content_type() == "image/png"

    plain = {"to": ["ann@x.example"], "subject": "s", "contentType": "text", "text": "t"}
    fails(server.run("email:ActionSendEmail", {"connection": "mail"}, {**plain, "to": ["nobody@x.example"]}),
          "DataError", "no such user")
    fails(server.run("email:ActionSendEmail", {"connection": "mail"}, {**plain, "to": ["slow@x.example"]}),
          "RateLimitError", "too many mails")
    fails(server.run("email:ActionSendEmail", {"connection": "wrong"}, plain), "InvalidAccessTokenError")
    injected = {**plain, "subject": "s\r\nBcc: all@x.example"}
    fails(server.run("email:ActionSendEmail", {"connection": "mail"}, injected), "BundleValidationError", "subject")
    assert not mailbox.mails, mailbox.mails


def check_slack(server, address):
    for name, token in [("slack", "xoxb-right"), ("wrong-slack", "xoxb-wrong")]:
        body = {"kind": "slack", "token": token, "base": f"{address}/api"}
        server.call("PUT", f"/api/v1/connections/{name}", body)
    for name, path in [("hook", "/services/T/B/s3cret"), ("gone", "/services/T/B/gone")]:
        server.call("PUT", f"/api/v1/connections/{name}", {"kind": "slack-webhook", "url": address + path})
    said = {name: server.call("POST", f"/api/v1/connections/{name}/test") for name in ["slack", "wrong-slack", "hook", "gone"]}
    assert [said[name]["ok"] for name in said] == [True, False, True, False], said
    assert "s3cret" not in json.dumps(said) and "\"Tests\"" in said["slack"]["said"], said

    message = {"channel": "#late", "text": "Order 17", "blocks": '[{"type": "divider"}]', "thread_ts": "1.1",
               "reply_broadcast": True, "unfurl_links": False, "username": "Orders", "icon_emoji": ":truck:"}
    details = server.run("slack:CreateMessage", {"connection": "slack"}, message)
    assert details["operations"][0]["output"][0]["ts"] == "1.2", details
    assert Slack.messages == [{**message, "blocks": [{"type": "divider"}]}], Slack.messages
    assert server.run("slack:CreateMessage", {"connection": "hook"}, {"text": "hi"})["outcome"] == "success"
    for connection, channel, expected in [
        ("slack", "#closed", ["DataError", "not_in_channel"]),
        ("slack", "#busy", ["RateLimitError"]),
        ("wrong-slack", "#late", ["InvalidAccessTokenError", "invalid_auth"]),
        ("gone", "", ["InvalidConfigurationError", "no_service"]),
    ]:
        details = server.run("slack:CreateMessage", {"connection": connection}, {"channel": channel, "text": "hi"})
        fails(details, *expected)


def main():
    folder = tempfile.TemporaryDirectory()
    authorities, context = certificate(folder.name)
    mailbox = Mailbox()
    mail = MailServer(mailbox, context)
    mail.start()
    slack = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slack)
    threading.Thread(target=slack.serve_forever, daemon=True).start()
    server = Server(sys.argv[1], str(pathlib.Path(folder.name) / "data"), authorities)
    try:
        check_mail(server, mail.port, mailbox)
        check_slack(server, f"http://127.0.0.1:{slack.server_port}")
    finally:
        server.process.terminate()
        server.process.wait()
        mail.stop()
    print("receivers of others read what flows send")


main()
