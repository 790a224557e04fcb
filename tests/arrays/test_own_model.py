# SPDX-License-Identifier: Apache-2.0
"""The programs of docs/own_model.md, as a reader copies them."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vae_ortho_plugin import decoder_measures

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own_model.md"
PROGRAMS = {
    title: program
    for title, program in re.findall(
        r"^## ([^\n]+)\n+```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
}
DIALS = dict(
    re.findall(r"^### In (\w+)\n+```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
)


@pytest.mark.parametrize(
    ("title", "package"),
    [("PyTorch", "torch"), ("JAX", "jax"), ("TensorFlow 2 and Keras 3", "keras")],
)
def test_the_program_for_a_model_of_another_framework_prints_what_the_page_says(
    title, package, capsys
):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    if package == "keras":  # in this process, TensorFlow may be dlib's
        program = [sys.executable, "-c", PROGRAMS[title]]
        printed = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    else:
        exec(PROGRAMS[title], {})  # noqa: S102  as a reader copies it
        printed = capsys.readouterr().out
    found = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in printed.splitlines()}
    assert list(found) == ["DtO", "precision gap", "disentanglement score"]
    assert found["DtO"] == pytest.approx(0, abs=1e-6)
    assert found["precision gap"] == pytest.approx(0, abs=1e-6)
    assert found["disentanglement score"] > 0.9


EMBEDDING = np.linalg.qr(np.random.default_rng(0).normal(size=(10, 2)))[0].T
IMAGES = (np.random.default_rng(1).random((200, 2)) * [2, 1] @ EMBEDDING).astype(np.float32)
START = 0.3 * np.random.default_rng(2).normal(size=(2, 10)).astype(np.float32)


def of_pytorch(steps):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    names = {}
    exec(DIALS["PyTorch"], names)  # noqa: S102  as a reader copies it
    encoder, decoder = torch.nn.Linear(10, 2), torch.nn.Linear(2, 10)
    with torch.no_grad():
        encoder.weight.copy_(torch.tensor(START))
        decoder.weight.copy_(torch.tensor(START.T))
    images = torch.tensor(IMAGES)
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)
    for _ in range(steps):
        adam.zero_grad()
        names["dial_loss"](encoder, decoder, images, beta=0.03).backward()
        adam.step()
    return decoder, encoder(images)


def of_jax(steps):
    jax = pytest.importorskip("jax", reason="jax is not installed")
    names = {}
    exec(DIALS["JAX"], names)  # noqa: S102  as a reader copies it

    def step(_, state):
        weights, first, second = state
        gradients = jax.grad(
            lambda w: names["dial_loss"](
                lambda x: x @ w[0] + w[1], lambda z: z @ w[2] + w[3], IMAGES, beta=0.03
            )
        )(weights)
        first = [0.9 * m + 0.1 * g for m, g in zip(first, gradients, strict=True)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(second, gradients, strict=True)]
        moved = zip(weights, first, second, strict=True)
        return [w - 0.01 * m / (v**0.5 + 1e-8) for w, m, v in moved], first, second

    start = [START.T, np.zeros(2, np.float32), START, np.zeros(10, np.float32)]
    zeros = [np.zeros_like(w) for w in start]
    weights, _, _ = jax.lax.fori_loop(0, steps, step, (start, zeros, zeros))
    return (lambda z: z @ weights[2] + weights[3]), IMAGES @ weights[0] + weights[1]


@pytest.mark.parametrize("train", [of_pytorch, of_jax], ids=["PyTorch", "JAX"])
def test_the_dial_of_the_page_trains_orthogonal_columns(train):
    assert decoder_measures(*train(4000)).dto.mean < 0.1


def test_a_program_is_about_15_lines_long():
    for program in (*PROGRAMS.values(), *DIALS.values()):
        lines = [line for line in program.splitlines() if line.strip()]
        assert len(lines) <= 20
