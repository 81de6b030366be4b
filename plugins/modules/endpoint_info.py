#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of mail servers as seen from where this module runs: the probe, at Ansible's edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_info
short_description: Look at IMAP, POP3 and ManageSieve ports from outside
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Sees what anyone on the network can see of a mail server's ports, without an account. Per open port these are
    the greeting, the capabilities before and after TLS, whether a login without TLS is refused,
    whether STARTTLS works and forgets what was sent before it, which protocol versions and families of cipher suites are accepted, the suite, group
    and certificate chain that are served.
  - Runs where it is told to. Run it on the controller (C(delegate_to=localhost)) or on a vantage host, not on the mail
    server itself, because Dovecot treats a client with the server's own address as secured and answers it differently.
  - Commands sent are inert. Never sends the name of a real user, and never a password. A SASL exchange is begun and left, USER and LOGIN are sent with
    a random name that starts with C(postmaster-tls-probe-), and LOGIN only where the server advertises that it refuses it.
  - A port that is closed, silent, hostile or broken is an observation and fails nothing.
notes:
  - With C(depth=judge), an open port that is hard already takes 7 connections (8 on Dovecot 2.3, which refuses a hello by closing the connection,
    so that it has to be asked again; one less with implicit TLS), a weak one about 12, a closed one 1. The server's log has
    about one line for each, and Courier's two.
  - Fail2ban may ban the machine that this runs on. With its own filter C(dovecot) (1.0 and 1.1 read alike) a run leaves 3 lines
    that count on a Dovecot 2.3 that refuses logins without TLS, one for each of the ports 143, 110 and 4190
    (C(auth failed, 2 attempts)), so that two runs in ten minutes pass the usual limit of 5. With C(depth=sweep) it
    leaves two, for 143 and 110. With C(mode=aggressive) nearly every connection counts, and one run is enough. The lines of
    Dovecot 2.4 are not matched, nor are those of Courier by the filter C(courier-auth), because no login fails there.
  - To exempt the machine, add its address to C(ignoreip) under C([DEFAULT]) in C(/etc/fail2ban/jail.local) of the mail server,
    or until the next restart with C(fail2ban-client set dovecot addignoreip 192.0.2.1).
  - Look only at hosts that you run or whose operators asked you to. C(docs/sweep.md) says how to sweep politely.
