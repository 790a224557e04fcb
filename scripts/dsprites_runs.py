# SPDX-License-Identifier: Apache-2.0
"""Writes docs/data/dsprites_runs.csv from the finished runs on dSprites of a results folder.

python scripts/dsprites_runs.py RESULTS COMMIT PROCESSOR

COMMIT is that of the training code, PROCESSOR where the runs were made. A line that is there stays as it is: delete it
where the run was made again. The seconds of a run that continued a shorter one are those of the steps that it added.
"""

import sys
from pathlib import Path

import pandas as pd

from vae_ortho_plugin.study.plan.experiments import EXPERIMENTS
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.report.finished import FinishedRun, read_finished

CSV = Path(__file__).resolve().parents[1] / "docs" / "data" / "dsprites_runs.csv"
RUN = ["model", "epochs", "seed"]


def line(item: FinishedRun, commit: str, processor: str) -> dict:
    return {
        "model": item.experiment.model,
        "epochs": item.experiment.data.epochs,
        "seed": item.run.seed,
        "commit": commit,
        "processor": processor,
        "steps": item.training.get("global_step"),
        "seconds": item.seconds,
        "dto": item.metric("dto"),
        "active_dto": item.metric("dto", "dto_active"),
        "score": item.metric("disentanglement_score"),
        "delta_kl_share": item.of_tracker("polarized_regime", "share_below_3_percent"),
        "reconstruction": item.training.get("reconstruction_loss"),
    }


def main(results: str, commit: str, processor: str) -> None:
    planned = [one for one in EXPERIMENTS if one.data.data_set == "dsprites"]
    found = [
        line(item, commit, processor)
        for item in read_finished(ResultsFolder(Path(results)), planned)
    ]
    before = pd.read_csv(CSV, dtype={"commit": str})
    rows = pd.concat([before, pd.DataFrame(found, columns=before.columns)])
    rows = rows.drop_duplicates(RUN, keep="first").sort_values(RUN)
    rows.to_csv(CSV, index=False)
    print(f"{len(found)} runs of {results}; {CSV.name} has {len(rows)}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
