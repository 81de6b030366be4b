# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Courier's candidate: what the shell and the library say of it, and which units read it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import courier_change
from ansible_collections.postmaster.tls.plugins.module_utils.config.courier_edit import (
    MARK,
    Stale,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    TlsLibrary,
    Unit,
)
from ansible_collections.postmaster.tls.plugins.module_utils.transaction import (
    FileState,
    rewritten,
)

GNUTLS = TlsLibrary("gnutls", "3.7.9", "/usr/lib/libgnutls.so.30")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Courier's folder, with /run and the TLS library replaced."""
    monkeypatch.setattr(courier_change.scratch, "RUN", str(tmp_path))
    monkeypatch.setattr(courier_change.tls_library, "linked", lambda _path: None)
    monkeypatch.setattr(courier_change.host, "units", lambda names: [Unit(names[0], True, False)])
    (tmp_path / "imapd").write_bytes(b"IMAPDSTART=YES\nIMAP_TLS_REQUIRED=0\n# caf\xe9\n")
    (tmp_path / "imapd-ssl").write_bytes(b"IMAP_TLS_REQUIRED=0\nTLS_CACHESIZE=1\n")
    (tmp_path / "imapd-ssl").chmod(0o640)
    return tmp_path


def test_only_the_files_that_change_are_in_the_candidate(folder: Path) -> None:
    wanted = [(str(folder / "imapd-ssl"), "IMAP_TLS_REQUIRED", "1")]
    overrides = [(str(folder / "imapd"), 2, "IMAP_TLS_REQUIRED")]
    texts = courier_change.candidate(wanted, overrides)
    assert texts == {
        str(folder / "imapd"): f"IMAPDSTART=YES\n{MARK}IMAP_TLS_REQUIRED=0\n# caf\udce9\n",
        str(folder / "imapd-ssl"): "IMAP_TLS_REQUIRED=1\nTLS_CACHESIZE=1\n",
    }
    for path, text in texts.items():
        Path(path).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert courier_change.candidate(wanted, []) == {}


def test_a_file_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(OSError, match="pop3d-ssl cannot be read"):
        courier_change.candidate([(str(folder / "pop3d-ssl"), "POP3_STARTTLS", "YES")], [])


def test_a_line_that_changed_meanwhile_is_told(folder: Path) -> None:
    with pytest.raises(Stale, match="imapd:1 no longer sets IMAP_TLS_REQUIRED"):
        courier_change.candidate([], [(str(folder / "imapd"), 1, "IMAP_TLS_REQUIRED")])


