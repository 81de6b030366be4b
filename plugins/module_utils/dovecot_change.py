# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a change of Dovecot is checked, activated and proven on its own host.

The candidate is checked as one flat file, so that nothing live has to be touched: ``doveconf -n
-x`` expands every file it names. What doveconf accepts and then breaks each handshake (cipher and
group strings, a key of another certificate) is asked of the linked library. A reload is enough for
all TLS settings; its exit code proves nothing (dovecot/core ``sig_settings_reload``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from . import dovecot, host, scratch, services, tls_library, validity
from .config import dovecot as language
from .config.dovecot_edit import Overlay, Wanted, edit
from .config.vocabulary import WORDS, dovecot_dialect
from .model.configured import Origin, Setting
from .text import clean
from .transaction import FileState, Refused

MAIN = "/etc/dovecot/dovecot.conf"
UNITS = ("dovecot.service",)
CONFIG_LIMIT = 4 * 1024 * 1024
_ERROR_LINE = re.compile(r"(?:file \S+ line |\S+:)(\d+)\)?: ?(?P<words>.*)")


@dataclass(frozen=True)
class Candidate:
    """The new texts over the real files, and new files that are not configuration (PEM)."""

    overlay: Overlay
    pem: Mapping[str, bytes]

    @property
    def texts(self) -> Mapping[str, str]:
        """Path → new text of each configuration file that changes."""
        return self.overlay.new

    def document(self, main: str = MAIN) -> language.Document:
        """The configuration as it would be."""
        return language.read_document(main, self.overlay.read, self.overlay.glob)


def read(path: str) -> Optional[str]:
    """The text of a configuration file, ``None`` where there is none."""
    return host.read_text(path, CONFIG_LIMIT)


def candidate(wanted: Wanted, pem: Mapping[str, bytes], main: str = MAIN) -> Candidate:
    """The configuration that meets ``wanted``. Raises Stale as :func:`dovecot_edit.edit`."""
    return Candidate(Overlay(edit(main, read, host.glob_files, wanted), read, host.glob_files), pem)


def present(main: str = MAIN) -> language.Document:
    """The configuration as it is."""
    return language.read_document(main, read, host.glob_files)


def check(made: Candidate, version: str, main: str = MAIN) -> Optional[str]:
    """Why the candidate must not go live, as a sentence with file and line; else ``None``."""
    document = made.document(main)
    text, origins = language.flatten(document)
    with scratch.folder("check") as directory:
        for index, (path, content) in enumerate(made.pem.items()):
            stand_in = os.path.join(directory, str(index))
            _write(stand_in, content)
            text = text.replace(path, stand_in)
        flat = os.path.join(directory, "dovecot.conf")
        _write(flat, text.encode("utf-8", "surrogateescape"))
        answer = host.run(["doveconf", "-n", "-x", "-c", flat])
    if answer.rc:
        return _placed(answer.stderr or answer.stdout, origins)
    return _library_refuses(document, version) or _pair_refuses(document, version, made.pem)


def _write(path: str, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(content)


def _placed(output: str, origins: Sequence[Origin]) -> str:
    """doveconf's message with the line of the flat file turned into the real file and line."""
    lines = [line for line in output.splitlines() if "Error" in line or "Fatal" in line]
    message = clean((lines or output.splitlines() or ["no message"])[-1], 300)
    match = _ERROR_LINE.search(message)
    number = int(match.group(1)) if match else 0
    if match and 0 < number <= len(origins):
        origin = origins[number - 1]
        return f"{origin.file}:{origin.line}: Dovecot refuses the candidate: {match['words']}"
    return f"Dovecot refuses the candidate: {message}"


# Which words of a configuration are strings of the TLS library, by the field they stand for.
_LIBRARY_FIELDS = ("ciphers", "cipher_suites", "groups")


def _library_refuses(document: language.Document, version: str) -> Optional[str]:
    library = dovecot.linked_library()
    if library is None:
        return None
    words = WORDS[dovecot_dialect(version)]
    fields = {words[field].name: field for field in _LIBRARY_FIELDS}
    for setting in language.settings(document):
        field = fields.get(setting.name)
        if field and setting.wins and not setting.dynamic:
            try:
                tls_library.expand(library, **{field: setting.value})
            except tls_library.Rejected as error:
                place = f"{setting.origin.file}:{setting.origin.line}"
                return f"{place}: {library.name} {library.version} refuses {setting.name}: {error}"
    return None


def _pair_refuses(
    document: language.Document, version: str, made: Mapping[str, bytes]
) -> Optional[str]:
    """Whether the global key belongs to another certificate, or a new certificate has ended.

    A pair just made is one; a certificate that is in force already is not this change's fault.
    """
    words = WORDS[dovecot_dialect(version)]
    certificate, key = (_winning(document, words[f].name) for f in ("certificate", "key"))
    if certificate is None or key is None:
        return None
    paths = [setting.value.lstrip("<").strip() for setting in (certificate, key)]
    if made.keys() & set(paths):
        return None
    # None is "not to be told" (an encrypted key): the handshakes will tell.
    fact = host.file_fact(paths[0], "certificate", paths[1])
    if fact.key_matches is False:
        place = f"{key.origin.file}:{key.origin.line}"
        return f"{place}: the key {paths[1]} belongs to another certificate than {paths[0]}"
    now = _winning(present(document.main), words["certificate"].name)
    ended = validity.ended(fact.chain)
    if ended and (now is None or now.value != certificate.value):
        place = f"{certificate.origin.file}:{certificate.origin.line}"
        return f"{place}: the certificate {paths[0]} {ended}"
    return None


def _winning(document: language.Document, name: str) -> Optional[Setting]:
    found = [s for s in language.settings(document) if s.wins and not s.scope and s.name == name]
    return found[-1] if found else None


def running() -> tuple[str, ...]:
    """The unit, where it runs: it has to run again whatever becomes of a change."""
    return tuple(name for name in UNITS if host.unit(name).active)


def activate(units: Sequence[str], _paths: Sequence[str] = ()) -> Optional[str]:
    """Let a running Dovecot read its files, certificates too; one of ``units`` that died starts."""
    if host.unit(UNITS[0]).active is None:  # no systemd
        answer = host.run(["doveadm", "reload"], timeout=90.0)
        return f"doveadm reload failed: {clean(answer.stderr, 200)}" if answer.rc else None
    return services.bring(units, "reload")


def pem_states(pem: Mapping[str, bytes], keys: Sequence[str]) -> tuple[FileState, ...]:
    """Made certificates and keys as new states: Dovecot reads both as root."""
    modes: dict[str, int] = {path: 0o400 if path in keys else 0o644 for path in pem}
    return tuple(FileState(path, content, modes[path]) for path, content in pem.items())


__all__ = ["Candidate", "Refused", "activate", "candidate", "check", "pem_states", "running"]
