# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts without a server: real files in a folder, seen through the project's own observers.

Where an observer would ask ``doveconf``, systemd or the TLS library, a small stand-in answers from
tables: what each version of Dovecot has by default, and which code points the few strings of the
tests open. So a plan can be applied and observed again as on a host.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import (
    courier,
    courier_change,
    dovecot,
    dovecot_change,
    host,
    tls_library,
)
from ansible_collections.postmaster.tls.plugins.module_utils.config import dovecot as language
from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot_edit import (
    Wanted,
)
from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot_origin import (
    deciding,
    holds,
)
from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot_values import (
    written_values,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Expansion,
    FileFact,
    Origin,
    ServerConfig,
    TlsLibrary,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import (
    Profile,
    load_profile,
    profile_names,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.registry import (
    group_code,
    openssl_to_code,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.plan import Plan
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.server import plan as plan_for
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    LEAF,
    NAME,
    certificate,
)

OPENSSL_111 = TlsLibrary("openssl", "1.1.1w", "/usr/lib/libssl.so.1.1")
OPENSSL_30 = TlsLibrary("openssl", "3.0.17", "/usr/lib/libssl.so.3")
OPENSSL_35 = TlsLibrary("openssl", "3.5.4", "/usr/lib/libssl.so.3")
GNUTLS_37 = TlsLibrary("gnutls", "3.7.9", "/usr/lib/libgnutls.so.30")
GNUTLS_38 = TlsLibrary("gnutls", "3.8.9", "/usr/lib/libgnutls.so.30")

SUITES_13 = (0x1302, 0x1303, 0x1301)
AEAD = (0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8)
CBC, STATIC_RSA, DHE = (0xC013, 0xC014, 0xC009), (0x009C, 0x002F), (0x009E, 0x0033)
DEFAULT_SUITES = (*AEAD, *CBC, *STATIC_RSA, *DHE)
CLASSIC = (29, 23, 30, 25, 24, 256, 257)
WEAK_GROUPS = (1, 21)
HYBRID = 4588
ALL_VERSIONS = (0x0304, 0x0303, 0x0302, 0x0301)


# ---------------------------------------------------------------------------------------------
# What strings mean to the libraries


def expand(
    library: TlsLibrary,
    *,
    ciphers: Optional[str] = None,
    cipher_suites: Optional[str] = None,
    groups: Optional[str] = None,
    priority: Optional[str] = None,
) -> Expansion:
    """The stand-in for tls_library.expand."""
    if library.name == "gnutls":
        return Expansion() if priority is None else _priority(priority)
    suites: list[int] = []
    if ciphers is not None:
        suites += _listed(ciphers, openssl_to_code, DEFAULT_SUITES)
    if cipher_suites is not None:
        suites += _listed(cipher_suites, openssl_to_code, SUITES_13)
    hybrid = (HYBRID,) if library.version == OPENSSL_35.version else ()
    return Expansion(
        suites=None if ciphers is cipher_suites is None else tuple(suites),
        groups=None if groups is None else _groups(groups, (*hybrid, *CLASSIC)),
    )


def _listed(string: str, code: object, default: Sequence[int]) -> tuple[int, ...]:
    """Names joined by colons; anything else stands for a string that opens everything."""
    codes = tuple(code(name) for name in string.split(":"))  # type: ignore[operator]
    return tuple(codes) if string and None not in codes else tuple(default)


def _groups(string: str, known: Sequence[int]) -> tuple[int, ...]:
    if not string:
        return tuple(known)
    codes = _listed(string, group_code, ())
    if not codes or not set(codes) <= {*known, *WEAK_GROUPS, 4587, 4589}:
        raise tls_library.Rejected("groups", "unknown group name")
    if HYBRID not in known and any(code > 4000 for code in codes):
        raise tls_library.Rejected("groups", "unknown group name")
    return codes


PRIORITIES: dict[str, Expansion] = {}


def _priority(string: str) -> Expansion:
    """The profiles' strings by what they are for; any other opens everything."""
    if not PRIORITIES:
        for name in profile_names():
            profile = load_profile(name)
            versions = (0x0304,) if profile.protocol_min == "TLSv1.3" else (0x0304, 0x0303)
            suites = SUITES_13 if len(versions) == 1 else (*SUITES_13, *AEAD)
            PRIORITIES[profile.gnutls_priority] = Expansion(versions, suites, (23, 24, 29))
    everything = Expansion(ALL_VERSIONS, (*SUITES_13, *DEFAULT_SUITES), CLASSIC)
    return PRIORITIES.get(string, everything)


# ---------------------------------------------------------------------------------------------
# Files


def usable(path: str, role: str, **changes: object) -> FileFact:
    """A certificate, key or combined file as it should be."""
    fact = FileFact(path, role, True, "root", "root", "0600")
    if role != "key":
        fact = replace(fact, chain=(LEAF,), key_matches=True)
    return replace(fact, **changes)  # type: ignore[arg-type]


def short_rsa(path: str, role: str, **changes: object) -> FileFact:
    """A certificate whose key is RSA with 1024 bits."""
    chain = (certificate(NAME, NAME, (NAME,), "rsa1024", "rsa1024"),)
    return usable(path, role, chain=chain, **changes)


def absent(path: str, role: str) -> FileFact:
    return FileFact(path, role, False, problem="does not exist")


# ---------------------------------------------------------------------------------------------
# Dovecot

_SHARED = {
    "ssl": "yes",
    "ssl_min_protocol": "TLSv1.2",
    "ssl_cipher_list": "ALL:!kRSA:!SRP:!kDHd:!DSS:!aNULL:!eNULL@STRENGTH",
    "ssl_cipher_suites": "",
    "ssl_curve_list": "",
    "auth_mechanisms": "plain",
    "login_trusted_networks": "",
    "haproxy_trusted_networks": "",
}
_DEFAULTS = {
    "2.3": {
        **_SHARED,
        "disable_plaintext_auth": "yes",
        "ssl_prefer_server_ciphers": "no",
        "ssl_cert": "",
        "ssl_alt_cert": "",
        "ssl_dh": "",
        "login_log_format_elements": "user=<%u> method=%m rip=%r %c session=<%{session}>",
        "ssl_verify_client_cert": "no",
    },
    "2.4": {
        **_SHARED,
        "auth_allow_cleartext": "no",
        "ssl_server_prefer_ciphers": "client",
        "ssl_server_cert_file": "",
        "ssl_server_key_file": "",
        "ssl_server_alt_cert_file": "",
        "ssl_server_alt_key_file": "",
        "ssl_server_dh_file": "",
        "login_log_format_elements": "user=<%{user}> rip=%{remote_ip} %{secured}",
        "ssl_server_request_client_cert": "no",
    },
}


def defaults(version: str) -> dict[str, str]:
    """The settings that a version knows, and their built-in values."""
    found = dict(_DEFAULTS[version[:3]])
    if version == "2.3.13":
        found["ssl_min_protocol"] = "TLSv1"
        del found["ssl_cipher_suites"]
    return found


@dataclass
class World:
    """A host; ``facts`` are its certificate and key files, all others are absent."""

    root: Path
    version: str
    library: Optional[TlsLibrary]
    facts: dict[str, FileFact] = field(default_factory=dict)

    def write(self, files: Mapping[str, str]) -> None:
        """Files by their names below the folder; ``{root}`` stands for it."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            written = text.replace("{root}", str(self.root))
            path.write_bytes(written.encode("utf-8", "surrogateescape"))

    def text(self, name: str) -> str:
        return (self.root / name).read_bytes().decode("utf-8", "surrogateescape")

    def texts(self) -> dict[str, str]:
        found = (p for p in sorted(self.root.rglob("*")) if p.is_file())
        return {str(p.relative_to(self.root)): p.read_text("utf-8") for p in found}

    def add(self, *facts: FileFact) -> None:
        for fact in facts:
            path = fact.path.replace("{root}", str(self.root))
            self.facts[path] = replace(fact, path=path)

    def fact(self, path: str, role: str, _key: Optional[str] = None) -> FileFact:
        found = self.facts.get(path)
        return replace(found, role=role) if found else absent(path, role)

    def plan(self, profile: Profile) -> Plan:
        return plan_for(self.observe(), profile, (NAME,))

    def observe(self) -> ServerConfig:
        raise NotImplementedError

    def apply(self, plan: Plan) -> list[str]:
        """Write what the plan wants; the files that changed, by their names."""
        changed = self._texts(plan)
        for path, text in changed.items():
            Path(path).write_bytes(text.encode("utf-8", "surrogateescape"))
        if plan.certificate:
            made = plan.certificate
            self.add(usable(made.key, "key"), usable(made.certificate, "combined"))
        for mode in plan.modes:
            self.facts[mode.path] = replace(self.facts[mode.path], mode=mode.mode)
        return sorted(str(Path(path).relative_to(self.root)) for path in changed)

    def _texts(self, plan: Plan) -> Mapping[str, str]:
        raise NotImplementedError

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(host, "run", self._run)
        patch.setattr(host, "file_fact", self.fact)
        patch.setattr(tls_library, "linked", lambda _path: self.library)
        patch.setattr(tls_library, "expand", expand)

    def _run(
        self, argv: Sequence[str], timeout: float = 30.0, env: Optional[Mapping[str, str]] = None
    ) -> host.Result:
        raise NotImplementedError


class DovecotWorld(World):
    """Dovecot's files in a folder, and a doveconf that knows the fields of the vocabulary."""

    refusal = ""

    @property
    def main(self) -> str:
        return str(self.root / "dovecot.conf")

    def observe(self) -> ServerConfig:
        with pytest.MonkeyPatch.context() as patch:
            self._patch(patch)
            patch.setattr(dovecot, "linked_library", lambda _plugins="": self.library)
            server = dovecot.observe()
        assert server is not None
        return server

    def _texts(self, plan: Plan) -> Mapping[str, str]:
        wanted = Wanted(
            tuple((want.name, want.value) for want in plan.settings),
            tuple((Origin(o.file, o.line), o.name) for o in plan.overrides),
        )
        return dovecot_change.candidate(wanted, {}, self.main).texts

    def _run(
        self, argv: Sequence[str], timeout: float = 30.0, env: Optional[Mapping[str, str]] = None
    ) -> host.Result:
        if argv[0] != "doveconf":
            return host.Result(1, "", "")
        banner = f"# {self.version} (0): {self.main}\n"
        if argv[1] == "-n":
            return host.Result(89 if self.refusal else 0, banner, self.refusal)
        if self.refusal:
            return host.Result(89, "", self.refusal)
        words = list(argv[1:])
        scope: list[str] = []
        while words and words[0] == "-f":
            scope.append(words[1].replace("lname=", "local_name="))
            del words[:2]
        values = self._values(",".join(scope))
        if not scope:
            values.update(written_values(self._settings()))
            words += [name for name in values if name.startswith("service/")]
        lines = (f"{name} = {values[name]}\n" for name in dict.fromkeys(words) if name in values)
        return host.Result(0, "".join(lines), "")

    def _settings(self) -> Sequence[language.Setting]:  # type: ignore[name-defined]
        document = language.read_document(
            self.main, lambda path: host.read_text(path, 1 << 20), host.glob_files
        )
        return language.settings(document)

    def _values(self, scope: str) -> dict[str, str]:
        found = self._settings()
        values = defaults(self.version)
        for name in values:
            setting = deciding(found, name, scope, lambda _: True, self.version.startswith("2.3"))
            if setting is not None and holds(setting.scope, scope):
                values[name] = setting.value
        return values


# ---------------------------------------------------------------------------------------------
# Courier

# The shape of Debian's start scripts, and of upstream's for 143 and 110 on OpenSSL.
_SCRIPT = """#! /bin/sh
. {outer[0]}
. {outer[1]}
/usr/bin/env -i /bin/sh -c " set -a ;
    . {inner[0]} ; \\
    . {inner[1]} ; \\
    {given}
    couriertcpd"
"""
_STARTS = {
    "imapd": (("imapd-ssl", "imapd"), "IMAP_STARTTLS=$IMAPDSTARTTLS ; \\"),
    "imapd-ssl": (("imapd", "imapd-ssl"), "IMAP_TLS=1; \\"),
    "pop3d": (("pop3d-ssl", "pop3d"), "\\"),
    "pop3d-ssl": (("pop3d", "pop3d-ssl"), "POP3_STARTTLS=NO ; POP3_TLS_REQUIRED=0 ; \\"),
}


class CourierWorld(World):
    """Courier's files and start scripts in a folder."""

    def start(self) -> None:
        """Write the start scripts: Debian's where the library is GnuTLS, else upstream's."""
        assert self.library is not None
        for name, (outer, own) in _STARTS.items():
            inner = tuple(sorted(outer))
            upstream = self.library.name == "openssl" and not name.endswith("-ssl")
            given = f"TLS_PROTOCOL=$TLS_STARTTLS_PROTOCOL ; {own}" if upstream else own
            folder = f"{self.root}/etc/"
            text = _SCRIPT.format(
                outer=[folder + n for n in outer], inner=[folder + n for n in inner], given=given
            )
            self.write({f"lib/{name}": text})

    def observe(self) -> ServerConfig:
        layout = courier._Layout(
            str(self.root / "etc"), (str(self.root / "lib" / "{}"),), str(self.root / "bin")
        )
        with pytest.MonkeyPatch.context() as patch:
            self._patch(patch)
            patch.setattr(courier, "_LAYOUTS", (layout,))
            server = courier.observe()
        assert server is not None
        return server

    def _texts(self, plan: Plan) -> Mapping[str, str]:
        return courier_change.candidate(
            [(want.file, want.name, want.value) for want in plan.settings],
            [(o.file, o.line, o.name) for o in plan.overrides],
        )

    def _run(
        self, argv: Sequence[str], timeout: float = 30.0, env: Optional[Mapping[str, str]] = None
    ) -> host.Result:
        if argv[-1] == "--version":
            return host.Result(0, f"Courier-IMAP {self.version}\n", "")
        if argv[0] == "systemctl":
            units = [word for word in argv if word.endswith(".service")]
            block = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
            return host.Result(0, "\n".join(block for _ in units), "")
        return host.Result(1, "", "")


def couriertls() -> str:
    """A program that can be run: COURIERTLS must name one, or Courier offers no STARTTLS."""
    return shutil.which("true") or "/bin/true"
