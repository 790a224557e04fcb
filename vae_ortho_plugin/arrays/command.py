# SPDX-License-Identifier: Apache-2.0
"""The command line of vae_ortho_evaluate."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from vae_ortho_plugin import files
from vae_ortho_plugin.arrays import names, reading
from vae_ortho_plugin.dlib.json_values import json_values
from vae_ortho_plugin.errors import InputError, check_whole

_NAME = "vae_ortho_evaluate"
_DESCRIPTION = """\
Runs dlib's metrics and the plugin's on arrays of latents, factors and Jacobians, of a model of any framework.
Row i of --latents and of --factors belong to the same point. The result is JSON."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of vae_ortho_evaluate; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        result, errors = _evaluated(options)
        text = json.dumps(result, indent=2, allow_nan=False) + "\n"
        if options.output is None:
            sys.stdout.write(text)
        else:
            files.write_text(Path(options.output), text)
    except (InputError, OSError) as error:
        print(f"{_NAME}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{_NAME}: interrupted; nothing was written.", file=sys.stderr)
        return 130
    return 1 if errors else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_NAME,
        description=_DESCRIPTION,
        epilog=f"metrics: {names.known()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--latents", metavar="FILE", help="npy or npz: [points, latents]")
    parser.add_argument("--factors", metavar="FILE", help="[points, factors], numbers or strings")
    parser.add_argument(
        "--factor-kinds",
        nargs="+",
        metavar="KIND",
        help="continuous or categorical, for each factor or one for all (default: continuous for "
        "floating-point numbers, categorical for others)",
    )
    parser.add_argument("--factor-names", nargs="+", metavar="NAME")
    parser.add_argument("--metrics", nargs="+", default=[], metavar="METRIC", help="see below")
    parser.add_argument(
        "--jacobians",
        metavar="FILE",
        help="[points, outputs, latents]; adds DtO, IMA contrast, mean |cos| and precision gap",
    )
    parser.add_argument(
        "--sigma",
        metavar="FILE",
        help="[points, latents], the posterior's standard deviations at the points of --jacobians, for "
        "the whole precision gap",
    )
    parser.add_argument("--output", metavar="FILE", help="of the result (default: standard output)")
    parser.add_argument("--seed", type=int, default=0, help="of each metric (default: 0)")
    parser.add_argument(
        "--gin-bindings",
        nargs="+",
        action="extend",
        default=[],
        metavar="BINDING",
        help="settings of metrics, such as 'mig.num_train = 5000'",
    )
    return parser


def _evaluated(options: argparse.Namespace) -> tuple[dict, dict[str, str]]:
    """The result, and the messages of the metrics that failed."""
    metrics = names.chosen(
        options.metrics,
        *(value is not None for value in (options.jacobians, options.latents, options.factors)),
    )
    check_whole("--seed", options.seed)
    _check_output(options.output)
    latents = factors = jacobians = sigma = None
    if options.latents is not None:
        latents = reading.latents(options.latents)
    if options.factors is not None:
        if latents is None:
            raise InputError("--factors needs --latents of the same points.")
        factors = reading.factors(
            options.factors,
            len(latents),
            _split_at_commas(options.factor_kinds),
            _split_at_commas(options.factor_names),
        )
    elif options.factor_kinds or options.factor_names:
        raise InputError(
            "--factor-kinds and --factor-names describe --factors, which is not given."
        )
    if options.jacobians is not None:
        jacobians = reading.jacobians(
            options.jacobians, None if latents is None else latents.shape[1]
        )
    if options.sigma is not None:
        if jacobians is None:
            raise InputError("--sigma is for the precision gap, which needs --jacobians.")
        sigma = reading.sigma(options.sigma, (len(jacobians.small), jacobians.small.shape[2]))

    result, errors = _computed(metrics, latents, factors, jacobians, sigma, options)
    for name, message in errors.items():
        print(f"{_NAME}: {name}: {message}", file=sys.stderr)
    return result, errors


def _computed(metrics, latents, factors, jacobians, sigma, options) -> tuple[dict, dict[str, str]]:
    # Late, because it starts TensorFlow: the input is checked by now.
    from vae_ortho_plugin.arrays import dlib_metrics, jacobian_measures

    of_points = [name for name in metrics if name in names.METRICS]
    setup = None
    result: dict = {"points": len(jacobians.small if latents is None else latents)}
    if latents is not None:
        result["latents"] = latents.shape[1]
    if of_points:
        setup = dlib_metrics.ArrayMetrics(
            of_points, latents, factors, options.gin_bindings, options.seed
        )
        described = zip(factors.names, factors.kinds, setup.binning, strict=True) if factors else []
        result["factors"] = [
            {"name": name, "kind": kind, "in_dlibs_metrics": binning}
            for name, kind, binning in described
        ]
        result["settings"], _ = json_values(setup.settings)
        if setup.points_of:
            result["points_of"] = setup.points_of
    elif options.gin_bindings:
        raise InputError("--gin-bindings are settings of metrics of --metrics, which names none.")
    result["seed"] = options.seed
    values, errors = {}, {}
    for name in metrics:
        try:
            if name in names.OF_JACOBIANS:
                values[name] = jacobian_measures.compute(name, jacobians, latents, sigma)
            else:
                values[name] = setup.compute(name)
        except InputError as error:
            errors[name] = str(error)
    result["metrics"], notes = json_values(values)
    for note in notes:
        print(f"{_NAME}: {note}", file=sys.stderr)
    if errors:
        result["errors"] = errors
    return result, errors


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
