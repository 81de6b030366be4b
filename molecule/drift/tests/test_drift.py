# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Eight ways to drift, each found, named and placed; healed; and told to a mailbox and to a hook.

The story is one, so its chapters are fixtures: each is a run of the front door.
"""

from __future__ import annotations

import hmac
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import pytest
from testinfra.host import Host

from ansible_collections.postmaster.tls.tests.unit import receivers

DOVECOT, COURIER = "dovecot-trixie", "courier-trixie"
FILES = Path(__file__).resolve().parents[1] / "files"
RELAY = {"user": receivers.USER, "password": receivers.PASSWORD}
SECRET = "signed-with-this"
CLEAN, DRIFT = 0, 2


@dataclass(frozen=True)
class Run:
    """A run of drift.yml: its exit code, all that it said, and drift.json by host."""

    code: int
    said: str
    hosts: dict[str, Any]


@dataclass(frozen=True)
class Story:
    """All runs, in order, and what the receivers got."""

    before: Run
    drifted: Run
    healed: Run
    last: Run
    mails: list[Any]
    posts: list[tuple[Any, bytes]]
    metrics: str


@pytest.fixture(scope="session")
def story(
    playbook: Any, on: Callable[[str], Host], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("drift")
    pair = receivers.certificate(folder)
    with receivers.inbox(pair, login=True) as inbox, receivers.hook(pair) as hook:
        settings = _settings(folder, inbox.port, hook.url, pair[0])

        def drift(*options: str, **more: str) -> Run:
            extra = [f"--extra-vars=@{settings}", f"--extra-vars={json.dumps(more)}"]
            done = playbook("drift", f"--limit={DOVECOT},{COURIER}", *extra, *options)
            report = json.loads((folder / "reports" / "drift.json").read_text("utf-8"))
            hosts = {host["host"]: host for host in report["hosts"]}
            return Run(done.returncode, done.stdout + done.stderr, hosts)

        accept = {"mail_tls_baseline": "accept", "mail_tls_baseline_reason": "as hardened"}
        before = drift("--check", "-vvv", **accept)
        _run(on, "")
        drifted = drift()
        healed = drift(mail_tls_drift_action="harden")
        _run(on, "heal-")
        last = drift()
        metrics = (folder / "metrics" / "postmaster_tls_drift.prom").read_text("utf-8")
        yield Story(before, drifted, healed, last, inbox.mails, hook.posts, metrics)
    shutil.rmtree(folder)


def _settings(folder: Path, port: int, url: str, authority: Path) -> Path:
    """Variables in a file, as a vault has them."""
    relay = {"to": "a@example.test", "from": "b@example.test", "host": "localhost", "port": port}
    values = {
        "mail_tls_history": str(folder / "history.sqlite"),
        "mail_tls_report_dir": str(folder / "reports"),
        "mail_tls_textfile_dir": str(folder / "metrics"),
        "mail_tls_notify_mail": {**relay, **RELAY, "ca_file": str(authority)},
        "mail_tls_notify_webhooks": [{"url": url, "secret": SECRET, "ca_file": str(authority)}],
    }
    path = folder / "settings.json"
    path.write_text(json.dumps(values))
    path.chmod(0o600)
    return path


def _run(on: Callable[[str], Host], prefix: str) -> None:
    for name in (DOVECOT, COURIER):
        script = (FILES / f"{prefix}{name}.sh").read_text("utf-8")
        done = on(name).run("sh -c %s", script)
        assert done.rc == 0, done.stderr


def _find(run: Run, host: str, subject: str, name: str) -> Optional[dict[str, Any]]:
    found = run.hosts[host]["differences"]
    return next((d for d in found if d["subject"] == subject and d["name"] == name), None)


WAYS = {
    "a drop-in is edited": (
        (DOVECOT, "dovecot", "protocol_min"),
        ("weaker", "/etc/dovecot/conf.d/99-postmaster-tls.conf:4", "owner root"),
    ),
    "a protocol has an exception": (
        (DOVECOT, "dovecot protocol=pop3", "protocol_min"),
        ("weaker", "/etc/dovecot/local.conf:13", "owner root"),
    ),
    "a file is the package's again": (
        (DOVECOT, "/etc/dovecot/conf.d/10-auth.conf", "content"),
        ("neutral", "/etc/dovecot/conf.d/10-auth.conf", "as its package (by ucf) ships it"),
    ),
    "a unit of old is enabled": (
        (DOVECOT, "dovecot.socket", "enabled"),
        ("weaker", "dovecot.socket", None),
    ),
    "a certificate is swapped and not served": (
        (DOVECOT, "imap://{}:993", "certificate and disk"),
        ("neutral", "/etc/dovecot/private/mail.pem", "owner root"),
    ),
    "a plain listener is opened": (
        (COURIER, "courier port 1144 imap on *", "listener"),
        ("weaker", "/etc/courier/imapd:39", "changed since courier-imap shipped it"),
    ),
    "the file that is read second is loosened": (
        (COURIER, "courier service=pop3", "plaintext_login"),
        ("weaker", "/etc/courier/pop3d-ssl:323", "changed since courier-pop shipped it"),
    ),
    "the library has another policy": (
        (COURIER, "/etc/gnutls/config", "content"),
        ("neutral", "/etc/gnutls/config", "owner root"),
    ),
}


def _address(host: str) -> str:
    from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4

    return ipv4(HOSTS[host])


def _difference(run: Run, way: str) -> Optional[dict[str, Any]]:
    (host, subject, name), _expected = WAYS[way]
    return _find(run, host, subject.format(_address(host)), name)


def test_what_was_accepted_is_no_drift(story: Story) -> None:
    assert story.before.code == CLEAN
    assert {host["state"] for host in story.before.hosts.values()} == {"clean"}
    assert {h["baseline"]["reason"] for h in story.before.hosts.values()} == {"as hardened"}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_is_found_named_and_placed(story: Story, way: str) -> None:
    found = _difference(story.drifted, way)
    direction, place, writer = WAYS[way][1]
    assert found is not None
    assert (found["direction"], found["place"]) == (direction, place)
    assert (writer or "") in (found["writer"] or "")
    assert bool(found["since"]) is bool(writer)
    assert _difference(story.before, way) is None


def test_drift_is_2(story: Story) -> None:
    assert story.drifted.code == DRIFT
    assert {host["state"] for host in story.drifted.hosts.values()} <= {"drifted", "unseen"}


def test_what_the_library_was_told_is_seen_on_the_ports(story: Story) -> None:
    found = _find(story.drifted, COURIER, f"imap://{_address(COURIER)}:993", "versions")
    assert found is not None
    assert (found["before"], found["after"]) == ("TLSv1.2 TLSv1.3", "TLSv1.2")


def test_hardening_heals_what_fails_the_profile_and_the_rest_is_still_open(story: Story) -> None:
    healed = {way for way in WAYS if _difference(story.healed, way) is None}
    assert healed == {
        "a drop-in is edited",
        "a protocol has an exception",
        "a certificate is swapped and not served",
        "the file that is read second is loosened",
    }
    assert story.healed.code == DRIFT
    for way in WAYS.keys() - healed:
        then, now = _difference(story.drifted, way), _difference(story.healed, way)
        assert then is not None
        assert now is not None
        assert (now["fingerprint"], now["seen_since"]) == (then["fingerprint"], then["seen_since"])


def test_the_rest_is_put_back_by_hand(story: Story) -> None:
    assert {way for way in WAYS if _difference(story.last, way) is not None} == set()
    # The certificate of the second day is another one than was accepted.
    left = [d for h in story.last.hosts.values() for d in h["differences"]]
    assert {d["name"] for d in left if d["direction"] != "stronger"} <= {"certificate", "content"}


def test_the_mailbox_and_the_hook_hear_of_it_once(story: Story) -> None:
    subjects = [mail["Subject"] for mail in story.mails]
    assert len(subjects) == 3  # drifted; healed (nothing was new in its first look); put back
    assert " new" in subjects[0]
    assert "recovered" not in subjects[0]
    assert all("recovered" in subject for subject in subjects[1:])
    assert [json.loads(body)["text"] for _headers, body in story.posts] == subjects
    assert "/etc/courier/pop3d-ssl:323" in story.mails[0].get_content()


def test_each_post_is_signed(story: Story) -> None:
    for headers, body in story.posts:
        signed = headers["X-Mail-Tls-Timestamp"].encode() + b"." + body
        expected = hmac.new(SECRET.encode(), signed, "sha256").hexdigest()
        assert headers["X-Mail-Tls-Signature"] == f"sha256={expected}"


def test_no_secret_is_said(story: Story) -> None:
    for run in (story.before, story.drifted, story.healed, story.last):
        assert [word for word in (receivers.PASSWORD, SECRET, "t0ken") if word in run.said] == []


def test_the_metric_is_of_the_last_run(story: Story) -> None:
    assert "postmaster_tls_drift_last_run_timestamp_seconds 1" in story.metrics
    assert 'postmaster_tls_drift_hosts{state="unseen"} 0' in story.metrics
