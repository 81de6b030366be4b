# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Model values survive JSON, and nothing else is taken for one."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.model import (
    configured,
    observed,
    posture,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    Listener,
    Origin,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import from_plain, to_plain

CLASSES = [
    value
    for module in (observed, configured, posture)
    for value in vars(module).values()
    if isinstance(value, type)
    and dataclasses.is_dataclass(value)
    and value.__module__ == module.__name__
]


def sample(kind: Any) -> Any:
    """A value of a type with every field filled."""
    origin = typing.get_origin(kind)
    if origin is typing.Union:
        return sample(next(a for a in typing.get_args(kind) if a is not type(None)))
    if origin is tuple:
        return (sample(typing.get_args(kind)[0]),) * 2
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind))
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: sample(hint) for name, hint in hints.items()})
    return {str: "ü", int: 7, bool: True}[kind]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_value_survives_json(cls: type) -> None:
    value = sample(cls)
    plain = json.loads(json.dumps(to_plain(value)))
    assert from_plain(cls, plain) == value
    assert hash(from_plain(cls, plain)) == hash(value)


@pytest.mark.parametrize("cls", CLASSES)
def test_what_a_newer_node_knows_is_passed_over(cls: type) -> None:
    value = sample(cls)
    assert from_plain(cls, {**to_plain(value), "of tomorrow": [1]}) == value


@pytest.mark.parametrize("cls", CLASSES)
def test_what_an_older_node_leaves_out_takes_its_default(cls: Any) -> None:
    value = sample(cls)
    required = [
        f.name
        for f in dataclasses.fields(cls)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    plain = {n: v for n, v in to_plain(value).items() if n in required}
    read = from_plain(cls, plain)
    assert {n: getattr(read, n) for n in required} == {n: getattr(value, n) for n in required}
    for name in required:
        with pytest.raises(ValueError, match=cls.__name__):
            from_plain(cls, {n: v for n, v in plain.items() if n != name})


@pytest.mark.parametrize(
    ("cls", "data", "message"),
    [
        (Origin, None, "Origin: expected a mapping, got NoneType"),
        (Origin, [], "Origin: expected a mapping, got list"),
        (Origin, {"file": "/f", "line": "3"}, "Origin.line: expected int, got str"),
        (Origin, {"file": None, "line": 3}, "Origin.file: expected str, got NoneType"),
        (Origin, {"file": "/f"}, "Origin: .*line"),
        (Listener, {"service": "smtp", "address": "*", "port": 1, "tls_mode": None}, "'smtp' is"),
        (Listener, {"service": [], "address": "*", "port": 1, "tls_mode": None}, "is none of"),
        (Listener, {"service": {}, "address": "*", "port": 1, "tls_mode": None}, "is none of"),
        (ServerConfig, {"product": "dovecot", "effective": {}}, "effective: expected a list"),
        (ServerConfig, {"product": "dovecot", "effective": "x"}, "effective: expected a list"),
        (ServerConfig, {"product": "dovecot", "effective": [1]}, "effective: expected a mapping"),
        (Effective, {"scope": "", "field": "tls", "value": 1}, "value: expected str, got int"),
    ],
)
def test_data_of_another_shape_is_a_value_error(cls: type, data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_plain(cls, data)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = sorted({f.name for cls in CLASSES for f in dataclasses.fields(cls)})


@given(st.sampled_from(CLASSES), st.dictionaries(st.sampled_from(NAMES), ANY) | ANY)
def test_hostile_data_is_a_value_or_a_value_error(cls: type, data: Any) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(from_plain(cls, data), cls)
