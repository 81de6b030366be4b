# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each tool says is read right, and what is no such thing is refused.

The fixtures are recordings from the lab, shortened: two suites a version, no certificates.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.plugin_utils.registry import VERSIONS
from ansible_collections.postmaster.tls.tests.differential import sslscan, sslyze, testssl
from ansible_collections.postmaster.tls.tests.differential.target import KINDS, Target
from ansible_collections.postmaster.tls.tests.differential.view import (
    CURVES,
    FIELDS,
    KEMS,
    LISTED,
    OFFERED,
    Names,
    Unreadable,
    View,
    groups_of,
    suites_of,
)

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "differential"
AES256, AES128 = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"
GCM256, GCM128 = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
NIST = frozenset({"secp256r1", "secp384r1", "secp521r1"})
FOUR = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}
NOTHING: Names = frozenset()


def read(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def by_testssl(text: str) -> View:
    return testssl.view(text, "3.0.8")


READERS: dict[str, Callable[[str], View]] = {
    "sslscan-2.0.7-dovecot.xml": sslscan.view,
    "sslyze-6.3.1-dovecot.json": sslyze.view,
    "sslyze-6.3.1-errors.json": sslyze.view,
    "sslyze-6.3.1-no-tls.json": sslyze.view,
    "testssl-3.0.8-courier.json": by_testssl,
    "testssl-3.0.8-without-starttls.json": by_testssl,
}
OUTPUTS = {name: read(name) for name in READERS}


def versions(view: View) -> set[str]:
    return {name for name in VERSIONS.values() if view.topics[name] == {OFFERED}}


def test_sslscan() -> None:
    seen = sslscan.view(read("sslscan-2.0.7-dovecot.xml"))
    assert (seen.tool, seen.release) == ("sslscan", "2.0.7")
    assert versions(seen) == FOUR
    assert seen.topics["SSLv2"] == seen.topics[suites_of("SSLv3")] == NOTHING
    assert seen.topics[suites_of("TLSv1")] == {AES256, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"}
    assert seen.topics[suites_of("TLSv1.2")] == {GCM256, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"}
    assert seen.topics[groups_of("TLSv1.2")] == NIST | {"x25519", "x448"}
    fields = {f"ffdhe{bits}" for bits in (2048, 3072, 4096, 6144, 8192)}
    assert seen.topics[groups_of("TLSv1.3")] == NIST | {"x25519", "x448"} | fields
    assert groups_of("TLSv1.1") not in seen.topics


def test_sslyze() -> None:
    seen = sslyze.view(read("sslyze-6.3.1-dovecot.json"))
    assert (seen.tool, seen.release) == ("sslyze", "6.3.1")
    assert versions(seen) == FOUR
    assert seen.topics[suites_of("TLSv1.1")] == {AES256, AES128}
    assert seen.topics[CURVES] == {"x25519", "secp256r1", "secp384r1"}
    assert set(seen.topics) == {*VERSIONS.values(), *map(suites_of, LISTED), CURVES}


def test_what_sslyze_could_not_scan_is_no_answer() -> None:
    seen = sslyze.view(read("sslyze-6.3.1-errors.json"))
    silent = {topic for topic, names in seen.topics.items() if names is None}
    lost = ("SSLv3", "TLSv1", "TLSv1.1")
    assert silent == {*lost, *map(suites_of, lost)}


@pytest.mark.parametrize(
    ("error", "names"),
    [
        ("ServerTlsConfigurationNotSupported", NOTHING),
        ("ServerRejectedOpportunisticTlsNegotiation", NOTHING),
        ("ConnectionToServerTimedOut", None),
    ],
)
def test_sslyze_on_a_port_without_tls(error: str, names: Names) -> None:
    text = read("sslyze-6.3.1-no-tls.json")
    seen = sslyze.view(text.replace("ServerTlsConfigurationNotSupported", error))
    assert set(seen.topics.values()) == {names}
    assert set(seen.topics) == set(sslyze.view(read("sslyze-6.3.1-dovecot.json")).topics)


def test_testssl() -> None:
    seen = by_testssl(read("testssl-3.0.8-courier.json"))
    assert versions(seen) == FOUR
    assert seen.topics[suites_of("TLSv1.3")] == {
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
    }
    assert seen.topics[CURVES] == NIST | {"x25519", "x448"}
    assert seen.topics[FIELDS] == {f"ffdhe{bits}" for bits in (3072, 4096, 6144, 8192)}


def test_testssl_lists_kems_since_3_2() -> None:
    rows = json.loads(read("testssl-3.0.8-courier.json"))
    assert KEMS not in testssl.view(json.dumps(rows), "3.0.8").topics
    assert testssl.view(json.dumps(rows), "3.2.1").topics[KEMS] == NOTHING
    rows.append({"id": "FS_KEMs", "finding": "X25519MLKEM768 SecP256r1MLKEM768"})
    seen = testssl.view(json.dumps(rows), "3.2.1")
    assert seen.topics[KEMS] == {"X25519MLKEM768", "SecP256r1MLKEM768"}


def test_testssl_on_a_port_without_tls() -> None:
    seen = by_testssl(read("testssl-3.0.8-without-starttls.json"))
    assert set(seen.topics.values()) == {NOTHING}


@pytest.mark.parametrize(
    ("finding", "names"),
    [
        ("offered (deprecated)", {OFFERED}),
        ("not offered and downgraded to a weaker protocol", NOTHING),
        ("likely not offered", NOTHING),
        ("couldn't be tested, socket problem", None),
        ("connection failed rather than downgrading to TLSv1.2", None),
    ],
)
def test_the_words_of_testssl(finding: str, names: Names) -> None:
    rows = json.loads(read("testssl-3.0.8-courier.json"))
    changed = [{**row, "finding": finding} if row["id"] == "TLS1_1" else row for row in rows]
    assert by_testssl(json.dumps(changed)).topics["TLSv1.1"] == names


def test_a_second_word_of_testssl_is_a_remark() -> None:
    rows = json.loads(read("testssl-3.0.8-courier.json"))
    remark = {"id": "SSLv3", "finding": "SSL downgraded to STARTTLS plaintext"}
    (at,) = (n for n, row in enumerate(rows) if row["id"] == "SSLv3")
    rows.insert(at + 1, remark)
    assert by_testssl(json.dumps(rows)).topics["SSLv3"] == NOTHING


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("SSLv3", "is silent of"),
        ("scanTime", "did not finish"),
        ("SSLv2", "is silent of"),
    ],
)
def test_a_list_of_testssl_that_lacks_something_is_refused(text: str, named: str) -> None:
    rows = [r for r in json.loads(read("testssl-3.0.8-courier.json")) if r["id"] != text]
    with pytest.raises(Unreadable, match=named):
        by_testssl(json.dumps(rows))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("sslscan-2.0.7-dovecot.xml", 'id="0xC014"', 'id="C0-14"'),
        ("sslscan-2.0.7-dovecot.xml", 'version="1.1" enabled', 'version="1.4" enabled'),
        ("sslscan-2.0.7-dovecot.xml", "ssltest", "test"),
        ("sslyze-6.3.1-dovecot.json", AES128, "TLS_OF_TOMORROW"),
        ("sslyze-6.3.1-dovecot.json", '"X25519"', '"X99"'),
        ("sslyze-6.3.1-dovecot.json", "tls_1_1_cipher_suites", "tls_1_1_ciphers"),
        ("testssl-3.0.8-courier.json", "X25519", "X99"),
        ("testssl-3.0.8-courier.json", "scanTime", "scanProblem"),
    ],
)
def test_unknown_words_are_refused(name: str, old: str, new: str) -> None:
    text = read(name)
    assert old in text
    with pytest.raises(Unreadable):
        READERS[name](text.replace(old, new))


