# SPDX-License-Identifier: Apache-2.0
"""`vae_ortho_study`: makes the runs of a study that are missing and writes its report.

`--help` works in a bare Python, so that this module imports the standard library alone.
"""

import argparse
import shlex
import signal
import sys
import textwrap
from pathlib import Path

from vae_ortho_plugin.errors import InputError

STUDY_DESCRIPTIONS = {
    "quick": "the synthetic sets (5 seeds of beta-VAE, autoencoder, beta-VAE with full covariance, "
    "random decoder, the paper's 600 epochs on Synth. Lin. and 120 of them on Synth. Non-Lin.; on Synth. Lin. also "
    "3 seeds of linearized_vae at three weights, and of three models with factors at 45 degrees to the principal "
    "directions); and where $DISENTANGLEMENT_LIB_DATA has MNIST, VAE and autoencoder on it for 5 of 400 epochs",
    "synthetic": "all of the paper on Synth. Lin. and Synth. Non-Lin.",
    "mnist": "all of the paper on MNIST and Fashion-MNIST",
    "dsprites": "all of the paper on dSprites",
    "full": "the three together",
    "table_1": "the paper's Table 1, on every data set",
    "table_2": "the paper's Table 2, on every data set",
    "figure_4": "the paper's Figure 4: restarts on dSprites",
    "supplement_c": "the paper's Supplement C: sweeps of beta and of Synth. Lin.'s axis ratio",
    "dial": "linearized_vae at seven weights of orthogonality, beside VAE, autoencoder and beta-VAE with full "
    "covariance: 10 seeds on the synthetic sets, 3 of 20 epochs on MNIST and Fashion-MNIST",
    "limits": "Synth. Lin. whose factors are not the principal directions, are correlated or lack a corner, and with "
    "four axis ratios: 5 seeds of beta-VAE, beta-VAE with full covariance, autoencoder, linearized_vae",
}


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    studies = ["studies:"]
    for name, description in STUDY_DESCRIPTIONS.items():
        studies += textwrap.wrap(
            description, 96, initial_indent=f"  {name:14}", subsequent_indent=" " * 16
        )
    last = "Studies with the same --output share their common runs. --list prints a study's runs."
    result = argparse.ArgumentParser(
        prog="vae_ortho_study",
        description="Trains and evaluates the runs of a study with disentanglement_lib's "
        "dlib_reproduce, several\nat a time, and writes OUTPUT/report.md and report.html. Runs that "
        "OUTPUT has already are not\nmade again.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join([*studies, "", last]),
    )
    add = result.add_argument
    names = ", ".join(STUDY_DESCRIPTIONS)
    add("--study", default="quick", metavar="NAME", help=f"one of: {names}")
    add("--models", nargs="+", metavar="MODEL", help="only these, such as beta_vae")
    add("--data-sets", nargs="+", metavar="NAME", help="only these, such as synth_linear")
    add("--seeds", nargs="+", metavar="N", help="these instead of the study's, such as 0 3 5-9")
    add("--epochs", type=int, metavar="N", help="shorten runs that train longer to N epochs")
    add("--render-dsprites", action="store_true", help="draw dSprites where it is missing")
    add("--output", type=Path, metavar="DIR", help="results folder (default: results/STUDY)")
    add(
        "--jobs",
        type=int,
        metavar="N",
        help="runs at a time (default: one per core, or fewer that fit in memory)",
    )
    add(
        "--retries", type=int, default=1, metavar="N", help="further attempts at a run (default: 1)"
    )
    add(
        "--time-limit",
        metavar="TIME",
        help="stop cleanly after it, such as 3h50m, 90m or 600s; the same command continues",
    )
    add(
        "--snakemake",
        nargs=argparse.REMAINDER,
        metavar="OPTION",
        help="have Snakemake make the runs, on a cluster for example; all that follows is handed to it",
    )
    add("--status", action="store_true", help="print what OUTPUT has of the study, and end")
    add("--report-only", action="store_true", help="train nothing, report what is finished")
    add("--list", action="store_true", help="print the selected runs and their model numbers")
    return result


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line asks for; returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(words)
    command = shlex.join(["vae_ortho_study", *words])
    # While workers are at work, `pool` handles signals.
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as by nohup
        signal.signal(signal.SIGHUP, _interrupt)
    try:
        # Late, because --help must do without NumPy and gin.
        from vae_ortho_plugin.study.run.missing_runs import run_study

        return run_study(options, command)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stopped:
        print(f"\nStopped. The same command continues: {command}", file=sys.stderr)
        return getattr(stopped, "exit_code", 128 + signal.SIGINT)


def _interrupt(number: int, frame: object) -> None:
    interrupt = KeyboardInterrupt()
    interrupt.exit_code = 128 + number
    raise interrupt