options:
  hosts:
    description:
      - Addresses or names of the hosts to look at. A name is resolved once, and each of its IPv4 and IPv6 addresses
        is looked at.
      - On each of them the ports 143, 993, 110, 995 and 4190, unless O(endpoints) is given.
      - One of O(hosts) and O(endpoints) is required.
    type: list
    elements: str
  endpoints:
    description: The ports to look at, instead of the usual ones of O(hosts).
    type: list
    elements: dict
    suboptions:
      host:
        description: Address or name.
        type: str
        required: true
      port:
        description: TCP port.
        type: int
        required: true
      service:
        description: The protocol expected there.
        type: str
        required: true
        choices: [imap, pop3, sieve]
      tls_mode:
        description: How TLS begins there, at once or after a command.
        type: str
        required: true
        choices: [implicit, starttls]
  server_name:
    description:
      - The host name to send in the TLS handshake (SNI), in ASCII.
      - By default the name by which a host was given, and none for an address.
    type: str
  outside:
    description:
      - Fail where an address belongs to the machine that looks. What is seen there is not what others see, since Dovecot
        takes its own host for secured.
    type: bool
    default: false
  depth:
    description:
      - How much is asked. V(judge) asks what a profile needs to decide. V(full) takes an inventory of all suites, groups
        and properties; that needs about one connection for each suite of each version.
      - V(sweep) is for many hosts. It makes one connection to each port, whatever comes of it, and sees the greeting, the
        capabilities before and inside TLS, whether STARTTLS works, the version, suite and group agreed with this
        machine's TLS library, and the certificate chain. LOGIN (where the server advertises that it refuses it) and
        USER are tried without TLS, a SASL exchange is not, because to leave it takes another connection. There are no
        C(offers).
    type: str
    choices: [sweep, judge, full]
    default: judge
  limits:
    description:
      - How much the hosts are asked to bear. With V(own), 8 connections at a time to an address, at most 2 of them to one
        port, and 64 to all; no limit on new ones per second.
      - With V(sweep), 2 at a time to an address and 256 to all, at most 5 new ones per second to an address and 50 to all,
        evenly apart. Ports of one address do not follow one another as long as there are others to look at.
      - V(own) is for hosts that you run, V(sweep) for those that others run.
      - By default V(sweep) with O(depth=sweep), and V(own) otherwise.
    type: str
    choices: [own, sweep]
  raise_limits:
    description:
      - Allows O(max_connections), O(max_rate) and O(max_address_rate) to go beyond what O(limits=sweep) stands for.
      - Those limits are there because a mail server has few places for clients that have not logged in, which its users
        need, and because a burst of connections looks like an attack to those who watch a network. Raise them only where
        those who run the hosts agreed to it.
    type: bool
    default: false
  timeout:
    description: Seconds that one connection may take, from its beginning to its end.
    type: float
    default: 10.0
  connect_timeout:
    description: Seconds that a port may take to accept a connection.
    type: float
    default: 5.0
  host_timeout:
    description:
      - Seconds that all connections to one address may take together. Only the time is counted in which at least one
        of them is under way, not that in which they wait for their turn.
    type: float
    default: 60.0
  max_bytes:
    description: Bytes that are received on one connection at most.
    type: int
    default: 262144
  max_connections:
    description:
      - Connections to one address at the same time; two of them at most to one port. By default that of O(limits).
      - Courier accepts four per address on its POP3 ports by default, those of others behind the same address included.
    type: int
  max_parallel:
    description:
      - Connections to all addresses at the same time. By default that of O(limits).
      - A quarter of the files that the process may open are the most.
    type: int
  max_rate:
    description: New connections per second to all addresses. By default that of O(limits).
    type: float
  max_address_rate:
    description: New connections per second to one address. By default that of O(limits).
    type: float
extends_documentation_fragment:
  - postmaster.tls.attributes
seealso:
  - name: RFC 8314
    description: Cleartext considered obsolete, use of TLS for e-mail submission and access.
    link: https://www.rfc-editor.org/rfc/rfc8314
  - name: RFC 9325
    description: Recommendations for secure use of TLS.
    link: https://www.rfc-editor.org/rfc/rfc9325
"""

EXAMPLES = r"""
- name: Look at the usual ports of a mail server from the controller
  postmaster.tls.endpoint_info:
    hosts:
      - "{{ ansible_host | default(inventory_hostname) }}"
  delegate_to: localhost
  register: seen

- name: Take the whole inventory, which may take longer
  postmaster.tls.endpoint_info:
    hosts: [192.0.2.1]
    depth: full
    host_timeout: 300
  delegate_to: localhost

- name: Look at one port from a vantage host, by address, asking for one name
  postmaster.tls.endpoint_info:
    endpoints:
      - host: 192.0.2.1
        port: 1143
        service: imap
        tls_mode: starttls
    server_name: mail.example.org
    outside: true
  delegate_to: vantage.example.org

- name: Sweep the hosts of a list, one name or address a line, whose owners asked for it
  postmaster.tls.endpoint_info:
    hosts: "{{ lookup('ansible.builtin.file', 'hosts.txt') | split }}"
    depth: sweep
  delegate_to: localhost
  run_once: true
  register: swept

- name: Name the ports that talk without TLS only
  ansible.builtin.debug:
    msg: "{{ item.endpoint.host }}:{{ item.endpoint.port }} ({{ item.server_name | default('', true) }})"
  loop: "{{ swept.endpoints | selectattr('open') | rejectattr('handshake') }}"
  loop_control:
    label: "{{ item.endpoint.host }}"
