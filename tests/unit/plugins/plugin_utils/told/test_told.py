# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Told once, to whom it is for, over TLS that was verified; and never a secret in what is said."""

from __future__ import annotations

import hmac
import json
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.history.rows import Item
from ansible_collections.postmaster.tls.plugins.plugin_utils.history.store import (
    History,
    open_history,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.told import mail, webhook
from ansible_collections.postmaster.tls.plugins.plugin_utils.told.channels import channels, tell
from ansible_collections.postmaster.tls.plugins.plugin_utils.told.digest import (
    Digest,
    subject,
    text,
    worth_telling,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.told.metric import metrics
from ansible_collections.postmaster.tls.tests.unit import receivers

NOW = datetime(2026, 11, 30, 3, tzinfo=timezone.utc)
Pair = tuple[Path, Path]


def item(number: int = 1, words: str = "refused -> TAKEN", kind: str = "drift") -> Item:
    grade = "weaker" if kind == "drift" else "low"
    return Item(
        f"f{number:031}", "", kind, "mail1", "served", "imap://x:143: login", grade, words, ""
    )


DIGEST = Digest((item(),), (), 1)
HOSTILE = "\r\nBcc: x@example.org ``` <!channel> @all [a](javascript:b) </script> {{ 7*7 }}"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return receivers.certificate(tmp_path_factory.mktemp("pair"))


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with open_history(str(tmp_path / "history.sqlite")) as opened:
        yield opened


def by_mail(port: int, pair: Pair, **more: Any) -> dict[str, Any]:
    told = {"to": ["a@example.org", "b@example.org"], "from": "Mail TLS <tls@example.org>"}
    return {**told, "host": "localhost", "port": port, "ca_file": str(pair[0]), **more}


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_mail_arrives(pair: Pair, tls: str) -> None:
    with receivers.inbox(pair, implicit=tls == "implicit") as inbox:
        mail.send(by_mail(inbox.port, pair, tls=tls), DIGEST, NOW)
        (got,) = inbox.mails
    assert got["Subject"] == "Mail TLS: 1 new on 1 host"
    assert got["To"] == "a@example.org, b@example.org"
    assert got["Auto-Submitted"] == "auto-generated"
    assert "imap://x:143: login: refused -> TAKEN" in got.get_content()


def test_a_login_is_made_inside_tls(pair: Pair) -> None:
    with receivers.inbox(pair, login=True) as inbox:
        login = {"user": receivers.USER, "password": receivers.PASSWORD}
        mail.send(by_mail(inbox.port, pair, **login), DIGEST, NOW)
        assert len(inbox.mails) == 1
        with pytest.raises(mail.NotTold, match="the login was refused with 535") as caught:
            mail.send(by_mail(inbox.port, pair, **{**login, "password": "s3cr3t"}), DIGEST, NOW)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("server", "settings"),
    [
        ({"tls": False}, {}),
        ({}, {"ca_file": None}),
        ({}, {"host": "127.0.0.1"}),
        ({"implicit": True}, {"tls": "implicit", "ca_file": None}),
        ({}, {"ca_file": "/nonexistent"}),
    ],
)
def test_no_mail_goes_where_tls_is_not_verified(
    pair: Pair, server: dict[str, Any], settings: dict[str, Any]
) -> None:
    with receivers.inbox(pair, **server) as inbox:
        with pytest.raises(mail.NotTold, match=r"mail to a@example.org, b@example.org by "):
            mail.send(by_mail(inbox.port, pair, **settings), DIGEST, NOW)
        assert inbox.mails == []


def test_a_hostile_word_makes_no_header() -> None:
    made = mail.message(
        by_mail(1, (Path("x"), Path("y"))), Digest((item(words=HOSTILE),), (), 1), NOW
    )
    assert made["Bcc"] is None
    assert "\n" not in made["Subject"]


@pytest.mark.parametrize("kind", webhook.KINDS)
def test_a_webhook_is_posted_and_signed(pair: Pair, kind: str) -> None:
    with receivers.hook(pair) as hook:
        settings = {"url": hook.url, "kind": kind, "secret": "shared", "ca_file": str(pair[0])}
        webhook.send(settings, Digest((item(words=HOSTILE),), (item(2),), 3), NOW)
        ((headers, body),) = hook.posts
    signed = headers["X-Mail-Tls-Timestamp"].encode() + b"." + body
    expected = hmac.new(b"shared", signed, "sha256").hexdigest()
    assert headers["X-Mail-Tls-Signature"] == f"sha256={expected}"
    said = json.loads(body)
    assert "1 new, 1 recovered" in json.dumps(said)
    if kind == "generic":
        assert said["new"][0]["words"] == HOSTILE
        return
    shown = (
        said["text"] if kind != "teams" else said["attachments"][0]["content"]["body"][0]["text"]
    )
    assert "<!" not in shown or kind != "slack"
    assert "@all" not in shown
    assert "](javascript" not in shown or kind != "teams"
    assert shown.count("```") == (0 if kind == "teams" else 2)


@pytest.mark.parametrize("status", [302, 307, 404, 500])
def test_anything_but_yes_is_not_told(pair: Pair, status: int) -> None:
    with receivers.hook(pair) as hook:
        hook.status = status
        with pytest.raises(
            mail.NotTold, match=f"webhook at localhost: it answered {status}"
        ) as told:
            webhook.send({"url": hook.url, "ca_file": str(pair[0])}, DIGEST, NOW)
        assert len(hook.posts) == 1
    assert "t0ken" not in str(told.value)


def test_a_webhook_is_verified_and_its_url_is_not_shown(pair: Pair, tmp_path: Path) -> None:
    other = receivers.certificate(tmp_path)
    with receivers.hook(pair) as hook:
        for ca_file in (None, str(other[0])):
            with pytest.raises(mail.NotTold) as told:
                webhook.send({"url": hook.url, "ca_file": ca_file}, DIGEST, NOW)
            assert "t0ken" not in str(told.value)
        assert hook.posts == []


@pytest.mark.parametrize(
    ("by_mail", "hooks", "complaint"),
    [
        ({"to": "a"}, [], "needs from"),
        ({"to": "a", "from": "b", "host": "c", "tls": "none"}, [], "without TLS is not sent"),
        ({"to": "a", "from": "b", "host": "c", "user": "d"}, [], "or neither"),
        ({"to": "a", "from": "b", "host": "c", "pasword": "d"}, [], "has no 'pasword'"),
        ({}, [{"url": "http://example.org/t0ken"}], "begins with https://"),
        ({}, [{"url": "https:///t0ken"}], "names a host"),
        ({}, [{"url": "https://[t0ken"}], "names a host"),
        ({}, [{"url": "https://e.org", "kind": "irc"}], "one of generic, slack"),
        ({}, [{"url": "https://e.org", "to": "x"}], "has no 'to'"),
    ],
)
def test_settings_that_cannot_be_used(by_mail: Any, hooks: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        channels(by_mail, hooks)
    assert "t0ken" not in str(caught.value)


def test_no_channel_shows_a_secret() -> None:
    secrets = {"user": "u", "password": "s3cr3t"}
    settings = {"to": "a@b", "from": "c@d", "host": "e", **secrets}
    made = channels(settings, [{"url": "https://e.org/t0ken", "secret": "s3cr3t"}])
    assert "s3cr3t" not in repr(made)
    assert "t0ken" not in repr(made)


def test_each_channel_hears_of_a_change_once_and_of_its_end(history: History, pair: Pair) -> None:
    with receivers.inbox(pair) as inbox, receivers.hook(pair) as hook:
        hooks = [{"url": hook.url, "ca_file": str(pair[0])}]
        ways = channels(by_mail(inbox.port, pair), hooks)
        assert tell(history, ways, NOW).sent == ()
        history.fold("drift", NOW, [item(1), item(2)], ["mail1"])
        inbox.refuse()
        first = tell(history, ways, NOW)
        assert first.sent == ("webhook at localhost",)
        assert "told again by the next run: mail to a@example.org" in first.problems[0]
        inbox.refuse(False)
        assert len(tell(history, ways, NOW).sent) == 1
        assert tell(history, ways, NOW).sent == ()
        history.fold("drift", NOW, [item(2)], ["mail1"])
        assert len(tell(history, ways, NOW).sent) == 2
        assert tell(history, ways, NOW).sent == ()
        assert [m["Subject"] for m in inbox.mails] == [
            "Mail TLS: 2 new on 1 host",
            "Mail TLS: 1 recovered on 1 host",
        ]
        assert [json.loads(body)["text"] for _headers, body in hook.posts] == [
            "Mail TLS: 2 new on 1 host",
            "Mail TLS: 1 recovered on 1 host",
        ]


def test_a_digest_is_bounded_and_says_what_it_left_out() -> None:
    many = Digest(tuple(item(n, "x" * 5000) for n in range(2000)), (), 2000)
    said = text(many)
    assert len(said) < 30_000
    assert "and 1940 more" in said
    assert subject(many) == "Mail TLS: 2000 new on 1 host"


def test_what_does_not_make_a_host_fail_is_not_told() -> None:
    low = item(kind="finding")
    assert worth_telling([low, item()]) == (item(),)


def test_the_metric_tells_that_there_was_a_run() -> None:
    said = metrics(NOW, {"clean": 2, "drifted": 1}, {"weaker": 3}, 0)
    assert f"postmaster_tls_drift_last_run_timestamp_seconds {NOW.timestamp():.0f}\n" in said
    assert 'postmaster_tls_drift_hosts{state="drifted"} 1\n' in said
    assert said.endswith("\n")


def test_the_context_is_the_default_one(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    """Hostname and chain are checked whatever Python's default becomes."""
    seen = []
    made = ssl.create_default_context

    def remember(*arguments: Any, **more: Any) -> ssl.SSLContext:
        seen.append(made(*arguments, **more))
        return seen[-1]

    monkeypatch.setattr(ssl, "create_default_context", remember)
    with receivers.inbox(pair) as inbox:
        mail.send(by_mail(inbox.port, pair), DIGEST, NOW)
    assert [c.check_hostname and c.verify_mode is ssl.CERT_REQUIRED for c in seen] == [True]
