# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts to break, and what is asked of them afterwards; certificates that are wrong in one way."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4
from ansible_collections.postmaster.tls.molecule.shared import clients

ROOT = Path(__file__).resolve().parents[2]
LAB = str(ROOT / "lab" / "lab.py")
NAMES = ("dovecot-bookworm", "dovecot-trixie", "courier-trixie")
STATE = "/var/lib/postmaster-tls"
PATIENCE = 30.0
T = TypeVar("T")


def everywhere(task: Callable[[Host], T], names: Iterable[str] = NAMES) -> dict[str, T]:
    """A task on all hosts at once: what each came to, in the order of the names."""
    hosts = [Host(name) for name in names]
    with ThreadPoolExecutor(len(hosts)) as pool:
        return {host.name: came for host, came in zip(hosts, pool.map(task, hosts))}


def await_(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> float:
    """How long it took to become true; fails when it does not."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} seconds"
        time.sleep(0.05)
    return time.monotonic() - began


def environment() -> dict[str, str]:
    """As a user's, whatever Molecule has set: no colours, so that an answer can be read."""
    plain = {"ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1"}
    return {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **plain}


class Host:
    """A host of the lab, by its container: a cut network keeps nobody from asking it."""

    def __init__(self, name: str) -> None:
        self.name, self.product = name, name.split("-")[0]
        self.folder = f"/etc/{self.product}"
        self._init: list[Path] = []

    def run(self, script: str, how: str = "exec") -> str:
        """What a line of shell prints there."""
        done = subprocess.run(
            [LAB, how, self.name, "--", "sh", "-euc", script],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{self.name}: {script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def intrude(self, script: str) -> str:
        """The same with rights that the host's own root lacks."""
        return self.run(script, "intrude")

    def init(self) -> Path:
        """The host's first process, as this machine sees it: there is no quicker way to look in."""
        if not self._init:
            mark = f"run/mark-{secrets.token_hex(8)}"
            self.run(f"touch /{mark}")
            inside = [p for p in Path("/proc").glob("[0-9]*") if os.path.exists(p / "root" / mark)]
            self.run(f"rm /{mark}")
            self._init.append(min(inside, key=lambda path: int(path.name)))
        return self._init[0]

    def state(self) -> str:
        """How far the open change came, empty where there is none; within a millisecond."""
        try:
            record = (self.init() / "root" / STATE.lstrip("/") / "transaction.json").read_text()
        except OSError:
            return ""
        return str(json.loads(record)["state"])

    def kill_module(self) -> None:
        """SIGKILL to the module that Ansible runs there: a Python that reads its standard input."""
        space = os.readlink(self.init() / "ns" / "mnt")
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                own = os.readlink(process / "ns" / "mnt") == space
                if own and (process / "cmdline").read_bytes() == b"/usr/bin/python3\0":
                    os.kill(int(process.name), signal.SIGKILL)

    def sums(self) -> str:
        """Name, mode, owner and content of every file of the server's folder, hidden ones too."""
        return self.run(self._sums())

    def _sums(self) -> str:
        return (
            f"cd {self.folder}; find . ! -name faults -printf '%p %m %u %g %y\\n' | sort; "
            "find . -type f -exec sha256sum {} + | sort; "
        )

    def look(self) -> tuple[str, str]:
        """The sums, and what nothing may leave: processes, folders, units, timers, staged files."""
        sums, _line, left = self.run(
            f"rm -rf {self.folder}/faults; {self._sums()} echo ---; "
            "ls -d /run/postmaster-tls-* 2>/dev/null || true; "
            f"find {self.folder} -name '.*.2*'; "
            "pgrep -af 'rehearsal|postmaster-tls' | grep -v pgrep || true; "
            "ls /etc/systemd/system /etc/systemd/system/multi-user.target.wants | "
            "grep postmaster || true; "
            "systemctl list-units --no-legend 'postmaster-tls*' || true; "
            f"ls {STATE}/transaction.json 2>/dev/null || true"
        ).partition("---\n")
        return sums, left

    def open_change(self) -> str:
        """The record of the open change, empty where there is none."""
        return self.run(f"cat {STATE}/transaction.json 2>/dev/null || true")

    def journal(self) -> list[dict[str, Any]]:
        """What is written of changes that are over."""
        lines = self.run(f"cat {STATE}/journal.jsonl 2>/dev/null || true").splitlines()
        return [json.loads(line) for line in lines]

    def doors_closed(self) -> list[str]:
        """Doors that worked before and do not: each must shake hands, seen from outside."""
        return [
            door for door in clients.DOORS if door in WORKING[self.name] and not self.works(door)
        ]

    def works(self, door: str) -> bool:
        try:
            clients.handshake(ipv4(HOSTS[self.name]), door, clients.context(clients.V.TLSv1))
        except (OSError, AssertionError):
            return False
        return True

    def module(self, **arguments: Any) -> dict[str, Any]:
        """One call of server_config; its answer."""
        done = subprocess.run(
            [
                *("ansible", self.name, "-o", "-m", "postmaster.tls.server_config"),
                *("-a", json.dumps(arguments)),
            ],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        found = re.search(r"=> ?(\{.*\})\s*$", done.stdout, re.MULTILINE)
        assert found, done.stdout + done.stderr
        return {**json.loads(found[1]), "failed": "| FAILED" in done.stdout}

    def change(self, *settings: dict[str, str], **more: Any) -> dict[str, Any]:
        """Put settings in force, proven on the ports of IMAP and POP3."""
        listeners = [
            {"service": kind.rstrip("s"), "address": "*", "port": int(port), "tls_mode": mode}
            for kind, port in (door.split() for door in WORKING[self.name])
            for mode in ["implicit" if kind.endswith("s") else "starttls"]
        ]
        version = {"dovecot-bookworm": "2.3.19", "dovecot-trixie": "2.4.1"}.get(self.name, "")
        return self.module(
            product=self.product,
            version=version,
            settings=list(settings),
            listeners=listeners,
            **more,
        )


# courier-trixie serves no STARTTLS for IMAP, by its weakness.
WORKING = {
    "dovecot-bookworm": clients.DOORS,
    "dovecot-trixie": clients.DOORS,
    "courier-trixie": ("imaps 993", "pop3s 995", "pop3 110"),
}


# ---------------------------------------------------------------------------------------------
# Certificates


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _certificate(
    name: str, key: Any, issuer: tuple[str, Any] | None = None, days: int = 30
) -> bytes:
    by, with_key = issuer or (name, key)
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(with_key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def _pem(key: Any) -> bytes:
    return bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def pairs() -> dict[str, tuple[bytes, bytes]]:
    """What is wrong → certificate file and key file."""
    authority, key = _key(), _key()
    chain = (
        _certificate("mail.example.test", key, ("CA", authority)),
        _certificate("CA", authority),
    )
    return {
        "good": (b"".join(chain), _pem(key)),
        "wrong key": (b"".join(chain), _pem(_key())),
        "truncated": (chain[0][: len(chain[0]) // 2], _pem(key)),
        "truncated key": (chain[0], _pem(key)[: len(_pem(key)) // 2]),
        "expired": (_certificate("mail.example.test", key, days=-1), _pem(key)),
        "reversed": (b"".join(reversed(chain)), _pem(key)),
    }


def lay_out(host: Host, pair: tuple[bytes, bytes], mode: str, owner: str) -> list[dict[str, str]]:
    """Put a pair on a host; the settings that name it."""
    folder = f"{host.folder}/faults"
    certificate, key = (base64.b64encode(part).decode() for part in pair)
    combined = base64.b64encode(b"".join(pair[::-1])).decode()
    host.run(
        f"mkdir -p {folder}; cd {folder}; echo {certificate} | base64 -d >crt; "
        f"echo {key} | base64 -d >key; echo {combined} | base64 -d >pem; "
        f"chmod {mode} *; chown {owner} *"
    )
    if host.product == "courier":
        return [
            {"name": "TLS_CERTFILE", "value": f"{folder}/pem", "file": f"{host.folder}/{name}"}
            for name in ("imapd-ssl", "pop3d-ssl")
        ]
    old = host.name == "dovecot-bookworm"
    names = ("ssl_cert", "ssl_key") if old else ("ssl_server_cert_file", "ssl_server_key_file")
    return [
        {"name": name, "value": f"{'<' if old else ''}{folder}/{part}"}
        for name, part in zip(names, ("crt", "key"))
    ]
