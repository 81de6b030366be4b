# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a certificate goes on each kind of server and configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot_edit import DROP_IN
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    Listener,
    Origin,
    Product,
    ServerConfig,
    Setting,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service, TlsMode
from ansible_collections.postmaster.tls.plugins.module_utils.places import (
    DOVECOT_ALT,
    DOVECOT_OWN,
    NoPlace,
    place,
)


def row(field: str, value: Optional[str], scope: str = "", file: str = "/x/10-ssl.conf") -> Any:
    names = {"certificate": "ssl_cert", "key": "ssl_key", "ciphers": "ssl_cipher_list"}
    name = names[field]
    return Effective(scope, field, value, name, f"<{value}", Origin(file, 1))


def pair(certificate: Optional[str], key: str, scope: str = "") -> list[Any]:
    return [row("certificate", certificate, scope), row("key", key, scope)]


def dovecot(*rows: Any, settings: tuple[Setting, ...] = (), version: str = "2.3.19.1") -> Any:
    return ServerConfig(
        Product.DOVECOT,
        version,
        None,
        "/etc/dovecot/dovecot.conf",
        settings=settings,
        effective=rows,
        listeners=(
            Listener(Service.IMAP, "*", 993, TlsMode.IMPLICIT),
            Listener(Service.POP3, "*", 110, TlsMode.STARTTLS),
            Listener(Service.SIEVE, "*", 4190, None),
        ),
    )


@pytest.fixture
def at(tmp_path: Path) -> Any:
    """A path in a folder that exists."""
    return lambda name: str(tmp_path / name)


def test_a_plain_pair_is_written_in_place(at: Any) -> None:
    found = place(dovecot(*pair(at("c"), at("k"))), ())
    assert found.files == ((at("c"), at("k")),)
    assert (found.settings, found.scoped) == ((), ())
    assert [str(port) for port in found.ports] == ["imap://*:993", "pop3://*:110"]


