# SPDX-License-Identifier: Apache-2.0
"""The command line of vae_ortho_evaluate."""

import argparse
import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from vae_ortho_plugin import files
from vae_ortho_plugin.arrays import names, reading
from vae_ortho_plugin.arrays.evaluation import Evaluation, evaluate, need_model, table
from vae_ortho_plugin.errors import InputError

_NAME = "vae_ortho_evaluate"
_DESCRIPTION = """\
Runs dlib's metrics and the plugin's on arrays of a model of any framework, or on trained models (--model).
Row i of --means and of --factors belong to the same point. The result is a table in a terminal and JSON in a
pipe; --output writes JSON, or CSV."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of vae_ortho_evaluate; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _check_output(options.output)
        results = _evaluated(options)
        _say(results, options)
    except (InputError, OSError) as error:
        print(f"{_NAME}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{_NAME}: interrupted; nothing was written.", file=sys.stderr)
        return 130
    return 1 if any(result.errors for result in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_NAME,
        description=_DESCRIPTION,
        epilog=f"metrics: {names.known()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--means", "--latents", metavar="FILE", help="npy or npz: [points, latents]"
    )
    of_a_file = {
        "--factors": "[points, factors], numbers or strings",
        "--jacobians": "[points, outputs, latents]; adds DtO, IMA contrast, mean |cos| and precision gap",
        "--sigma": "[points, latents], the posterior's standard deviations at the points of --jacobians, "
        "for the whole precision gap",
        "--output": "of the result: FILE.csv, or else JSON",
    }
    for option, text in of_a_file.items():
        parser.add_argument(option, metavar="FILE", help=text)
    of_words = {
        "--factor-kinds": "continuous or categorical, for each factor or one for all (default: continuous for "
        "floating-point numbers, categorical for others)",
        "--factor-names": "for the result and messages",
        "--metrics": "see below (default: all that the arrays allow)",
        "--model": "directories of trained models, in place of arrays, evaluated as dlib_evaluate does it",
        "--gin-bindings": "settings of metrics, such as 'mig.num_train = 5000'",
    }
    for option, text in of_words.items():
        parser.add_argument(option, nargs="+", action="extend", help=text)
    parser.add_argument("--seed", type=int, default=0, help="of each metric (default: 0)")
    return parser


def _evaluated(options: argparse.Namespace) -> list[Evaluation]:
    """A result for each model, or that of the arrays."""
    bindings = options.gin_bindings or []
    settings = {"metrics": options.metrics, "seed": options.seed, "gin_bindings": bindings}
    paths = {"factors": options.factors, "sigma": options.sigma, "jacobians": options.jacobians}
    described = {
        "factor_kinds": _split_at_commas(options.factor_kinds),
        "factor_names": _split_at_commas(options.factor_names),
    }
    if options.model is None:
        means = None if options.means is None else reading.array(options.means, "means", "latents")
        given = {name: path and reading.array(path, name) for name, path in paths.items()}
        return [evaluate(means, **given, **described, **settings)]
    if options.means is not None:
        raise InputError("--model and --means are two ways to say what is evaluated; give one.")
    for directory in options.model:
        need_model(directory)
    return [evaluate(directory, **paths, **described, **settings) for directory in options.model]


def _say(results: Sequence[Evaluation], options: argparse.Namespace) -> None:
    """Writes the result to the file, and shows a table in a terminal, or JSON where that is read by a program."""
    text = _as_text(results, options.model, csv_wanted=str(options.output).endswith(".csv"))
    if options.output is not None:
        files.write_text(Path(options.output), text)
    if sys.stdout.isatty():
        print(table(results, options.model or ["value"]))
    elif options.output is None:
        sys.stdout.write(text)
    for result, model in zip(results, options.model or [None], strict=True):
        where = "" if model is None else f"{model}: "
        failed = [f"{name}: {message}" for name, message in result.errors.items()]
        for line in [*failed, *result.notes]:
            print(f"{_NAME}: {where}{line}", file=sys.stderr)


def _as_text(results: Sequence[Evaluation], models: Sequence[str] | None, csv_wanted: bool) -> str:
    if not csv_wanted:
        found: dict = results[0].as_dict()
        if models is not None:
            found = {"models": [result.as_dict() for result in results]}
        return json.dumps(found, indent=2, allow_nan=False) + "\n"
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow([*(["model"] if models else []), "metric", "name", "value"])
    for result, model in zip(results, models or [None], strict=True):
        writer.writerows([*([model] if models else []), *row] for row in result.numbers())
    return lines.getvalue()


def _split_at_commas(words: Sequence[str] | None) -> list[str] | None:
    if words is None:
        return None
    return [entry.strip() for word in words for entry in word.split(",") if entry.strip()]


def _check_output(output: str | None) -> None:
    """Raises InputError for a place that a result cannot be written to, before anything is computed."""
    if output is None:
        return
    path = Path(output)
    if path.is_dir():
        raise InputError(f"--output {output} is a directory. Name a file in it.")
    existing = next(parent for parent in files.behind_links(path).parents if parent.exists())
    if not existing.is_dir():
        raise InputError(f"--output {output}: {existing} is a file. Name another place.")


if __name__ == "__main__":
    sys.exit(main())
