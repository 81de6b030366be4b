# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment on real files; the server is a stand-in that serves what it read last."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.postmaster.tls.plugins.module_utils import (
    bundle,
    change,
    deploy,
    deploy_command,
    dovecot_change,
    host,
    material,
    metrics,
    program,
    rehearsal,
    served,
    settle,
    transaction,
)
from ansible_collections.postmaster.tls.plugins.module_utils.deploy import Wanted
from ansible_collections.postmaster.tls.plugins.module_utils.material import BadInput, Source
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    Listener,
    Origin,
    Product,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    EndpointObservation,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.transaction import Refused
from ansible_collections.postmaster.tls.tests.unit import pki

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not here")
AUTHORITY = pki.Authority()
PORT = Listener(Service.IMAP, "127.0.0.1", 993, TlsMode.IMPLICIT)


class Host:
    """A Dovecot with two files, which serves the certificate that it read last."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.steps = root, list[str]()
        self.deaf = False  # a reload that changes nothing, as of a second instance
        self.names: list[Optional[str]] = []
        self.alt: Optional[bytes] = None  # what clients get who take RSA alone
        (root / "etc").mkdir()
        (root / "in").mkdir()
        self.write("etc", *AUTHORITY.issue([pki.NAME, "old.example.test"]))
        (root / "etc" / "dovecot.conf").write_text("ssl = yes\n")
        for path in (root / "etc").iterdir():
            path.chmod(0o644)
        self.now = self.disk()
        patch = monkeypatch.setattr
        patch(transaction, "STATE_DIR", str(root / "state"))
        patch(transaction, "LOCK_FILE", str(root / "lock"))
        if os.geteuid():
            patch(os, "fchown", lambda *_: None)
        patch(deploy, "observe_all", lambda: ((self.server(),), ()))
        patch(dovecot_change, "MAIN", str(root / "etc" / "dovecot.conf"))
        patch(dovecot_change, "check", lambda *_: None)
        patch(dovecot_change, "running", lambda: ())
        patch(dovecot_change, "activate", self.activate)
        patch(rehearsal, "rehearse", lambda *_: (rehearsal.Rehearsal(True), None))
        patch(change.switch, "arm", lambda *_: "test")
        patch(change.switch, "disarm", lambda _name: None)
        proof = SimpleNamespace(remember=lambda: None, judge=lambda: None, endpoints=(), served=())
        for module in (change, settle):
            patch(module, "LocalProof", lambda *_: proof)
        patch(served.probe, "handshakes", self.handshakes)
        patch(served.probe, "chains", self.chains)
        patch(served, "PATIENCE", 0.0)
        patch(deploy.served.await_certificate, "__defaults__", (None, 0.0))

    def write(self, folder: str, chain: bytes, key: bytes) -> Source:
        paths = [self.root / folder / name for name in ("chain.pem", "key.pem")]
        for path, content in zip(paths, (chain, key)):
            path.write_bytes(content)
        return Source(*map(str, paths), names=(pki.NAME,))

    def disk(self, name: str = "chain") -> bytes:
        raw = (self.root / "etc" / f"{name}.pem").read_bytes()
        return x509.load_pem_x509_certificate(raw).public_bytes(Encoding.DER)

    def server(self) -> ServerConfig:
        paths = {n: str(self.root / "etc" / f"{n}.pem") for n in ("chain", "key")}
        rows = [
            Effective("", field, paths[name], setting, "", Origin("/x", 1))
            for field, name, setting in (
                ("certificate", "chain", "ssl_cert"),
                ("key", "key", "ssl_key"),
            )
        ]
        alt = {n: str(self.root / "etc" / f"{n}.pem") for n in ("alt", "alt_key")}
        if os.path.exists(alt["alt"]):
            rows += [
                Effective("", field, alt[name], setting, "", Origin("/x", 1))
                for field, name, setting in (
                    ("alt_certificate", "alt", "ssl_alt_cert"),
                    ("alt_key", "alt_key", "ssl_alt_key"),
                )
            ]
        main = str(self.root / "etc" / "dovecot.conf")
        return ServerConfig(
            Product.DOVECOT,
            "2.3.19",
            None,
            main,
            effective=tuple(rows),
            listeners=(PORT,),
            files=(
                host.file_fact(paths["chain"], "certificate", paths["key"]),
                host.file_fact(alt["alt"], "certificate", alt["alt_key"]),
            ),
        )

    def activate(self, _units: Sequence[str], _paths: Sequence[str] = ()) -> Optional[str]:
        self.steps.append("reload")
        if not self.deaf:
            self.now = self.disk()
            self.alt = self.disk("alt") if (self.root / "etc" / "alt.pem").exists() else None
        return None

    def chains(self, endpoints: Any, kind: str, _limits: Any, _name: Optional[str]) -> Any:
        found = {"ecdsa": self.now, "rsa": self.alt}[kind]
        return tuple((base64.b64encode(found).decode(),) if found else () for _each in endpoints)

    def handshakes(self, endpoints: Any, _limits: Any, name: Optional[str]) -> Any:
        self.names.append(name)
        chain = (base64.b64encode(self.now).decode(),)
        return tuple(EndpointObservation(e, True, chain=chain) for e in endpoints)

    def tree(self) -> dict[str, Any]:
        return {p.name: (p.read_bytes(), p.stat().st_mode) for p in (self.root / "etc").iterdir()}


@pytest.fixture
def mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_a_new_certificate_is_written_read_and_served(mail: Host) -> None:
    source = mail.write("in", *AUTHORITY.issue())
    (done,) = deploy.deploy(Wanted(source, who="me"))
    assert (done.product, done.changed, done.reread) == ("dovecot", True, False)
    assert {Path(path).name for path in done.paths} == {"chain.pem", "key.pem"}
    assert mail.steps == ["reload"]
    assert hashlib.sha256(mail.now).hexdigest() == done.leaf.fingerprint
    etc = mail.root / "etc"
    assert (etc / "key.pem").read_bytes() == Path(source.key).read_bytes()
    assert stat.S_IMODE((etc / "key.pem").stat().st_mode) == 0o400
    assert stat.S_IMODE((etc / "chain.pem").stat().st_mode) == 0o644


def test_what_is_checked_is_told_without_its_key_and_left_alone(mail: Host) -> None:
    chain, key = AUTHORITY.issue()
    both = mail.write("in", chain + key, key).certificate
    before = mail.tree()
    (said,) = deploy.checked(Wanted(Source(both, both, names=(pki.NAME,))))
    assert said.encode() == b"".join(map(material.pem, material.certificates(chain)))
    assert "PRIVATE" not in said
    assert (mail.tree(), mail.steps) == (before, [])


def test_one_that_is_in_force_disturbs_nobody(mail: Host) -> None:
    source = mail.write("in", *AUTHORITY.issue())
    deploy.deploy(Wanted(source))
    mail.steps.clear()
    before = mail.tree()
    (done,) = deploy.deploy(Wanted(source))
    assert (done.changed, mail.steps, mail.tree()) == (False, [], before)


def test_one_that_is_on_disk_and_not_served_is_read(mail: Host) -> None:
    source = mail.write("in", *AUTHORITY.issue())
    deploy.deploy(Wanted(source))
    mail.now, mail.steps = b"another", []
    (done,) = deploy.deploy(Wanted(source), check_mode=True)
    assert (done.reread, done.paths, mail.steps) == (True, (), [])
    (done,) = deploy.deploy(Wanted(source))
    assert (done.reread, done.paths, mail.steps) == (True, (), ["reload"])


def test_check_mode_says_the_same_and_does_nothing(mail: Host) -> None:
    source = mail.write("in", *AUTHORITY.issue())
    before = mail.tree()
    (predicted,) = deploy.deploy(Wanted(source), check_mode=True)
    assert (mail.tree(), mail.steps) == (before, [])
    (real,) = deploy.deploy(Wanted(source))
    assert (predicted.paths, predicted.diff) == (real.paths, real.diff)


def test_no_byte_of_a_key_is_in_a_diff(mail: Host) -> None:
    chain, key = AUTHORITY.issue()
    (done,) = deploy.deploy(Wanted(mail.write("in", chain, key)))
    for line in key.decode().splitlines()[1:-1]:
        assert line not in repr(done)


def test_one_that_is_not_served_then_goes_back(mail: Host) -> None:
    before = mail.tree()
    mail.deaf = True
    with pytest.raises(Refused) as refused:
        deploy.deploy(Wanted(mail.write("in", *AUTHORITY.issue())))
    assert str(refused.value).startswith(
        "imap://127.0.0.1:993 serves another certificate after the change. Every file is as it was"
    )
    assert mail.tree() == before
    assert mail.steps == ["reload", "reload"]


def test_a_second_instance_is_told(mail: Host) -> None:
    source = mail.write("in", *AUTHORITY.issue())
    deploy.deploy(Wanted(source))
    mail.now, mail.deaf = b"another", True
    with pytest.raises(Refused, match="look for a second instance or a proxy"):
        deploy.deploy(Wanted(source))


@pytest.mark.parametrize("bad", pki.BAD, ids=[bad.what for bad in pki.BAD])
def test_what_is_bad_changes_nothing(bad: pki.Bad, mail: Host) -> None:
    before = mail.tree()
    source = Source(*(str(mail.root / "in" / name) for name in (pki.CHAIN, pki.KEY)), (pki.NAME,))
    for path, content in zip((source.certificate, source.key), bad.make(AUTHORITY)):
        if content is not None:
            Path(path).write_bytes(content)
    with pytest.raises(BadInput):
        deploy.deploy(Wanted(source))
    assert (mail.tree(), mail.steps) == (before, [])
    assert not (mail.root / "state").exists()


def test_without_names_those_of_the_old_one_have_to_be_covered(mail: Host) -> None:
    source = mail.write("in", *AUTHORITY.issue())
    with pytest.raises(BadInput, match=r"does not cover old\.example\.test"):
        deploy.deploy(Wanted(Source(source.certificate, source.key)))


# ---------------------------------------------------------------------------------------------
# A second certificate


RSA = pki.new_key(2048)


@pytest.fixture
def two(mail: Host) -> Host:
    """The same with a second pair of its own."""
    chain, key = AUTHORITY.issue([pki.NAME, "old.example.test"], RSA)
    for name, content in (("alt", chain), ("alt_key", key)):
        (mail.root / "etc" / f"{name}.pem").write_bytes(content)
    mail.alt = mail.disk("alt")
    return mail


def both(mail: Host, key: Any = None) -> Wanted:
    """A new certificate for each kind of key."""
    chain, text = AUTHORITY.issue(key=key or pki.new_key(2048))
    paths = [str(mail.root / "in" / f"{name}.pem") for name in ("alt", "alt_key")]
    for path, content in zip(paths, (chain, text)):
        Path(path).write_bytes(content)
    alt = Source(*paths, names=(pki.NAME,))
    return Wanted(mail.write("in", *AUTHORITY.issue()), alt=alt)


def test_two_go_into_force_together_and_then_disturb_nobody(two: Host) -> None:
    wanted = both(two)
    (done,) = deploy.deploy(wanted)
    assert {Path(path).name for path in done.paths} == {
        "chain.pem",
        "key.pem",
        "alt.pem",
        "alt_key.pem",
    }
    assert done.alt is not None
    assert hashlib.sha256(two.alt or b"").hexdigest() == done.alt.fingerprint
    assert stat.S_IMODE((two.root / "etc" / "alt_key.pem").stat().st_mode) == 0o400
    before, steps = two.tree(), list(two.steps)
    (again,) = deploy.deploy(wanted)
    assert (again.changed, two.tree(), two.steps) == (False, before, steps)


def test_both_go_back_where_clients_of_one_kind_get_another(
    two: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, old = two.tree(), base64.b64encode(two.alt or b"").decode()
    shown = {"ecdsa": two.chains, "rsa": lambda ports, *_: ((old,),) * len(ports)}
    monkeypatch.setattr(
        served.probe, "chains", lambda ports, kind, *more: shown[kind](ports, kind, *more)
    )
    with pytest.raises(Refused) as refused:
        deploy.deploy(both(two))
    assert str(refused.value).startswith(
        "imap://127.0.0.1:993 serves another certificate to clients that take RSA alone after the"
    )
    assert two.tree() == before


def test_two_of_one_kind_are_refused(two: Host) -> None:
    before = two.tree()
    with pytest.raises(BadInput, match=r"in/chain\.pem has an ECDSA key as .*in/alt\.pem"):
        deploy.deploy(both(two, pki.new_key()))
    assert two.tree() == before


def test_one_alone_leaves_a_second_that_is_not_ours_and_is_looked_at_by_kind(two: Host) -> None:
    (done,) = deploy.deploy(Wanted(two.write("in", *AUTHORITY.issue())))
    assert {Path(path).name for path in done.paths} == {"chain.pem", "key.pem"}
    with pytest.raises(BadInput, match=r"has an RSA key as .*etc/alt\.pem"):
        deploy.deploy(Wanted(two.write("in", *AUTHORITY.issue(key=RSA))))


def test_metrics_tell_of_the_one_that_ends_first(two: Host) -> None:
    ends = deploy.Deployed(
        "dovecot",
        None,
        *(material.certificates(pki.pem(AUTHORITY.leaf(RSA, ends=days)))[0] for days in (9,)),
        alt=material.certificates(pki.pem(AUTHORITY.leaf(RSA, ends=3)))[0],
    )
    assert ends.ends is ends.alt


def test_where_there_is_no_server(mail: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    source = mail.write("in", *AUTHORITY.issue())
    with pytest.raises(deploy.NoPlace, match="there is no courier on this host"):
        deploy.deploy(Wanted(source, product="courier"))
    monkeypatch.setattr(deploy, "observe_all", lambda: ((), ()))
    with pytest.raises(deploy.NoPlace, match="there is no Dovecot and no Courier on this host"):
        deploy.deploy(Wanted(source))


# ---------------------------------------------------------------------------------------------
# The command


def call(mail: Host, *arguments: str, **environment: str) -> int:
    told = ["--textfile-directory", str(mail.root / "metrics"), "--wait", "0"]
    return deploy_command.main([*arguments, *told], environment)


def prom(mail: Host) -> str:
    return (mail.root / "metrics" / "postmaster_tls_dovecot.prom").read_text()


def test_a_hook_of_certbots_needs_no_argument(mail: Host, capsys: Any) -> None:
    chain, key = AUTHORITY.issue([pki.NAME, "old.example.test"])
    (mail.root / "in" / "fullchain.pem").write_bytes(chain)
    (mail.root / "in" / "privkey.pem").write_bytes(key)
    (mail.root / "metrics").mkdir()
    assert call(mail, RENEWED_LINEAGE=str(mail.root / "in")) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"dovecot: the certificate of {pki.NAME}, valid until 20")
    assert said.out.endswith("and served\n")
    assert "whether it is whole is not known" in said.err  # nobody here knows this authority
    assert said.err.count("\n") == 1
    assert f'{metrics.SUCCESS}{{product="dovecot",server_name=""}} 1\n' in prom(mail)
    assert call(mail, RENEWED_LINEAGE=str(mail.root / "in")) == 0
    said = capsys.readouterr()
    assert said.out.endswith("is in force already\n")
    assert said.err == ""


def test_a_failure_is_one_line_a_metric_and_an_exit_code(mail: Host, capsys: Any) -> None:
    source = mail.write("in", *AUTHORITY.issue())
    (mail.root / "metrics").mkdir()
    given = ("--certificate", source.certificate, "--key", source.key)
    assert call(mail, *given, "--name", pki.NAME) == 0
    good = prom(mail)
    capsys.readouterr()
    Path(source.key).write_bytes(pki.key_pem(pki.new_key()))
    assert call(mail, *given, "--name", pki.NAME) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"postmaster-tls: {source.key} is the key of another")
    assert said.err.count("\n") == 1
    assert prom(mail) == good.replace('server_name=""} 1\n', 'server_name=""} 0\n')


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_takes_nothing_is_one_line_and_changes_nothing(
    code: int, mail: Host, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, before, write = mail.write("in", *AUTHORITY.issue()), mail.tree(), transaction.write_new

    def fails(path: str, state: Any) -> None:
        if "/etc/" in path:
            raise OSError(code, os.strerror(code), path)
        write(path, state)

    monkeypatch.setattr(transaction, "write_new", fails)
    given = ("--certificate", source.certificate, "--key", source.key, "--name", pki.NAME)
    assert call(mail, *given) == 1
    said = capsys.readouterr().err
    assert os.strerror(code) in said
    assert said.count("\n") == 1
    assert (mail.tree(), mail.steps) == (before, [])


def test_another_run_that_is_at_work_is_waited_for(mail: Host, capsys: Any) -> None:
    source = mail.write("in", *AUTHORITY.issue())
    given = ("--certificate", source.certificate, "--key", source.key, "--name", pki.NAME)
    before = mail.tree()
    with transaction.lock(0.0):
        assert call(mail, *given) == 1
    assert "another run is changing this host" in capsys.readouterr().err
    assert mail.tree() == before
    assert call(mail, *given) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--certificate is needed"),
        (("--certificate", "x", "--alt-key", "y"), "--alt-key is for --alt-certificate"),
        (("--certificate", "x", "--name", "a b"), "is no host name"),
        (("--certificate", "x", "--sni", "../x"), "is no host name"),
    ],
)
def test_what_is_not_understood(arguments: Any, words: str, mail: Host, capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        call(mail, *arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_the_program_has_the_command(mail: Host, capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["deploy", "--certificate", str(mail.root / "none"), "--wait", "0"])
    assert ended.value.code == 1
    assert "none does not exist" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        program.main([])
    assert ended.value.code == 2


def test_the_command_is_installed_once(
    mail: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "COMMAND", str(tmp_path / "postmaster-tls"))
    assert bundle.install_command(check_mode=True)
    assert not (tmp_path / "postmaster-tls").exists()
    assert bundle.install_command()
    assert not bundle.install_command()
    assert os.access(tmp_path / "postmaster-tls", os.X_OK)
    assert bundle.path() in (tmp_path / "postmaster-tls").read_text()
