"""A random stream of one's own leaves everybody else's untouched."""

import random

import numpy as np
import pytest
import torch

from benchmark.common.randomness import separate_stream


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), torch.rand(1).item()


def fail() -> None:
    draw()
    raise ZeroDivisionError


def seed(value: int) -> None:
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)


def test_code_around_draws_the_same() -> None:
    seed(1)
    expected = [draw(), draw()]
    seed(1)
    first = draw()
    with separate_stream(5):
        draw()
    assert [first, draw()] == expected


def test_the_same_seed_draws_the_same_inside() -> None:
    with separate_stream(5):
        first = draw()
    draw()
    with separate_stream(5):
        second = draw()
    with separate_stream(6):
        third = draw()
    assert first == second
    assert not set(first) & set(third)


def test_streams_nest() -> None:
    with separate_stream(1):
        draw()
        expected = draw()
    with separate_stream(1):
        draw()
        with separate_stream(2):
            draw()
        assert draw() == expected


def test_an_error_inside_puts_the_streams_back() -> None:
    seed(1)
    expected = draw()
    seed(1)
    with pytest.raises(ZeroDivisionError), separate_stream(2):
        fail()
    assert draw() == expected