"""

RETURN = r"""
sources:
  description:
    - For each address that was looked at, the one of this machine that it sees, where nothing translates it. C(null) where
      there is no way to it.
  returned: always
  type: dict
  sample: {192.0.2.1: 198.51.100.7}
endpoints:
  description:
    - One observation for each address, port and name, in the order in which they were given. What is given twice is
      looked at once.
    - C(null) means that something was not observed, never that it is not so. Versions, suites, groups and signature
      schemes are code points of the IANA registries.
  returned: always
  type: list
  elements: dict
  contains:
    endpoint:
      description: What was looked at, with the address in place of a name.
      type: dict
      sample: {host: 192.0.2.1, port: 143, service: imap, tls_mode: starttls}
    open:
      description:
        - Whether a connection was made. V(false) where it was refused, C(null) where nothing answered.
      type: bool
      sample: true
    greeting:
      description: The server's first words.
      type: str
      sample: "OK [CAPABILITY IMAP4rev1 LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ STARTTLS LOGINDISABLED] Dovecot ready."
    capabilities:
      description: What the server lists before TLS; C(null) on a port with implicit TLS.
      type: list
      elements: str
      sample: [IMAP4rev1, STARTTLS, LOGINDISABLED]
    capabilities_tls:
      description: What the server lists inside TLS.
      type: list
      elements: str
      sample: [IMAP4rev1, AUTH=PLAIN]
    mechanisms:
      description: SASL mechanisms listed before TLS.
      type: list
      elements: str
      sample: []
    mechanisms_tls:
      description: SASL mechanisms listed inside TLS.
      type: list
      elements: str
      sample: [PLAIN]
    starttls:
      description: Whether the server agreed to begin TLS when asked; C(null) on a port with implicit TLS.
      type: bool
      sample: true
    starttls_inside:
      description: Whether the command that begins TLS is still listed inside TLS.
      type: bool
      sample: false
    starttls_accepted_inside:
      description: Whether the server carries that command out when it is sent inside TLS.
      type: bool
      sample: false
    injected:
      description:
        - Whether a command that was sent in clear behind the one that begins TLS was answered inside TLS (command injection).
          V(false) also where the server ends the connection instead; C(null) on a port with implicit TLS.
      type: bool
      sample: false
    preauth:
      description: Whether the server takes the client for logged in from the start.
      type: bool
      sample: false
    attempts:
      description:
        - Inert login attempts without TLS, whether each was refused, and the answer.
      type: list
      elements: dict
      sample:
        - command: AUTHENTICATE PLAIN
          refused: true
          answer: "NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections."
    handshake:
      description:
        - Version and suite agreed with the TLS library of the machine that looked.
        - C(alpn) is the protocol that the server chose when it was offered the name of its own, empty where it did not
          take notice of the offer, C(null) where none was made (O(depth=sweep)).
        - C(group) is that of the ephemeral keys, C(null) without them and for a finite field before TLS 1.3.
      type: dict
      sample: {version: 772, suite: 4866, alpn: imap, group: 29}
    offers:
      description:
        - What raw hellos got, by name; none with O(depth=sweep). C(tls1.3), C(tls1.2), C(tls1.1), C(tls1.0) and C(ssl3) offer all that the
          version has; C(cbc), C(static_rsa), C(dhe) and C(broken) offer one family of suites alone on TLS 1.2.
        - C(deprecated) offers TLS 1.1, TLS 1.0 and SSL 3.0 together, C(forbidden) all four families. Where one of them is
          refused outright, its parts are not asked for one by one. They are refused with it, and the C(detail) of their
          C(failure) ends with C((to deprecated)) or C((to forbidden)). An alert that complains of something else than the
          versions and suites on offer concludes nothing.
        - C(alpn) offers the protocol C(http/1.1) only, which a mail server should turn away. It is not asked where
          the server took no notice of its own protocol's name in the C(handshake). It goes on where the hello of TLS 1.3
          stopped at the server's wish for another key share, and on a connection of its own where that does not end
          with the alert C(no_application_protocol).
        - A hello on which the server drops the connection is sent once more, without finite-field Diffie-Hellman, which some
          servers choose and then have no parameters for. Dropped twice is refused, where the port accepts another hello.
        - The hello of TLS 1.2 offers CBC first with O(depth=judge), so that a server that follows its client's order shows at
          once that it has it. Its C(suite) is then one of these, even if the server has better ones.
        - C(dh_prime) is the SHA-256 of the prime of a finite field up to TLS 1.2.
        - C(accepted) is C(null) where the server neither accepted nor refused; C(failure) says why.
      type: list
      elements: dict
      sample:
        - name: tls1.3
          accepted: true
          version: 772
          suite: 4866
          group: 4588
          dh_bits: null
          signature: null
          extensions: [43, 51]
          compression: 0
          client_certificate: null
          failure: null
          dh_prime: null
        - name: tls1.0
          accepted: false
          version: null
          suite: null
          group: null
          dh_bits: null
          signature: null
          extensions: []
          compression: null
          client_certificate: null
          failure: {stage: hello, cause: alert, detail: protocol_version (to deprecated), alert: 70}
          dh_prime: null
    chain:
      description: The served certificates as base64 of DER, in the order in which they were sent.
      type: list
      elements: str
      sample: [MIIDDTCCAfWgAwIBAgIUQvDm]
    failures:
      description: What kept the module from seeing more, with the stage reached and the cause.
      type: list
      elements: dict
      sample: []
    inventory:
      description:
        - What else the port has, with O(depth=full); C(null) otherwise.
        - C(listings) has the suites and groups of each version that is accepted, in the order in which they were chosen
          where the server is offered all of them, and whose C(order) of suites wins. C(signatures) are the
          schemes that the server signs with, in TLS 1.2 and 1.3; with C(all_signatures) all others were refused.
          C(complete) is V(false) where a question about suites and groups went unanswered.
          C(dh_groups) are the finite fields up to TLS 1.2, with the SHA-256 of their C(prime), which tells one from another.
          The report of M(postmaster.tls.report) has their names.
        - C(chains) has each chain that was seen, for the C(suites) of one key type (in TLS 1.3 for its C(signatures)),
          without a name in SNI (C(no_name)) and with one that nobody has (C(unknown_name)).
        - C(renegotiation) says whether one that the client began was carried out. It is tried once, on one connection, by
          the OpenSSL that Python is linked to.
        - What TLS 1.3 has no use for, or no suite shows, is C(null).
      type: dict
      sample:
        ssl2: false
        listings:
          - version: 772
            suites: [4866, 4867, 4865]
            order: client
            groups: [4588, 29, 23]
            dh_bits: []
            dh_groups: []
            signatures: [2052, 2053, 2054]
            complete: true
            all_signatures: true
        chains:
          - asked_by: no_name
            certificates: [MIIDDTCCAfWgAwIBAgIUQvDm]
        secure_renegotiation: true
        extended_master_secret: true
        encrypt_then_mac: null
        compression: false
        heartbeat: false
        ocsp_staple: false
        client_certificate: false
        session_tickets: true
        ticket_seconds: 7200
        resumption: false
        fallback_scsv: true
        unknown_name: true
        renegotiation: false
    server_name:
      description: The name that was sent in TLS, C(null) for none. It tells the names apart that share an address.
      type: str
      sample: mail.example.org
    connections:
      description: How many connections were made to this port.
      type: int
      sample: 7
