# SPDX-License-Identifier: Apache-2.0
"""Data sets as the study trains on them; needs neither TensorFlow nor dlib.

Epochs, β and batch size of a data set are those of its file in gin_configs/datasets.
"""

import dataclasses
import functools
from dataclasses import dataclass

from vae_ortho_plugin.files.gin_files import bindings, gin_config, read_bindings


@functools.cache
def data_set_bindings(data_set: str) -> dict[str, object]:
    """Bindings of the data set's file in gin_configs/datasets, such as 'epochs', 'vae.beta', 'model.batch_size'."""
    return read_bindings(gin_config(f"datasets/{data_set}.gin"))


def full_epochs(data_set: str) -> int:
    """Epochs of the paper's training on a data set."""
    return data_set_bindings(data_set)["epochs"]


def own_beta(data_set: str) -> float:
    """β of the data set's β-VAE; 1 where the paper has only a VAE."""
    return data_set_bindings(data_set)["vae.beta"]


@dataclass(frozen=True)
class DataVariant:
    """A data set and how it is trained on: as in the paper or changed in one respect.

    Attributes:
        name: on the command line and of the folder of its runs.
        plain_title: in reports, without the remarks.
        data_set: stem of its file in gin_configs/datasets.
        epochs: length of training.
        bindings: gin bindings that replace some of that file's.
        remarks: how its runs differ from the study's plan, for a reader.
        changed_from: the planned variant, where this one differs from it.
        batch_size: of a training step; None is the data set's.
    """

    name: str
    plain_title: str
    data_set: str
    epochs: int
    bindings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    changed_from: "DataVariant | None" = None
    batch_size: int | None = None

    @property
    def title(self) -> str:
        """Name in reports."""
        return self.plain_title + (f" ({', '.join(self.remarks)})" if self.remarks else "")

    @property
    def has_factors(self) -> bool:
        """Whether the data have generating factors."""
        return self.data_set not in ("mnist", "fashion_mnist")

    @property
    def but_for_epochs(self) -> tuple:
        """What runs have in common that differ in the length of training alone."""
        return self.data_set, self.batch_size, self.bindings

    @property
    def at_full_length(self) -> bool:
        """Whether it trains as long as the paper."""
        return self.epochs >= full_epochs(self.data_set)

    @property
    def as_planned(self) -> "DataVariant":
        """The variant that the study plans."""
        return self.changed_from or self

    def shortened(self, epochs: int | None) -> "DataVariant":
        """The variant trained for at most this number of epochs; None: for its own number."""
        if epochs is None or epochs >= self.epochs:
            return self
        planned = self.as_planned
        return dataclasses.replace(
            self,
            name=f"{planned.name}-{epochs}-epochs",
            epochs=epochs,
            remarks=(*planned.remarks, f"{epochs} of {planned.epochs} epochs"),
            changed_from=planned,
        )

    def remarked(self, remark: str) -> "DataVariant":
        """The variant with a remark on its runs, such as the data that they were made from."""
        return dataclasses.replace(
            self,
            name=f"{self.name}-{remark.replace(' ', '-')}",
            remarks=(*self.remarks, remark),
            changed_from=self.as_planned,
        )


def changed(
    data: DataVariant, suffix: str, title: str, *replaced: str, epochs: int | None = None
) -> DataVariant:
    """The variant with further bindings or another number of epochs, a planned one of its own."""
    return dataclasses.replace(
        data,
        name=f"{data.name}_{suffix}",
        plain_title=f"{data.plain_title}, {title}",
        epochs=epochs or data.epochs,
        bindings=(*data.bindings, *replaced),
    )


def with_10_latents(data: DataVariant) -> DataVariant:
    """The variant with 10 latents (Table 1)."""
    return changed(data, "latents_10", "10 latents", "encoder.num_latent = 10")


def with_beta(data: DataVariant, value: float) -> DataVariant:
    """The variant whose β-VAE has this β (Suppl. C)."""
    text = f"{value:g}".replace("e-0", "e-")
    return changed(data, f"beta_{text}", f"β = {text}", f"vae.beta = {value}")


@functools.cache
def with_orthogonality(data: DataVariant, weight: float) -> DataVariant:
    """The variant whose linearized VAE has this λ, with the dial's own optimizer where the data set has one."""
    replaced = [f"linearized_vae.orthogonality = {weight}"]
    if data.data_set in ("synth_linear", "synth_nonlinear"):
        replaced[:0] = bindings(gin_config(f"protocols/dial_{data.data_set}.gin"))
    return changed(data, f"lambda_{weight:g}", f"λ = {weight:g}", *replaced)


def with_epochs(data: DataVariant, number: int) -> DataVariant:
    """The variant that is planned with this number of epochs (Figure 4, the dial on images)."""
    return changed(data, f"epochs_{number}", f"{number} epochs", epochs=number)
