"""Cached distillation: a fixed set of augmented views of each training face, and the teachers' answers to them.

A pupil that trains on the same few dozen views of each face in turn needs each answer once, where new views in every
epoch need them anew in every step: with five teachers that is most of the cost of a training (Beyer et al., arXiv
2106.05237, compare both). View ``v`` of all faces follows from the number ``v`` alone, so that only answers are stored.

A view is a face before it is degraded and erased (`mien.training.augment.vary`). The pupil sees it spoiled, anew each
time; what teachers say of the clear face is what the pupil should say of the spoiled one.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional as F

from mien.errors import TrainingError
from mien.networks.saved import load_tensors, save_tensors
from mien.training.augment import vary
from mien.training.config import TrainConfig

_CHUNK: Final = 1024
_SEED: Final = 72_911
"""Apart from the seeds of trainings, so that all pupils see the same views."""

_VIEW_KEYS: Final = ("flip", "vertical_flip", "rotate", "scale", "shift", "brightness", "contrast", "gamma")
"""What of ``[augment]`` makes a view; the rest spoils it."""

_SINCE: Final = ("brightness_probability", "contrast_probability", "gamma_probability")
"""Likewise; named only where they leave faces out, so that files that are older than these keys still serve."""

_PROBE_FACES: Final = 4
_PROBE_TOLERANCE: Final = 2.0
"""In grey levels: processors round differently, and another generator of random numbers makes another view."""

Answer = Callable[[Tensor], Tensor]


class TaughtViews:
    """Views of the training faces and the teachers' answers to them.

    Args:
        config: ``loss.teacher_views``, ``augment`` and ``preprocess`` say what the views are.
        frames: training faces as frames, uint8 (N, F, F), on the training's device.
        answer: probabilities (N, classes) of network inputs (N, 1, S, S).
        file: the file that answers are kept in, float16 (views answered, N, classes); made if it does not exist.
        identity: what the answers depend on besides (teachers, rows), as JSON-ready values.

    Raises:
        TrainingError: the file holds the answers to other views or of other teachers.
        ModelFileError: the file is damaged or cannot be written.
    """

    def __init__(
        self, config: TrainConfig, frames: Tensor, answer: Answer, file: Path, identity: dict[str, Any]
    ) -> None:
        self._config, self._frames, self._answer, self._file = config, frames, answer, file
        self._description = _description(config, frames, identity)
        self._answers: list[Tensor] = []
        if file.exists():
            tensors, found = load_tensors(file)
            self._answers = list(tensors["answers"].to(frames.device))
            self._refuse_others(found, tensors["probe"])

    def _refuse_others(self, found: str, probe: Tensor) -> None:
        mine = self._probe().cpu()
        same = mine.shape == probe.shape and torch.allclose(mine, probe, atol=_PROBE_TOLERANCE)
        if found != self._description or not same:
            raise TrainingError(
                f"{self._file}: holds what teachers answer to other views; expected {self._description}, found "
                f"{found}: name another file in loss.teacher_answers, or remove this one"
            )

    def of_epoch(self, epoch: int, input_size: int) -> tuple[Tensor, Tensor]:
        """The view of all faces that an epoch trains on, and the answers to it.

        Seeds torch's generators. The teachers are asked when a view comes for the first time, and the file is written
        then: a training that is killed among them has lost one view at most.

        Returns:
            Grey levels, float32 (N, 1, input_size, input_size) in 0..255, and probabilities, float32 (N, classes).
        """
        number = epoch % self._config.loss.teacher_views
        while len(self._answers) <= number:
            self._ask(len(self._answers))
        clear = torch.cat(list(self._clear(number)))
        if clear.shape[-1] != input_size:
            clear = F.interpolate(clear, (input_size, input_size), mode="bilinear", antialias=True)
        return clear, self._answers[number].float()

    def _clear(self, number: int) -> Iterator[Tensor]:
        config = self._config
        torch.manual_seed(_SEED + number)
        for chunk in torch.split(self._frames, _CHUNK):
            yield vary(chunk, config.augment, config.preprocess, config.preprocess.input_size)

    def _ask(self, view: int) -> None:
        scale = self._config.preprocess.scale
        self._answers.append(torch.cat([self._answer(scale(clear)).half() for clear in self._clear(view)]))
        tensors = {"answers": torch.stack(self._answers), "probe": self._probe()}
        save_tensors(self._file, {name: tensor.cpu() for name, tensor in tensors.items()}, self._description)

    def _probe(self) -> Tensor:
        """The first faces of the first view: what another generator of random numbers would draw otherwise."""
        return next(self._clear(0))[:_PROBE_FACES]


def _description(config: TrainConfig, frames: Tensor, identity: dict[str, Any]) -> str:
    """What answers depend on, as one line of JSON."""
    augment = asdict(config.augment)
    named = (*_VIEW_KEYS, *(key for key in _SINCE if augment[key] < 1))
    values = {
        **identity,
        "temperature": config.loss.teacher_temperature,
        "faces": len(frames),
        "augment": {key: augment[key] for key in named},
        "preprocess": config.preprocess.to_dict(),
    }
    return json.dumps(values, sort_keys=True)