"""

from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.limits import OWN, SWEEP, Limits
from ..module_utils.model.observed import Endpoint
from ..module_utils.names import is_own, source
from ..module_utils.plain import from_plain, to_plain
from ..module_utils.probe import default_endpoints, probe
from ..module_utils.talk import Depth

PRESETS = {"own": OWN, "sweep": SWEEP}
OF_DEPTH = {"sweep": "sweep", "judge": "own", "full": "own"}
FIELDS = {
    "timeout": "total",
    "connect_timeout": "connect",
    "host_timeout": "host",
    "max_bytes": "received",
    "max_connections": "per_address",
    "max_parallel": "parallel",
    "max_rate": "rate",
    "max_address_rate": "address_rate",
}
"""Options and the fields of Limits that they set."""
POLITE = ("max_connections", "max_rate", "max_address_rate")
"""Those that cost other people something."""
ENDPOINT = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "service": {"type": "str", "required": True, "choices": ["imap", "pop3", "sieve"]},
    "tls_mode": {"type": "str", "required": True, "choices": ["implicit", "starttls"]},
}
ARGUMENTS: dict[str, Any] = {
    "hosts": {"type": "list", "elements": "str"},
    "endpoints": {"type": "list", "elements": "dict", "options": ENDPOINT},
    "server_name": {"type": "str"},
    "outside": {"type": "bool", "default": False},
    "depth": {"type": "str", "default": "judge", "choices": [depth.value for depth in Depth]},
    "limits": {"type": "str", "choices": list(PRESETS)},
    "raise_limits": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 10.0},
    "connect_timeout": {"type": "float", "default": 5.0},
    "host_timeout": {"type": "float", "default": 60.0},
    "max_bytes": {"type": "int", "default": 262144},
    "max_connections": {"type": "int"},
    "max_parallel": {"type": "int"},
    "max_rate": {"type": "float"},
    "max_address_rate": {"type": "float"},
}


def limits(params: dict[str, Any]) -> Limits:
    """The limits that the parameters ask for.

    Raises ValueError for one that is not above zero, and for one above those of a sweep that was
    not explicitly raised.
    """
    asked = {name: params[name] for name in FIELDS if params[name] is not None}
    for name, value in asked.items():
        if not value > 0:
            raise ValueError(f"{name} is {value}; it must be greater than 0")
    preset = params["limits"] or OF_DEPTH[params["depth"]]
    if preset == "sweep" and not params["raise_limits"]:
        _check_polite(asked)
    made = replace(PRESETS[preset], **{FIELDS[name]: value for name, value in asked.items()})
    return replace(made, per_port=min(made.per_port, made.per_address))


def _check_polite(asked: dict[str, Any]) -> None:
    for name in POLITE:
        usual = getattr(SWEEP, FIELDS[name])
        if name in asked and not asked[name] <= usual:
            raise ValueError(
                f"{name} is {asked[name]}, above the {usual:g} of a sweep; set raise_limits if "
                "those who run the hosts agreed to more, or limits to own if the hosts are yours"
            )


def endpoints(params: dict[str, Any]) -> tuple[Endpoint, ...]:
    """What the parameters ask to look at. Raises ValueError for a port that is none."""
    if params["endpoints"] is None:
        return default_endpoints(params["hosts"])
    asked = tuple(from_plain(Endpoint, endpoint) for endpoint in params["endpoints"])
    for endpoint in asked:
        if not 0 < endpoint.port < 65536:
            raise ValueError(
                f"{endpoint}: port {endpoint.port} is none; it must be from 1 to 65535"
            )
    return asked


def main() -> None:
    """Reads the parameters, looks, and returns plain data."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_one_of=[("hosts", "endpoints")],
        supports_check_mode=True,
    )
    params = module.params
    try:
        depth = Depth(params["depth"])
        seen = probe(endpoints(params), limits(params), params["server_name"], depth)
    except ValueError as error:
        module.fail_json(msg=f"endpoint_info: {error}.")
    addresses = sorted({o.endpoint.host for o in seen})
    own = ", ".join(address for address in addresses if is_own(address))
    if params["outside"] and own:
        module.fail_json(
            msg=f"endpoint_info: {own} belongs to the machine that looks, so what it sees proves "
            "nothing; look from another host, and with ansible-pull, whose connections are local, "
            "give that host ansible_connection: ssh."
        )
    sources = {address: source(address) for address in addresses}
    module.exit_json(changed=False, endpoints=to_plain(seen), sources=sources)


if __name__ == "__main__":
    main()
