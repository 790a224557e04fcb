# SPDX-License-Identifier: Apache-2.0
"""A decoder of PyTorch's tensors."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from vae_ortho_plugin.decoder.frameworks import named
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.jacobians import factors_of_gram, small_jacobians


class PytorchDecoder(contextlib.AbstractContextManager):
    """A torch.nn.Module or a function, on its own device.

    Within it the module and its parts are in evaluation mode; afterwards each has its mode again. If the means are a
    tensor, it must have the decoder's device and type; anything else is brought there.
    """

    def __init__(self, decoder: Callable[[torch.Tensor], torch.Tensor], means: Any):
        self._decoder = decoder
        tensors: list[torch.Tensor] = []
        if isinstance(decoder, torch.nn.Module):
            tensors = [*decoder.parameters(), *decoder.buffers()]
        weight = next((tensor for tensor in tensors if tensor.is_floating_point()), None)
        given = means if isinstance(means, torch.Tensor) else None
        if weight is not None and given is not None:
            for what in ("device", "dtype"):
                found, needed = getattr(given, what), getattr(weight, what)
                if found != needed:
                    shown = repr(str(needed)) if what == "device" else needed
                    raise InputError(
                        f"means has the {what} {found}, and decoder {needed}: give means.to({shown})."
                    )
        like = weight if weight is not None else given
        if like is None:
            like = torch.empty(0, device="cpu")
        self._device = like.device
        self._dtype = like.dtype if like.is_floating_point() else torch.get_default_dtype()
        self._modes: dict[torch.nn.Module, bool] = {}

    def __enter__(self):
        if isinstance(self._decoder, torch.nn.Module):
            self._modes = {module: module.training for module in self._decoder.modules()}
            self._decoder.eval()
        return self

    def __exit__(self, *exception: object) -> None:
        for module, training in self._modes.items():
            module.training = training

    def outputs(self, latents: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self._call(self._tensor(latents)).cpu().double().numpy()

    def jacobians(self, latents: np.ndarray) -> np.ndarray:
        columns = self._columns(latents)
        if columns.dtype == torch.bfloat16:
            columns = columns.float()
        return columns.cpu().numpy().transpose(1, 2, 0)

    def factors(self, latents: np.ndarray, first_point: int) -> np.ndarray:
        if self._device.type in ("cpu", "mps"):  # Apple's GPU has no float64.
            return small_jacobians(self.jacobians(latents), first_point=first_point)
        return self._factors_there(self._columns(latents), first_point)

    @staticmethod
    def _factors_there(columns: torch.Tensor, first_point: int) -> np.ndarray:
        """`factors` where copying the Jacobians to the CPU would take longer than their Gram matrices."""
        jacobians = columns.permute(1, 2, 0).double()
        gram = (jacobians.mT @ jacobians).cpu().numpy()
        return factors_of_gram(
            gram, lambda points: jacobians[torch.as_tensor(points)].cpu().numpy(), first_point
        )

    def _columns(self, latents: np.ndarray) -> torch.Tensor:
        """d output / d latent: [latents, points, outputs]."""
        points = self._tensor(latents)
        directions = torch.eye(points.shape[1], dtype=self._dtype, device=self._device)
        directions = directions[:, None].expand(-1, len(points), -1)

        def column(direction: torch.Tensor) -> torch.Tensor:
            return torch.func.jvp(self._flat, (points,), (direction,))[1]

        failed = "PyTorch cannot take the derivative of decoder in forward mode"
        with named(failed, RuntimeError), torch.no_grad():
            return torch.vmap(column)(directions)

    def _flat(self, latents: torch.Tensor) -> torch.Tensor:
        return self._call(latents).reshape(len(latents), -1)

    def _call(self, latents: torch.Tensor) -> torch.Tensor:
        failed = f"decoder fails for latents of the shape {tuple(latents.shape)}"
        with named(failed, RuntimeError):
            outputs = self._decoder(latents)
        if not isinstance(outputs, torch.Tensor):
            raise InputError(f"decoder must return a tensor; got {type(outputs).__name__}.")
        return outputs

    def _tensor(self, latents: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(latents, dtype=self._dtype, device=self._device)
