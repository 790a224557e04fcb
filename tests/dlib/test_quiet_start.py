# SPDX-License-Identifier: Apache-2.0
"""What the scripts show on the console while TensorFlow starts."""

import re

import pytest
from processes import run_python

from vae_ortho_plugin.dlib.quiet_start import VARIABLE
from vae_ortho_plugin.study.run.reproduce import dlib_script

KNOWN = r"""WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795618932.273160   28908 port.cc:153] oneDNN custom operations are on. You may see slightly
I0000 00:00:1795618932.284051   28908 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU
I0000 00:00:1795618932.7   28908 cpu_feature_guard.cc:227] This TensorFlow binary is optimized to use available CPU instructions in
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the appropriate compiler flags.
E0000 00:00:1764.1    1 cuda_fft.cc:467] Unable to register cuFFT factory: Attempting to register
E0000 00:00:1764.1    1 cuda_platform.cc:51] failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)
2025-01-02 03:04:05.6: I external/local_tsl/tsl/cuda/cudart_stub.cc:32] Could not find cuda drivers on your machine
2025-01-02 03:04:05.6: W tensorflow/compiler/tf2tensorrt/utils/py_utils.cc:38] TF-TRT Warning: Could not find TensorRT
"""
OTHERS = """E0000 00:00:1764.1    1 cuda_dnn.cc:522] Loaded runtime CuDNN library: 9.1 but source was compiled with: 9.3.
E0000 00:00:1764.1    1 cuda_platform.cc:51] failed call to cuInit: CUDA_ERROR_OUT_OF_MEMORY: out of memory
W0000 00:00:1764.1    1 gpu_device.cc:2433] Cannot dlopen some GPU libraries.
my own line: oneDNN custom operations are on.
terminate called after throwing an instance of 'std::bad_alloc'
"""
START = "import os, sys\nfrom vae_ortho_plugin.dlib import quiet_start\nwith quiet_start.quiet():\n"


def run_within(body, **variables):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return run_python("-c", START + lines, **variables)


@pytest.fixture(autouse=True)
def no_level(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_lines_of_the_known_forms_are_dropped_and_no_others():
    text = "".join(sum(zip(OTHERS.splitlines(True), KNOWN.splitlines(True), strict=False), ()))
    text += "".join(KNOWN.splitlines(True)[5:])
    process = run_within(f"os.write(2, {text.encode()!r})\nprint('python', file=sys.stderr)")
    assert process.stderr == f"{OTHERS}python\n"


@pytest.mark.parametrize(("level", "shown"), [("0", KNOWN + OTHERS), ("3", OTHERS)])
def test_the_users_level_stays_and_0_drops_nothing(level, shown):
    body = f"os.write(2, {(KNOWN + OTHERS).encode()!r})\nprint(os.environ[{VARIABLE!r}])"
    process = run_within(body, **{VARIABLE: level})
    assert (process.stderr, process.stdout) == (shown, f"{level}\n")


@pytest.mark.parametrize("end", ["os.abort()", "raise ValueError('of the end')"])
def test_what_a_process_writes_before_it_dies_is_not_lost(end):
    process = run_within(f"os.write(2, b'the error without a last newline')\n{end}")
    assert process.returncode != 0
    assert process.stderr.startswith("the error without a last newline")
    assert ("of the end" in process.stderr) == ("of the end" in end)


def test_afterwards_everything_is_shown():
    assert run_python("-c", f"{START}    pass\nos.write(2, {KNOWN.encode()!r})").stderr == KNOWN


def test_a_process_without_standard_error_starts():
    program = f"import os\nos.close(2)\n{START}    pass\nprint('done')"
    assert run_python("-c", program).stdout == "done\n"


@pytest.mark.long
def test_dlib_train_shows_what_is_trained_its_progress_and_where_it_is(tmp_path):
    bindings = "model.training_steps = 5\nmodel.eval_steps = 2\nsynth_linear.num_points = 100"
    model = tmp_path / "model"
    arguments = ["--gin_config=beta_vae.gin", f"--gin_bindings={bindings}", f"--model_dir={model}"]
    process = run_python(dlib_script("dlib_train"), *arguments)
    first, second, third, fourth = process.stderr.splitlines()
    prefix = "vae_ortho_plugin: "
    assert first == f"{prefix}training vae on synth_linear for 5 steps of 16 points, seed 0"
    assert re.fullmatch(rf"{prefix}training on (all cores|one thread|\d+ threads) by XLA", second)
    assert third.startswith(f"{prefix}trained 5 steps in ")
    assert fourth == f"{prefix}the model is in {model}"


@pytest.mark.long
def test_dlib_train_shows_all_lines_where_the_variable_is_0(tmp_path):
    arguments = ["--gin_config=no_such_file.gin", f"--model_dir={tmp_path / 'model'}"]
    process = run_python(dlib_script("dlib_train"), *arguments, **{VARIABLE: "0"})
    assert "no_such_file.gin" in process.stderr
    # Which lines there are depends on the processor: those of oneDNN are not there without AVX-512.
    assert re.search(r"^I0000 .*\.cc:\d+\] ", process.stderr, re.MULTILINE)


@pytest.mark.long
def test_a_program_of_the_users_that_imports_dlib_is_quiet_where_a_level_is_set():
    program = "import vae_ortho_plugin\nfrom disentanglement_lib.methods.unsupervised import train"
    process = run_python("-c", program, **{VARIABLE: "3"})
    assert (process.returncode, process.stderr) == (0, "")
