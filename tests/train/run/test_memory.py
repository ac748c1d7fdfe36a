from __future__ import annotations

import sys

import pytest
import torch

from fundoscope.train.run import memory


def test_elsewhere_nothing_is_changed(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert memory.keep() is False


def test_a_c_library_without_the_option_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep() is False


def test_what_is_free_is_read_from_the_system():
    free = memory.available()
    assert free is None or 0 < free < 2**50


@pytest.mark.parametrize("text", ["", "MemFree: 12 kB\n", "MemAvailable: many\n", "no colon\n"])
def test_a_system_that_does_not_say_what_is_free(monkeypatch, text):
    monkeypatch.setattr(memory.Path, "read_text", lambda *_, **__: text)
    assert memory.available() is None


def test_kibibytes_are_bytes(monkeypatch):
    text = "MemTotal: 99 kB\nMemAvailable:   12 kB\n"
    monkeypatch.setattr(memory.Path, "read_text", lambda *_, **__: text)
    assert memory.available() == 12 * 1024


def test_a_network_that_fits_is_counted_and_nothing_is_allocated():
    made = []

    def make():
        made.append(torch.nn.Linear(10, 3))
        return made[0]

    assert memory.require(make, "ours") == 33
    assert made[0].weight.is_meta
