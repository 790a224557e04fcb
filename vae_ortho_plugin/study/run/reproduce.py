# SPDX-License-Identifier: Apache-2.0
"""Makes one run of the study with disentanglement_lib's dlib_reproduce script."""

import json
import runpy
import shutil
import time
from pathlib import Path

from vae_ortho_plugin.errors import NonFiniteLossError
from vae_ortho_plugin.files import publish, write_text
from vae_ortho_plugin.study.layout import RunFiles
from vae_ortho_plugin.study.run.dlib_scripts import dlib_script
from vae_ortho_plugin.study.run.run_facts import facts_of


def load_reproduce() -> dict:
    """The globals of disentanglement_lib's dlib_reproduce script, its `main` among them."""
    return runpy.run_path(str(dlib_script("dlib_reproduce")), run_name="dlib_reproduce")


def train_and_evaluate(
    reproduce: dict, model_num: int, epochs: int | None, directory: Path
) -> None:
    """Trains, visualizes, postprocesses and evaluates a run; `directory` appears when it is complete.

    Adds to dlib_reproduce's files a run.json, see `run_facts`.

    Args:
        reproduce: from `load_reproduce`.
        model_num: number of the run in the study.
        epochs: shortens a run that trains longer; None trains as long as the study plans.
        directory: of the run.
    """
    partial = RunFiles(directory).partial
    shutil.rmtree(partial.directory, ignore_errors=True)
    partial.directory.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    # dlib_reproduce formats the path; its own fields are {study} and {model_num}.
    output = str(partial.directory).replace("{", "{{").replace("}", "}}")
    reproduce["FLAGS"](
        [
            "dlib_reproduce",
            f"--study={_study_name(epochs)}",
            f"--model_num={model_num}",
            f"--output_directory={output}",
        ]
    )
    try:
        reproduce["main"]([])
        facts = facts_of(partial, model_num, epochs, time.monotonic() - start)
        write_text(partial.facts, json.dumps(facts))
        publish(partial.directory, directory)
    except NonFiniteLossError:
        raise  # its message names the last good checkpoint, which is in there
    except BaseException:
        shutil.rmtree(partial.directory, ignore_errors=True)
        raise


def _study_name(epochs: int | None) -> str:
    """Name by which dlib_reproduce finds the study, also one with shortened runs."""
    from disentanglement_lib.config import reproduce

    from vae_ortho_plugin.study.dlib_study import VaePcaV1

    if epochs is None:
        return "vae_pca_v1"
    name = f"vae_pca_v1, {epochs} epochs"
    reproduce.STUDIES[name] = VaePcaV1(epochs)
    return name