@pytest.mark.parametrize(
    "which", ["a link", "the source", "no setting", "not known", "no such folder", "inline"]
)
def test_else_it_goes_into_files_of_our_own(which: str, at: Any, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("c")
    rows = {
        "a link": pair(at("link"), at("k")),
        "the source": pair(at("source"), at("k")),
        "no setting": [],
        "not known": pair(None, at("k")),
        "no such folder": pair(at("no/such/c"), at("k")),
        "inline": pair("", ""),
    }[which]
    found = place(dovecot(*rows), (at("source"),))
    assert found.files == (DOVECOT_OWN,)
    assert found.settings == (
        ("ssl_cert", f"<{DOVECOT_OWN[0]}", ""),
        ("ssl_key", f"<{DOVECOT_OWN[1]}", ""),
    )


def test_names_of_settings_are_those_of_the_version() -> None:
    settings = place(dovecot(version="2.4.1"), ()).settings
    assert [(n, v) for n, v, _f in settings] == [
        ("ssl_server_cert_file", DOVECOT_OWN[0]),
        ("ssl_server_key_file", DOVECOT_OWN[1]),
    ]


def test_what_our_own_file_says_stays_in_it() -> None:
    ours = f"/etc/dovecot/conf.d/{DROP_IN}"
    held = Setting("ssl_min_protocol", "TLSv1.3", "remote=192.0.2.0/24", Origin(ours, 9))
    other = Setting("ssl", "no", "protocol=pop3", Origin("/x", 1))
    rows = [row("ciphers", "HIGH", file=ours)]
    found = place(dovecot(*rows, settings=(held, other)), ())
    assert found.settings[0] == ("ssl_cipher_list", "<HIGH", "")
    assert found.scoped == (("remote=192.0.2.0/24", "ssl_min_protocol", "TLSv1.3"),)


def test_a_block_without_files_has_to_be_covered(at: Any) -> None:
    own = pair(at("other"), at("other.key"), "local_name=own.example.test")
    bare = Setting("ssl_min_protocol", "TLSv1.2", "local_name=a.test b.test", Origin("/x", 1))
    server = dovecot(*pair(at("c"), at("k")), *own, settings=(bare,))
    assert place(server, ()).names == ("a.test", "b.test")


def test_a_block_with_files_gets_a_certificate_of_its_own(at: Any) -> None:
    own = pair(at("other"), at("other.key"), "local_name=own.example.test")
    found = place(dovecot(*pair(at("c"), at("k")), *own), (), "own.example.test")
    assert found.files == ((at("other"), at("other.key")),)
    assert found.server_name == "own.example.test"
    assert found.names == ("own.example.test",)


@pytest.mark.parametrize("sni", ["nobody.example.test", "shared.example.test"])
def test_a_name_without_a_block_has_no_place(sni: str, at: Any) -> None:
    shared = pair(at("c"), at("k"), "local_name=shared.example.test")
    with pytest.raises(NoPlace, match=f"no local_name block for {sni}.*ssl_cert and ssl_key"):
        place(dovecot(*pair(at("c"), at("k")), *shared), (), sni)


def test_a_protocol_with_its_own_certificate_is_not_asked(at: Any) -> None:
    own = pair(at("p"), at("p.key"), "protocol=pop3")
    found = place(dovecot(*pair(at("c"), at("k")), *own), ())
    assert [str(port) for port in found.ports] == ["imap://*:993"]


# ---------------------------------------------------------------------------------------------
# Courier


def courier(folder: Path, files: dict[str, tuple[Optional[str], str]], *settings: Any) -> Any:
    rows = [
        Effective(f"service={scope}", field, value, name, value or "`x`", None)
        for scope, (certificate, key) in files.items()
        for field, value, name in (
            ("certificate", certificate, "TLS_CERTFILE"),
            ("key", key, "TLS_PRIVATE_KEYFILE"),
        )
    ]
    return ServerConfig(
        Product.COURIER,
        "5.2.11",
        None,
        str(folder),
        settings=settings,
        effective=tuple(rows),
        listeners=(Listener(Service.IMAP, "*", 993, TlsMode.IMPLICIT),),
    )


def test_couriers_combined_files_are_written_in_place(at: Any, tmp_path: Path) -> None:
    i, p = at("imapd.pem"), at("pop3d.pem")
    server = courier(tmp_path, {"imap": (i, ""), "imaps": (i, ""), "pop3": (p, p), "pop3s": (p, p)})
    found = place(server, ())
    assert found.files == ((i, i), (p, p))
    assert found.settings == ()


def test_two_files_of_couriers_become_one(at: Any, tmp_path: Path) -> None:
    both = (at("c"), at("k"))
    other = Setting("TLS_CERTFILE", "x", "imapd", Origin(at("imapd"), 7))
    found = place(courier(tmp_path, {"imap": both, "imaps": both}, other), ())
    own, file = at("postmaster-tls.pem"), at("imapd-ssl")
    assert found.files == ((own, own),)
    assert found.settings == (("TLS_CERTFILE", own, file), ("TLS_PRIVATE_KEYFILE", own, file))
    assert found.overrides == ((at("imapd"), 7, "TLS_CERTFILE"),)


def test_a_name_that_the_shell_computes_is_replaced(at: Any, tmp_path: Path) -> None:
    found = place(courier(tmp_path, {"imap": (None, ""), "imaps": (None, "")}), ())
    own = at("postmaster-tls.pem")
    assert found.settings == (("TLS_CERTFILE", own, at("imapd-ssl")),)


def test_a_name_of_couriers_is_a_suffix(at: Any, tmp_path: Path) -> None:
    i, p = at("imapd.pem"), at("pop3d.pem")
    found = place(courier(tmp_path, {"imap": (i, ""), "pop3": (p, "")}), (), "a.test")
    assert found.files == tuple((f"{each}.a.test",) * 2 for each in (i, p))
    assert found.server_name == "a.test"


@pytest.mark.parametrize(
    ("pair_", "words"), [((None, ""), "not a plain name"), (("/c", "/k"), "is another file")]
)
def test_a_suffix_needs_a_plain_combined_file(pair_: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(NoPlace, match=words):
        place(courier(tmp_path, {"imap": pair_}), (), "a.test")


# ---------------------------------------------------------------------------------------------
# A second certificate


ALT = {"alt_certificate": "ssl_alt_cert", "alt_key": "ssl_alt_key"}


def second(certificate: str, key: str, scope: str = "", file: str = "/x/10-ssl.conf") -> list[Any]:
    return [
        Effective(scope, field, value, name, f"<{value}", Origin(file, 1))
        for (field, name), value in zip(ALT.items(), (certificate, key))
    ]


def test_a_second_certificate_goes_into_files_of_our_own(at: Any) -> None:
    found = place(dovecot(*pair(at("c"), at("k"))), (), alt=True)
    assert (found.files, found.alt) == (((at("c"), at("k")),), DOVECOT_ALT)
    assert found.settings == tuple(
        (name, f"<{path}", "") for name, path in zip(ALT.values(), DOVECOT_ALT)
    )
    words = place(dovecot(*pair(at("c"), at("k")), version="2.4.1"), (), alt=True).settings
    assert [(name, value) for name, value, _file in words] == [
        ("ssl_server_alt_cert_file", DOVECOT_ALT[0]),
        ("ssl_server_alt_key_file", DOVECOT_ALT[1]),
    ]


def test_a_second_pair_of_the_servers_own_is_written_in_place(at: Any) -> None:
    found = place(dovecot(*pair(at("c"), at("k")), *second(at("c2"), at("k2"))), (), alt=True)
    assert (found.alt, found.settings, found.scoped) == ((at("c2"), at("k2")), (), ())


def test_no_block_inherits_a_second_certificate_for_other_names(at: Any) -> None:
    ours = f"/etc/dovecot/conf.d/{DROP_IN}"
    block = pair(at("other"), at("other.key"), "local_name=own.example.test")
    rows = [*pair(at("c"), at("k")), *block]
    found = place(dovecot(*rows), (), alt=True)
    cleared = tuple(("local_name=own.example.test", name, "") for name in ALT.values())
    assert found.scoped == cleared
    held = tuple(Setting(name, "", scope, Origin(ours, 9)) for scope, name, _value in cleared)
    there = [*rows, *second(*DOVECOT_ALT, file=ours), *second("", "", cleared[0][0], ours)]
    again = place(dovecot(*there, settings=held), (), alt=True)
    # The folder of our own files is not there: what counts is that the blocks are known.
    assert again.scoped in ((), cleared)
    own = second(at("o2"), at("ok2"), "local_name=own.example.test")
    assert place(dovecot(*rows, *own), (), alt=True).scoped == ()


def test_without_a_second_one_ours_goes_and_another_stays(at: Any) -> None:
    ours = f"/etc/dovecot/conf.d/{DROP_IN}"
    scope = "local_name=own.example.test"
    held = (Setting("ssl_alt_cert", "", scope, Origin(ours, 9)),)
    rows = [*pair(at("c"), at("k")), *second(*DOVECOT_ALT, file=ours)]
    found = place(dovecot(*rows, settings=held), ())
    assert found.settings == tuple((name, "", "") for name in ALT.values())
    assert (found.alt, found.beside, found.scoped) == (None, None, ())
    others = place(dovecot(*pair(at("c"), at("k")), *second(at("c2"), at("k2"))), ())
    assert (others.settings, others.beside) == ((), at("c2"))


def test_a_name_needs_a_second_pair_of_its_own(at: Any) -> None:
    scope = "local_name=own.example.test"
    rows = [*pair(at("c"), at("k")), *second(at("c2"), at("k2")), *pair(at("o"), at("ok"), scope)]
    with pytest.raises(NoPlace, match="ssl_alt_cert and ssl_alt_key"):
        place(dovecot(*rows), (), "own.example.test", alt=True)
    own = second(at("o2"), at("ok2"), scope)
    assert place(dovecot(*rows, *own), (), "own.example.test", alt=True).alt == (
        at("o2"),
        at("ok2"),
    )


@pytest.mark.parametrize("sni", [None, "a.test"])
def test_courier_has_no_place_for_two(sni: Optional[str], at: Any, tmp_path: Path) -> None:
    server = courier(tmp_path, {"imap": (at("imapd.pem"), "")})
    with pytest.raises(NoPlace, match="Courier serves one certificate to every client"):
        place(server, (), sni, alt=True)