@given(st.sampled_from(sorted(OUTPUTS)), st.integers(0, 4000), st.binary(max_size=8))
def test_output_that_breaks_off_is_refused(name: str, at: int, more: bytes) -> None:
    text = OUTPUTS[name]
    broken = text[: min(at, len(text.rstrip()) - 1)] + more.decode("latin-1")
    assume(broken.rstrip() != text.rstrip())  # what was broken off may come back
    with pytest.raises(Unreadable):
        READERS[name](broken)


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ("", False),
        ("ERROR: Unexpected EOF reading from 192.0.2.15:110\n", True),
        ("Could not open a connection to host 192.0.2.15 on port 110.\n", True),
    ],
)
def test_sslscan_says_when_it_lost_a_connection(said: str, lost: bool) -> None:
    assert sslscan.lost(said) is lost


def test_the_release_of_testssl() -> None:
    old = "\n\x1b[1m\n######\n    testssl       3.0.8 from \x1b[m\x1b[1mhttps://testssl.sh/"
    assert testssl.release(old) == "3.0.8"
    assert testssl.release("  \x1b[1mtestssl\x1b[m version \x1b[1m3.2.1\x1b[m from") == "3.2.1"
    with pytest.raises(Unreadable):
        testssl.release("bash: no such thing")


@pytest.mark.parametrize("port", KINDS)
def test_each_tool_is_told_of_starttls(port: int) -> None:
    target = Target("dovecot-sid", "192.0.2.14", port)
    word = "imap" if port in (143, 1143) else "pop3"
    starttls = port in (110, 143, 1143)
    assert (f"--starttls-{word}" in sslscan.command(target)) is starttls
    assert (f"--starttls={word}" in sslyze.options(target, "out")) is starttls
    assert (word in testssl.options(target, "out")) is starttls
    for argv in (sslscan.command(target), sslyze.options(target, ""), testssl.options(target, "")):
        assert argv[-1] == f"192.0.2.14:{port}"