def test_settings_that_nobody_could_have_read_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without systemd; certificates are read for each connection, and need nobody."""
    unknown = [Unit(name, None, None) for name in courier_change.UNITS]
    monkeypatch.setattr(courier_change.host, "units", lambda _names: unknown)
    said = courier_change.check({"/etc/courier/imapd-ssl": "A=1\n"}, [])
    assert said is not None
    assert said.startswith("/etc/courier/imapd-ssl: systemd does not answer here")
    assert courier_change.check({}, []) is None


def test_owner_mode_and_bytes_stay(folder: Path) -> None:
    (state,) = rewritten({str(folder / "imapd-ssl"): "A=caf\udce9\n"})
    assert (state.content, state.mode, state.uid) == (b"A=caf\xe9\n", 0o640, os.geteuid())


@pytest.mark.parametrize("group", ["courier", None])
def test_couriertls_can_read_the_key_on_every_port(
    group: Optional[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Entry:
        gr_gid = 119

    def getgrnam(name: str) -> Entry:
        if name != group:
            raise KeyError(name)
        return Entry()

    monkeypatch.setattr(courier_change.grp, "getgrnam", getgrnam)
    expected = FileState("/etc/courier/x.pem", b"k", 0o640, 0, 119 if group else 0)
    assert courier_change.pem_state("/etc/courier/x.pem", b"k") == expected


# ---------------------------------------------------------------------------------------------
# The check


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nif true; then\nB=`date`\nfi\n", None),
        ("A=1\nif true; then\nfi\n", "imapd: the shell cannot read the candidate: /.*imapd: 3: "),
        ("A='1\n", "imapd: the shell cannot read the candidate"),
        ("A=caf\udce9\n", None),
    ],
)
def test_the_shell_must_be_able_to_read_the_candidate(
    text: str, message: Optional[str], folder: Path
) -> None:
    said = courier_change.check({str(folder / "imapd"): text}, [])
    if message is None:
        assert said is None
    else:
        assert said is not None
        with pytest.raises(AssertionError, match=message):
            raise AssertionError(said)
    assert sorted(p.name for p in folder.iterdir()) == ["imapd", "imapd-ssl"]


def test_commands_of_the_candidate_are_not_run(folder: Path) -> None:
    marker = folder / "ran"
    text = f"A=`touch {marker}`\ntouch {marker}\n"
    assert courier_change.check({str(folder / "imapd"): text}, []) is None
    assert not marker.exists()


def test_the_library_is_asked_for_what_it_will_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []

    def expand(_library: TlsLibrary, **strings: str) -> None:
        asked.append(strings)
        if "BAD" in strings.values():
            raise courier_change.tls_library.Rejected("priority", "syntax", 3)

    monkeypatch.setattr(
        courier_change.tls_library,
        "linked",
        lambda path: GNUTLS if path == "/usr/lib/courier/couriertls" else None,
    )
    monkeypatch.setattr(courier_change.tls_library, "expand", expand)
    wants = [("/f", "TLS_PRIORITY", "NORMAL"), ("/f", "IMAP_TLS_REQUIRED", "1")]
    assert courier_change.check({}, [*wants, ("/f", "TLS_CIPHER_LIST", "HIGH")]) is None
    assert asked == [{"priority": "NORMAL"}, {"ciphers": "HIGH"}]
    said = courier_change.check({}, [("/etc/courier/imapd-ssl", "TLS_PRIORITY", "BAD")])
    assert said is not None
    assert said.startswith("/etc/courier/imapd-ssl: gnutls 3.7.9 refuses TLS_PRIORITY: ")
    assert "syntax" in said


# ---------------------------------------------------------------------------------------------
# Activation


IMAP, IMAPS = "courier-imap.service", "courier-imap-ssl.service"
POP, POPS = "courier-pop.service", "courier-pop-ssl.service"


def test_the_units_that_run_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    active = {IMAP: True, POPS: True}
    monkeypatch.setattr(
        courier_change.host,
        "units",
        lambda names: tuple(Unit(name, True, active.get(name)) for name in names),
    )
    assert courier_change.running() == (IMAP, POPS)


@pytest.mark.parametrize(
    ("paths", "restarted"),
    [
        (["/etc/courier/imapd-ssl"], [IMAP, IMAPS]),
        (["/etc/courier/imapd", "/etc/courier/pop3d"], [IMAP, IMAPS, POPS]),
        (["/etc/courier/pop3d-ssl"], [POPS]),
        (["/etc/courier/imapaccess/imapd-postmaster-tls"], [IMAP, IMAPS]),
        (["/etc/courier/pop3access.dat"], [POPS]),
        (["/etc/courier/mail.pem", "/etc/courier/imapd.pem"], []),
        (["/etc/courier/imapd-2026.pem", "/etc/ssl/pop3d-ssl.pem", "/etc/ssl/pop3d-key"], []),
    ],
)
def test_only_what_reads_a_file_at_its_start_is_restarted(
    paths: list[str], restarted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(courier_change.services, "bring", lambda *args: asked.append(args))
    assert courier_change.activate((IMAP, IMAPS, POPS), paths) is None
    assert asked == [((IMAP, IMAPS, POPS), "restart", restarted)]


def test_a_certificate_file_that_cannot_be_served_is_refused(folder: Path) -> None:
    wants = [("/e/imapd-ssl", "TLS_CERTFILE", f"{folder}/gone.pem")]
    said = courier_change.check({}, wants)
    assert said == (f"/e/imapd-ssl: {folder}/gone.pem does not exist, so it cannot be TLS_CERTFILE")
    assert courier_change.check({}, wants, [f"{folder}/gone.pem"]) is None
