"""WeChat's side, for tests: a small server that plays its API, and a client that pushes messages to the bot.

Written from the protocol with the standard library and `cryptography`; it shares no code with the product or
with wechatpy, so that a mistake on our side cannot be mirrored here. As its own process:

    python -m tests.support.wechat_platform --app-id wxtest --secret s3cret      (prints its address as JSON)

Control of the server, JSON in and out, under /control/: `sent` (what the bot sent out), `calls`, `state`,
`reset`, `clock` {"advance": seconds}, `interaction` {"openid", "kind": message|menu|subscribe|scan|...},
`fault` {"path": ..., "times": n, "errcode" (and "errmsg") | "http" | "delay" | "raw": ...}, `quota` {"daily": n},
`media` (raw body, ?kind=image), `tokens` {"how": "invalid" | "expired"}, `consent` {"openid", "template_id"},
`login` {"openid", "deny", "snapshot"}.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import itertools
import json
import os
import secrets
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ROOT = Path(__file__).resolve().parents[2]
MINUTE, HOUR, DAY = 60, 3600, 86400
# What an action lets the account send, and for how long.
GRANTS = {"message": (5, 48 * HOUR), "menu": (3, MINUTE), "subscribe": (3, MINUTE), "scan": (3, MINUTE)}


# The seal ---------------------------------------------------------------------------------------------


def sign(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def _cipher(aes_key: str) -> Cipher[modes.CBC]:
    key = base64.b64decode(aes_key + "=")
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def seal_bytes(aes_key: str, raw: bytes) -> str:
    """Encrypt `raw` as it is (a multiple of 16 bytes): for well-signed nonsense."""
    encryptor = _cipher(aes_key).encryptor()
    return base64.b64encode(encryptor.update(raw) + encryptor.finalize()).decode()


def seal(aes_key: str, app_id: str, text: str | bytes, *, pad: int | None = None, length: int | None = None) -> str:
    """The <Encrypt> of `text`. pad, length: lie about the last byte or the length field."""
    body = text.encode() if isinstance(text, str) else text
    raw = os.urandom(16) + struct.pack(">I", len(body) if length is None else length) + body + app_id.encode()
    padding = 32 - len(raw) % 32
    raw += bytes([padding]) * padding
    return seal_bytes(aes_key, raw if pad is None else raw[:-1] + bytes([pad]))


def unseal(aes_key: str, app_id: str, sealed: str) -> str:
    decryptor = _cipher(aes_key).decryptor()
    raw = decryptor.update(base64.b64decode(sealed, validate=True)) + decryptor.finalize()
    padding = raw[-1]
    assert raw[-padding:] == bytes([padding]) * padding, "bad padding"
    assert 1 <= padding <= 32
    raw = raw[16:-padding]
    (length,) = struct.unpack(">I", raw[:4])
    assert raw[4 + length :].decode() == app_id, "another app id"
    return raw[4 : 4 + length].decode()


# Messages ---------------------------------------------------------------------------------------------

_message_ids = itertools.count(24_000_000_000_000_000)


def xml_of(fields: dict[str, Any], root: str = "xml") -> str:
    """Fields as WeChat writes them; a list repeats its element."""

    def element(name: str, value: Any) -> str:
        if isinstance(value, list):
            return "".join(element(name, one) for one in value)
        if isinstance(value, dict):
            return f"<{name}>{''.join(element(*pair) for pair in value.items())}</{name}>"
        if isinstance(value, (int, float)):
            return f"<{name}>{value}</{name}>"
        return f"<{name}><![CDATA[{str(value).replace(']]>', ']]]]><![CDATA[>')}]]></{name}>"

    return element(root, fields)


@dataclass
class Answer:
    """What the bot answered. xml: the passive reply in plain, "" for none. problems: WeChat's complaints."""

    status: int | None = None
    body: str = ""
    xml: str = ""
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def fields(self) -> dict[str, str]:
        return {one.tag: one.text or "" for one in ElementTree.fromstring(self.xml)} if self.xml else {}

    @property
    def text(self) -> str:
        """The words of a text reply, "" when there is none."""
        return self.fields.get("Content", "")


