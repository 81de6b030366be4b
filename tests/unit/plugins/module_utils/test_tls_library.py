# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The library that Python itself is linked to is asked; Python's own ssl module is the truth."""

from __future__ import annotations

import _ssl
import ssl
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import host, tls_library
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Expansion,
    TlsLibrary,
)

LDD = {
    "direct dependency first": (
        (
            "\tlinux-vdso.so.1 (0x00007ffc)\n"
            "\tlibgnutls.so.30 => /lib/x86_64-linux-gnu/libgnutls.so.30 (0x00007f1c)\n"
            "\tlibssl.so.3 => /lib/x86_64-linux-gnu/libssl.so.3 (0x00007f1b)\n"
        ),
        ("gnutls", "/lib/x86_64-linux-gnu/libgnutls.so.30"),
    ),
    "openssl": (
        "\tlibssl.so.1.1 => /usr/lib/libssl.so.1.1 (0x00007f1b)\n",
        ("openssl", "/usr/lib/libssl.so.1.1"),
    ),
    "alike names": (
        (
            "\tlibgnutls-dane.so.0 => /lib/libgnutls-dane.so.0 (0x1)\n"
            "\tlibssl3.so => /lib/libssl3.so (0x1)\n"
        ),
        None,
    ),
    "missing": ("\tlibssl.so.3 => not found\n", None),
    "no program": ("", None),
}


@pytest.fixture
def own() -> TlsLibrary:
    library = tls_library.linked(_ssl.__file__)
    if library is None:
        pytest.skip("this Python is not linked to a shared libssl")
    return library


@pytest.mark.parametrize(("output", "expected"), LDD.values(), ids=LDD)
def test_ldd(
    output: str, expected: Optional[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "run", lambda argv: host.Result(0, output, ""))
    monkeypatch.setattr(
        tls_library, "_VERSION", {"openssl": lambda _: "1", "gnutls": lambda _: "1"}
    )
    library = tls_library.linked("/usr/bin/couriertls")
    assert (library and (library.name, library.path)) == expected


def test_a_program_that_is_not_there() -> None:
    assert tls_library.linked("/nowhere/couriertls") is None


def test_linked_asks_the_library_for_its_version(own: TlsLibrary) -> None:
    assert own.name == "openssl"
    assert own.version is not None
    assert own.version in ssl.OPENSSL_VERSION


def test_ciphers_are_those_of_the_ssl_module(own: TlsLibrary) -> None:
    string = "ECDHE+AESGCM:ECDHE+AES:!aNULL:@SECLEVEL=0"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(string)
    ids = [c["id"] & 0xFFFF for c in context.get_ciphers()]  # type: ignore[typeddict-item]
    expected = tuple(i for i in ids if i >> 8 != 0x13)
    assert tls_library.expand(own, ciphers=string) == Expansion(suites=expected)


@pytest.mark.parametrize("field", ["ciphers", "cipher_suites", "groups"])
def test_an_empty_string_is_the_default(own: TlsLibrary, field: str) -> None:
    expansion = tls_library.expand(own, **{field: ""})
    assert expansion.groups if field == "groups" else expansion.suites
    assert expansion.versions is None


def test_what_is_not_asked_for_is_none(own: TlsLibrary) -> None:
    assert tls_library.expand(own) == Expansion()
    assert tls_library.expand(own, priority="NORMAL") == Expansion()
    assert tls_library.expand(own, groups="X25519:prime256v1") == Expansion(groups=(29, 23))


@pytest.mark.parametrize(
    ("strings", "words", "position"),
    [
        ({"ciphers": "NOSUCHCIPHER"}, "ciphers: no cipher match", None),
        ({"cipher_suites": "NOPE"}, "cipher_suites: ", None),
        ({"groups": "X25519:nonsense"}, "groups: ", None),
        ({"ciphers": "A" * 4097}, "longer than 4096", None),
        ({"groups": "X25519\0"}, "not printable ASCII at character 7", 6),
        ({"priority": "NORMAL\n"}, "not printable ASCII at character 7", 6),
        ({"priority": "é"}, "not printable ASCII at character 1", 0),
    ],
)
def test_rejected(
    own: TlsLibrary, strings: dict[str, str], words: str, position: Optional[int]
) -> None:
    with pytest.raises(tls_library.Rejected, match=words) as caught:
        tls_library.expand(own, **strings)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("name", "known"),
    [("X25519", True), ("prime256v1", True), ("nonsense", False), ("X25519:prime256v1", False)],
)
def test_accepts_group(own: TlsLibrary, name: str, known: bool) -> None:
    assert tls_library.accepts_group(own, name) is known


def test_known_groups_keep_their_order(own: TlsLibrary) -> None:
    names = ["nonsense", "secp384r1", "?X25519", "X25519", ""]
    assert tls_library.known_groups(own, names) == ("secp384r1", "X25519")


@pytest.mark.parametrize("name", ["openssl", "gnutls"])
@pytest.mark.parametrize("path", [None, "/nowhere/libssl.so.9", __file__])
def test_what_cannot_be_asked_is_none(name: str, path: Optional[str]) -> None:
    library = TlsLibrary(name, None, path)
    assert tls_library.expand(library, ciphers="HIGH", priority="NORMAL") == Expansion()
    assert tls_library.accepts_group(library, "X25519") is None