@dataclass
class Phone:
    """One resident's WeChat, seen from WeChat's servers: builds, signs, encrypts and delivers callbacks."""

    url: str
    token: str
    aes_key: str
    app_id: str
    openid: str = field(default_factory=lambda: "o" + secrets.token_hex(13) + "x")
    account: str = "gh_bihuan"
    mode: str = "safe"
    platform: str | None = None
    timeout_s: float = 120.0

    # building

    def now(self) -> float:
        """What WeChat's clock says, in seconds since 1970."""
        return time.time()

    def message(self, kind: str, **fields: Any) -> str:
        head = {
            "ToUserName": self.account,
            "FromUserName": self.openid,
            "CreateTime": int(self.now()),
            "MsgType": kind,
        }
        if kind != "event":
            fields.setdefault("MsgId", next(_message_ids) + secrets.randbelow(10**9) * 10**6)
        return xml_of({**head, **fields})

    def event(self, name: str, key: str | None = "", **fields: Any) -> str:
        return self.message("event", Event=name, **({} if key is None else {"EventKey": key}), **fields)

    # delivering

    def says(self, text: str) -> Answer:
        return self.deliver(self.message("text", Content=text))

    def shows(self, media_id: str) -> Answer:
        return self.deliver(self.message("image", PicUrl="http://mmbiz.example/0", MediaId=media_id))

    def is_at(self, latitude: float, longitude: float, label: str = "") -> Answer:
        """latitude, longitude: GCJ-02, as WeChat's own picker gives them."""
        return self.deliver(self.message("location", Location_X=latitude, Location_Y=longitude, Scale=16, Label=label))

    def does(self, event: str, key: str | None = "", **fields: Any) -> Answer:
        return self.deliver(self.event(event, key, **fields))

    def deliver(self, xml: str) -> Answer:
        self._tell_platform(xml)
        return self.post(*self.request(xml))

    def deliver_at_once(self, xml: str, times: int) -> list[Answer]:
        """The same message `times` times together, as after a time-out."""
        self._tell_platform(xml)
        answers: list[Answer] = [Answer()] * times
        requests = [self.request(xml) for _ in range(times)]
        start = threading.Barrier(times)

        def one(index: int) -> None:
            start.wait()
            answers[index] = self.post(*requests[index])

        threads = [threading.Thread(target=one, args=(index,)) for index in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def query(self, *, at: float | None = None, **extra: str) -> dict[str, str]:
        stamp, nonce = str(int(time.time() if at is None else at)), str(secrets.randbelow(10**10))
        return {"signature": sign(self.token, stamp, nonce), "timestamp": stamp, "nonce": nonce, **extra}

    def request(self, xml: str, *, at: float | None = None, sealed: str | None = None) -> tuple[str, bytes]:
        """(address, body) of one honest delivery, except for what the arguments say."""
        query = self.query(at=at, openid=self.openid)
        if self.mode == "plain":
            return f"{self.url}?{urllib.parse.urlencode(query)}", xml.encode()
        sealed = sealed if sealed is not None else seal(self.aes_key, self.app_id, xml)
        query |= {
            "encrypt_type": "aes",
            "msg_signature": sign(self.token, query["timestamp"], query["nonce"], sealed),
        }
        body = xml_of({"ToUserName": self.account, "Encrypt": sealed})
        if self.mode == "compatible":
            body = xml.removesuffix("</xml>") + f"<Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
        return f"{self.url}?{urllib.parse.urlencode(query)}", body.encode()

    def post(self, url: str, body: bytes | None) -> Answer:
        """Send it as it is; with no body it is the GET that verifies the address."""
        answer, began = Answer(), time.monotonic()
        request = urllib.request.Request(url, body, {"Content-Type": "text/xml"} if body is not None else {})
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as response:
                answer.status, answer.body = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            answer.status, answer.body = error.code, error.read().decode(errors="replace")
        except OSError as error:
            answer.problems.append(f"no answer: {type(error).__name__}")
        answer.seconds = time.monotonic() - began
        if answer.status == 200 and body is not None:
            self._check(answer)
        elif answer.status is not None and answer.status >= 500:
            answer.problems.append(f"HTTP {answer.status}")
        return answer

    def _check(self, answer: Answer) -> None:
        if answer.body.strip() in ("", "success"):
            return
        try:
            root = ElementTree.fromstring(answer.body)
            if self.mode != "plain":
                part = {one.tag: one.text or "" for one in root}
                expected = sign(self.token, part["TimeStamp"], part["Nonce"], part["Encrypt"])
                if not hmac.compare_digest(expected, part["MsgSignature"]):
                    answer.problems.append("bad MsgSignature")
                answer.xml = unseal(self.aes_key, self.app_id, part["Encrypt"])
                root = ElementTree.fromstring(answer.xml)
            else:
                answer.xml = answer.body
        except (ElementTree.ParseError, KeyError, ValueError, AssertionError) as error:
            answer.problems.append(f"unreadable reply: {error!r}")
            return
        names = sorted(one.tag for one in root)
        if names != sorted(["ToUserName", "FromUserName", "CreateTime", "MsgType", "Content"]):
            answer.problems.append(f"fields are {names}")
        elif (answer.fields["ToUserName"], answer.fields["FromUserName"]) != (self.openid, self.account):
            answer.problems.append("sender and receiver are not swapped")
        elif not answer.fields["CreateTime"].isdecimal() or answer.fields["MsgType"] != "text":
            answer.problems.append("CreateTime or MsgType is wrong")
        elif not 0 < len(answer.text.encode()) <= 2048:
            answer.problems.append("the text is empty or longer than 2048 bytes")

    def _tell_platform(self, xml: str) -> None:
        """WeChat knows of the interaction before the bot does; it opens the sending window."""
        if self.platform is None:
            return
        root = ElementTree.fromstring("".join(c for c in xml if c >= " " or c in "\t\n\r"))
        kind, event = root.findtext("MsgType"), (root.findtext("Event") or "").lower()
        menu = ("click", "scancode_push", "scancode_waitmsg")
        done = "message" if kind != "event" else "menu" if event in menu else event
        if done in GRANTS or done == "unsubscribe":
            call(f"{self.platform}/control/interaction", {"openid": self.openid, "kind": done})


# The API ----------------------------------------------------------------------------------------------


class Refused(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


class Platform:
    """The state of the played WeChat; every method runs under its lock."""

    def __init__(self, app_id: str, secret: str) -> None:
        self.app_id, self.secret = app_id, secret
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.offset = 0.0
        self.tokens: dict[str, tuple[float, str]] = {}
        self.present: dict[str, str] = {}
        self.users: dict[str, dict[str, Any]] = {}
        self.media: dict[str, tuple[str, bytes, float]] = {}
        self.consents: dict[str, int] = {}
        self.sent: list[dict[str, Any]] = []
        self.calls: list[dict[str, Any]] = []
        self.faults: list[dict[str, Any]] = []
        self.codes: dict[str, tuple[str, float, bool]] = {}
        self.login: dict[str, Any] = {"openid": "oVisitor", "deny": False}
        self.menu: Any = None
        self.client_ids: dict[str, int] = {}
        self.ids = itertools.count(1001)
        self.daily = 500_000

    def now(self) -> float:
        return time.time() + self.offset

    def issue(self, kind: str, force: bool) -> dict[str, Any]:
        present = self.present.get(kind, "")
        until, state = self.tokens.get(present, (0.0, "none"))
        if kind == "stable_token" and state == "good" and until - self.now() > 5 * MINUTE and not force:
            return {"access_token": present, "expires_in": int(until - self.now())}
        if present in self.tokens:
            self.tokens[present] = (min(until, self.now() + 5 * MINUTE), "bad" if force else state)
        token = secrets.token_urlsafe(90)
        self.tokens[token], self.present[kind] = (self.now() + 2 * HOUR, "good"), token
        return {"access_token": token, "expires_in": 2 * HOUR}

    def check_token(self, token: str) -> None:
        if not token:
            raise Refused(41001)
        until, state = self.tokens.get(token, (0.0, "none"))
        if state != "good":
            raise Refused(40001)
        if until <= self.now():
            raise Refused(42001)

    def check_app(self, given: dict[str, Any]) -> None:
        if given.get("appid") != self.app_id:
            raise Refused(40013)
        if given.get("secret") != self.secret:
            raise Refused(40125)

    def interaction(self, openid: str, kind: str) -> None:
        user = self.users.setdefault(openid, {"follows": True, "grants": {}})
        if kind == "unsubscribe":
            user.update(follows=False, grants={})
            return
        user["follows"] = True
        count, seconds = GRANTS[kind]
        user["grants"][kind] = [count, self.now() + seconds]

    def record(self, path: str, body: dict[str, Any]) -> int:
        number = next(self.ids)
        self.sent.append({"id": number, "path": path, "openid": body.get("touser"), "body": body})
        return number

    def send_custom(self, body: dict[str, Any]) -> dict[str, Any]:
        user = self.users.get(body.get("touser", ""))
        if user is None:
            raise Refused(40003)
        if body.get("msgtype") == "text" and len(str(body["text"]["content"]).encode()) > 2048:
            raise Refused(45002)
        live = [grant for grant in user["grants"].values() if grant[1] > self.now()]
        if not live or not user["follows"]:
            raise Refused(45015)
        for grant in sorted(live, key=lambda one: one[1]):
            if grant[0] > 0:
                grant[0] -= 1
                self.record("/cgi-bin/message/custom/send", body)
                return {}
        raise Refused(45047)

    def send_template(self, body: dict[str, Any]) -> dict[str, Any]:
        user = self.users.get(body.get("touser", ""))
        if user is None:
            raise Refused(40003)
        if not body.get("template_id"):
            raise Refused(40037)
        if not user["follows"]:
            raise Refused(43004)
        if not isinstance(body.get("data"), dict):
            raise Refused(47001)
        ours = str(body.get("client_msg_id") or secrets.token_hex(8))
        if ours not in self.client_ids:
            self.client_ids[ours] = self.record("/cgi-bin/message/template/send", body)
        return {"msgid": self.client_ids[ours]}

    def send_notice(self, body: dict[str, Any]) -> dict[str, Any]:
        consent = f"{body.get('touser')} {body.get('template_id')}"
        if self.consents.get(consent, 0) <= 0:
            raise Refused(43101)
        self.consents[consent] -= 1
        return {"msgid": self.record("/cgi-bin/message/subscribe/bizsend", body)}

    def create_menu(self, body: dict[str, Any]) -> dict[str, Any]:
        buttons = body.get("button")
        if not isinstance(buttons, list) or not 1 <= len(buttons) <= 3:
            raise Refused(40016)
        for top in buttons:
            if len(top.get("sub_button", [])) > 5:
                raise Refused(40017)
            for button in [top, *top.get("sub_button", [])]:
                if len(str(button.get("key", "")).encode()) > 128 or len(str(button.get("url", "")).encode()) > 1024:
                    raise Refused(40054)
                limit = 16 if button is top else 60
                if not 0 < len(str(button.get("name", "")).encode()) <= limit:
                    raise Refused(40018)
        self.menu = body
        return {}

    def present_menu(self) -> dict[str, Any]:
        if self.menu is None:
            raise Refused(46003)
        return {"menu": self.menu}

    def delete_menu(self) -> dict[str, Any]:
        self.menu = None
        return {}

    def ticket(self) -> dict[str, Any]:
        return {"ticket": "jsapi-ticket", "expires_in": 7200}

    def addresses(self) -> dict[str, Any]:
        return {"ip_list": ["101.226.62.77", "101.226.62.78"]}

    def quota(self, body: dict[str, Any]) -> dict[str, Any]:
        """Of the calls that count by day; what was used is what was asked."""
        path = str(body.get("cgi_path", ""))
        if path not in POSTS:
            raise Refused(76021)
        used = sum(one["path"] == path for one in self.calls)
        return {"quota": {"daily_limit": self.daily, "used": used, "remain": max(self.daily - used, 0)}}

    def visitor(self, code: str) -> dict[str, Any]:
        """Whoever came with this code, once, within five minutes."""
        openid, until, is_used = self.codes.get(code, ("", 0.0, False))
        if not openid or until <= self.now():
            raise Refused(40029)
        if is_used:
            raise Refused(40163)
        self.codes[code] = (openid, until, True)
        snapshot = {"is_snapshotuser": 1} if self.login.get("snapshot") else {}
        return {"access_token": secrets.token_hex(8), "openid": openid, "scope": "snsapi_base", **snapshot}

    def create_code(self, body: dict[str, Any]) -> dict[str, Any]:
        scene = body.get("action_info", {}).get("scene", {}).get("scene_str", "")
        if not 1 <= len(str(scene).encode()) <= 64:
            raise Refused(40053)
        return {
            "ticket": "gQ" + secrets.token_urlsafe(60),
            "url": "http://weixin.qq.com/q/" + secrets.token_hex(8),
        }

    def fetch_media(self, media_id: str) -> tuple[str, bytes]:
        kind, data, until = self.media.get(media_id, ("", b"", 0.0))
        if not kind or until <= self.now():
            raise Refused(40007)
        return kind, data


GETS = {
    "/cgi-bin/menu/get": Platform.present_menu,
    "/cgi-bin/menu/delete": Platform.delete_menu,
    "/cgi-bin/ticket/getticket": Platform.ticket,
    "/cgi-bin/get_api_domain_ip": Platform.addresses,
    "/cgi-bin/getcallbackip": Platform.addresses,
}
POSTS = {
    "/cgi-bin/message/custom/send": Platform.send_custom,
    "/cgi-bin/message/template/send": Platform.send_template,
    "/cgi-bin/message/subscribe/bizsend": Platform.send_notice,
    "/cgi-bin/menu/create": Platform.create_menu,
    "/cgi-bin/qrcode/create": Platform.create_code,
    "/cgi-bin/openapi/quota/get": Platform.quota,
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    platform: Platform

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_one()

    def do_POST(self) -> None:
        self.handle_one()

    def handle_one(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        if parts.path.startswith("/control/"):
            with self.platform.lock:
                self.answer(self.control(parts.path.removeprefix("/control/"), query, raw))
            return
        with self.platform.lock:
            told = {k: v for k, v in query.items() if k != "access_token"}
            self.platform.calls.append({"path": parts.path, "query": told, "time": time.time()})
            fault = next((one for one in self.platform.faults if one["path"] in ("*", parts.path)), None)
            if fault:
                fault["times"] -= 1
                if fault["times"] <= 0:
                    self.platform.faults.remove(fault)
        if fault:
            time.sleep(fault.get("delay", 0))
            if "http" in fault or "raw" in fault:
                self.answer(fault.get("raw", "<html>fault</html>").encode(), fault.get("http", 200), "text/html")
                return
            if "errcode" in fault:
                self.answer({"errcode": fault["errcode"], "errmsg": fault.get("errmsg", "injected rid: 0")})
                return
        try:
            with self.platform.lock:
                self.serve(parts.path, query, raw)
        except Refused as refused:
            self.answer({"errcode": refused.code, "errmsg": f"refused 拒绝 rid: {secrets.token_hex(4)}"})

    def serve(self, path: str, query: dict[str, str], raw: bytes) -> None:
        platform = self.platform
        if path in ("/cgi-bin/token", "/cgi-bin/stable_token"):
            given = query if path.endswith("/token") else json.loads(raw)
            platform.check_app(given)
            self.answer(platform.issue(path.rsplit("/", 1)[1], bool(given.get("force_refresh", False))))
        elif path == "/connect/oauth2/authorize":
            code = secrets.token_hex(16)
            platform.codes[code] = (platform.login["openid"], platform.now() + 5 * MINUTE, False)
            back = {} if platform.login["deny"] else {"code": code}
            target = query["redirect_uri"]
            join = "&" if "?" in target else "?"
            target += join + urllib.parse.urlencode({**back, "state": query.get("state", "")})
            self.answer(b"", 302, "text/html", {"Location": target})
        elif path == "/sns/oauth2/access_token":
            platform.check_app(query)
            found = platform.visitor(query.get("code", ""))
            self.answer(json.dumps(found).encode(), kind="text/plain")
        elif path == "/cgi-bin/media/get":
            platform.check_token(query.get("access_token", ""))
            kind, data = platform.fetch_media(query.get("media_id", ""))
            if kind == "video":
                self.answer(b'{"video_url": "http://example/0.mp4"}', kind="text/plain")
            else:
                self.answer(data, kind="audio/amr" if kind == "voice" else "image/jpeg")
        elif path in GETS:
            platform.check_token(query.get("access_token", ""))
            self.answer({"errcode": 0, "errmsg": "ok", **GETS[path](platform)})
        elif path in POSTS:
            platform.check_token(query.get("access_token", ""))
            try:
                body = json.loads(raw)
            except ValueError:
                raise Refused(47001) from None
            if b"\\u" in raw:  # WeChat has shown escaped characters to people as they are
                raise Refused(47001)
            self.answer({"errcode": 0, "errmsg": "ok", **POSTS[path](platform, body)})
        else:
            self.answer(b"not found", 404, "text/plain")

    def control(self, name: str, query: dict[str, str], raw: bytes) -> Any:
        platform = self.platform
        if name == "media":
            media_id = secrets.token_urlsafe(30)
            platform.media[media_id] = (query.get("kind", "image"), raw, platform.now() + 3 * DAY)
            return {"media_id": media_id}
        body = json.loads(raw) if raw else {}
        if name == "reset":
            platform.reset()
        elif name == "clock":
            platform.offset += float(body["advance"])
        elif name == "interaction":
            platform.interaction(body["openid"], body["kind"])
        elif name == "fault":
            platform.faults.append({"times": 1, "path": "*", **body})
        elif name == "faults-off":
            platform.faults.clear()
        elif name == "tokens":
            for token, (until, state) in list(platform.tokens.items()):
                expired = body.get("how") == "expired"
                platform.tokens[token] = (0.0, state) if expired else (until, "bad")
        elif name == "consent":
            consent = f"{body['openid']} {body['template_id']}"
            platform.consents[consent] = platform.consents.get(consent, 0) + 1
        elif name == "login":
            platform.login.update(body)
        elif name == "quota":
            platform.daily = int(body["daily"])
        elif name == "sent":
            return [one for one in platform.sent if query.get("openid") in (None, one["openid"])]
        elif name == "calls":
            return [one for one in platform.calls if query.get("path") in (None, one["path"])]
        elif name == "state":
            return {"users": platform.users, "menu": platform.menu}
        else:
            return {"error": f"no control named {name}"}
        return {"ok": True}

    def answer(
        self,
        body: Any,
        status: int = 200,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):  # the caller gave up waiting, which some tests want
            self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def call(url: str, body: Any = None) -> Any:
    """One control call: a GET without a body, else a POST of JSON or bytes."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=60) as response:
        return json.load(response)


@dataclass
class Remote:
    """A played WeChat running as its own process."""

    base: str
    app_id: str
    secret: str

    def control(self, name: str, body: Any = None, **query: str) -> Any:
        suffix = "?" + urllib.parse.urlencode(query) if query else ""
        return call(f"{self.base}/control/{name}{suffix}", body)

    def sent(self, openid: str) -> list[dict[str, Any]]:
        """What the bot sent this resident through the API, oldest first."""
        return list(self.control("sent", openid=openid))

    def calls(self, path: str) -> int:
        return len(self.control("calls", path=path))

    def add_media(self, data: bytes, kind: str = "image") -> str:
        return str(self.control("media", data, kind=kind)["media_id"])

    def fault(self, path: str, **what: Any) -> None:
        self.control("fault", {"path": path, **what})


@contextmanager
def running_platform(app_id: str = "wxtest", secret: str = "s3cret", port: int = 0) -> Iterator[Remote]:
    """Start the played WeChat in a process of its own; stop that process at the end."""
    command = [sys.executable, "-m", "tests.support.wechat_platform", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--app-id", app_id, "--secret", secret], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Remote(json.loads(process.stdout.readline())["base"], app_id, secret)
    finally:
        process.terminate()
        process.wait(timeout=30)
        if process.stdout is not None:
            process.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Play WeChat's API server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--app-id", default="wxtest")
    parser.add_argument("--secret", default="s3cret")
    options = parser.parse_args()
    Handler.platform = Platform(options.app_id, options.secret)
    server = Server(("127.0.0.1", options.port), Handler)
    print(json.dumps({"base": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
