"""A model file: an ONNX network and its model card (labels, preprocessing, temperature, provenance).

The card is JSON in the metadata of the ONNX file, under the key ``mien``, so the two cannot be separated. A file with
malformed metadata is rejected, and so is one without metadata unless a TOML beside it holds the same
(`mien.model.foreign`): with a wrong class order or preprocessing a network gives plausible but wrong predictions.
"""

import hashlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.defaults import DEFAULT_MODEL
from mien.errors import ConfigError, ModelFileError, UsageError
from mien.model.answer_layer import with_features
from mien.model.card import METADATA_KEY, ModelCard
from mien.model.embedded import offered_names, read_embedded, trust_file, versioned_name
from mien.model.foreign import Description, Interface
from mien.model.pieces import INSTALL_AGAIN
from mien.model.session import DIRECTML, open_session
from mien.model.trust import SUFFIX, Trust

_FLOAT: Final = "tensor(float)"

_BATCH: Final = 64
"""Batch size of a forward pass: larger ones gained nothing on a CPU and took memory in proportion."""


class Bundle:
    """A loaded model file: faces in, logits or calibrated probabilities out.

    Args:
        onnx: the content of the file.
        source: what to call it in errors.
        name: what results call the model; by default what its card says.
        device: where it runs, one of `mien.choices.MODEL_DEVICES`.
        threads: threads of one forward pass; by default see `mien.threads.thread_count`.
        description: the TOML that describes a foreign network (`mien.model.foreign.Description`); read only when the
            file has no metadata.

    Raises:
        ModelFileError: not an ONNX file, its metadata or its description is missing or malformed, or does not fit.
        UsageError: onnxruntime cannot run on the device, or a number of threads out of range.
    """

    def __init__(
        self,
        onnx: bytes,
        source: str,
        *,
        name: str | None = None,
        device: str = "cpu",
        threads: int | None = None,
        description: Path | None = None,
    ) -> None:
        try:
            self._session = open_session(onnx, device, threads)
        except UsageError:
            raise
        except Exception as error:  # onnxruntime raises a dozen private types for a bad file
            reason = str(error).partition("\n")[0]
            raise ModelFileError(f"{source}: not a usable ONNX file ({reason})") from None
        # DirectML runs one batch of a session at a time.
        self._turn: AbstractContextManager[Any] = Lock() if DIRECTML in self.providers else nullcontext()
        self.source = source
        self.content = onnx
        self._options: dict[str, Any] = {
            "name": name,
            "device": device,
            "threads": threads,
            "description": description,
        }
        metadata = self._session.get_modelmeta().custom_metadata_map
        if METADATA_KEY in metadata:
            self.card = _own_card(metadata[METADATA_KEY], source)
            channels = self.card.preprocess.channels
            self._interface = Interface(
                labels=self.card.labels, gain=(1.0,) * channels, shift=(0.0,) * channels, own=True
            )
            self._check_shapes("as its metadata says; export it again with `mien export`")
        else:
            self.card, self._interface = _foreign_card(description, source)
            self._check_shapes(
                f"as {description} says; mend labels, channels, layout or input_size there", foreign=True
            )
        if name is not None:
            self.card = replace(self.card, name=name)
        node = self._session.get_inputs()[0]
        self._input, self._fixed_batch = node.name, node.shape[0] if isinstance(node.shape[0], int) else None

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or another process, gets a session of its own."""
        return partial(type(self), self.content, self.source, **self._options), ()

    def __repr__(self) -> str:
        return f"Bundle({self.card.name}, {self.card.parameters:,} parameters)"

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers of onnxruntime that the network really runs on, best first."""
        return tuple(self._session.get_providers())

    @property
    def interface(self) -> dict[str, Any]:
        """What another runtime must know beside the card, as values of JSON; ``batch`` is None where any will do."""
        return {**self._interface.to_dict(), "batch": self._fixed_batch}

    def _check_shapes(self, says: str, *, foreign: bool = False) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        takes = self._interface.input_shape(self.card.preprocess.input_size)
        classes = len(self._interface.labels) if foreign else len(self.card.labels)
        one_of_each = len(inputs) == len(outputs) == 1
        sizes_fit = one_of_each and _fits(inputs[0].shape, *takes) and _fits(outputs[0].shape, classes)
        # mien always exports a dynamic batch axis; a fixed one means another tool wrote the file.
        if not (sizes_fit and inputs[0].type == _FLOAT and (foreign or not isinstance(inputs[0].shape[0], int))):
            found = f"{[_shown(node) for node in inputs]} to {[_shown(node) for node in outputs]}"
            taken = ", ".join(map(str, takes))
            raise ModelFileError(
                f"{self.source}: maps {found}: expected [N, {taken}] to [N, {classes}] for any N, all float, {says}"
            )

    @cached_property
    def sha256(self) -> str:
        """Hash of the file's content, lower-case hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def trust(self) -> Trust:
        """The model's trust file: of an embedded model the package's, else the one beside the file.

        Raises:
            ModelFileError: there is none, or it is damaged or another model's.
        """
        version = versioned_name(self.source)
        if version:
            return Trust.load(trust_file(version), self.content, self.card.labels, INSTALL_AGAIN)
        return Trust.load(Path(self.source).with_suffix(SUFFIX), self.content, self.card.labels)

    @classmethod
    def load(cls, model: str | Path = DEFAULT_MODEL, **options: Any) -> "Bundle":
        """An embedded model by its name, with or without a version, or a model file by its path.

        Raises:
            ModelFileError: no such name or file, or the file is unusable.
        """
        if version := versioned_name(model):
            return cls(read_embedded(version), version, name=version, **options)
        path = Path(model)
        try:
            return cls(path.read_bytes(), str(path), description=path.with_suffix(".toml"), **options)
        except OSError:
            known = ", ".join(offered_names(model)) or "none"
            raise ModelFileError(f"{model}: no such model file, nor the name of an embedded model ({known})") from None

    def logits_of_input(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (N, classes) of preprocessed faces, float32 (N, channels, S, S).

        Raises:
            ModelFileError: the network gave a logit that is NaN or infinite.
        """
        if not len(inputs):
            return np.empty((0, len(self.card.labels)), np.float32)
        return self._finite_logits(self._outputs(self._session, inputs)[0])

    def features_of_input(self, inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits (N, classes), and the features (N, D) that the answer layer reads, of preprocessed faces.

        Maps of a convolution are averaged over the face; of a mean of several networks the features stand side by side.

        Args:
            inputs: float32 (N, channels, S, S), N at least 1.

        Raises:
            ModelFileError: the network has no layer with weights before its answer, or gives what is not finite.
        """
        answers, *layers = self._outputs(self._session_with_features, inputs)
        features = np.concatenate([_flat(layer, len(inputs)) for layer in layers], axis=1)
        if not np.isfinite(features).all():
            raise ModelFileError(f"{self.source}: the network gives features that are not finite; export it again")
        return self._finite_logits(answers), features

    def features(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (N, D) of face crops, uint8 (N, H, W) or (N, H, W, 3) (see `features_of_input`)."""
        if not len(faces):
            return self.features(np.zeros((1, 1, 1), np.uint8))[:0]
        return self.features_of_input(self.card.preprocess.apply(faces))[1]

    @cached_property
    def _session_with_features(self) -> Any:
        content, _ = with_features(self.content, self.source)
        return open_session(content, self._options["device"], self._options["threads"])

    def _finite_logits(self, answers: NDArray[Any]) -> NDArray[np.float32]:
        logits = self._interface.logits(answers, self.source)
        if not np.isfinite(logits).all():
            raise ModelFileError(f"{self.source}: the network gives logits that are not finite; export it again")
        return logits

    def _outputs(self, session: Any, inputs: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Every output of a session for all inputs, batch by batch."""
        size = self._fixed_batch or _BATCH
        chunks = [self._run(session, inputs[start : start + size]) for start in range(0, len(inputs), size)]
        return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]

    def _run(self, session: Any, inputs: NDArray[np.float32]) -> list[NDArray[Any]]:
        """The network's raw outputs for at most one batch."""
        count = len(inputs)
        lacking = (self._fixed_batch or count) - count
        filled = np.pad(inputs, ((0, lacking), (0, 0), (0, 0), (0, 0))) if lacking else inputs
        try:
            with self._turn:
                outputs = session.run(None, {self._input: self._interface.arranged(filled)})
            return [np.asarray(output)[:count] for output in outputs]
        except Exception as error:  # sizes that the file left open and that its layers then refuse, mostly
            reason = str(error).partition("\n")[0]
            raise ModelFileError(f"{self.source}: the network fails on inputs {filled.shape} ({reason})") from None

    def logits(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (N, classes) of face crops, uint8 (N, H, W) or (N, H, W, 3)."""
        return self.logits_of_input(self.card.preprocess.apply(faces))

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Calibrated probabilities (N, classes), rows summing to 1, of face crops, uint8 (N, H, W) or (N, H, W, 3)."""
        return softmax(self.logits(faces) / self.card.temperature)


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Softmax over the last axis, in float64."""
    shifted = np.exp(np.asarray(logits, np.float64) - np.max(logits, axis=-1, keepdims=True, initial=-np.inf))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _flat(layer: NDArray[Any], faces: int) -> NDArray[np.float32]:
    """A vector for each face: maps (N, C, H, W) are averaged over their places."""
    averaged = layer.mean(axis=(2, 3)) if layer.ndim == 4 else layer
    return np.asarray(averaged.reshape(faces, -1), np.float32)


def _own_card(metadata: str, source: str) -> ModelCard:
    try:
        return ModelCard.from_json(metadata)
    except ConfigError as error:
        raise ModelFileError(f"{source}: {error}; export it again with `mien export`") from None


def _foreign_card(path: Path | None, source: str) -> tuple[ModelCard, Interface]:
    if path is None or not path.is_file():
        beside = f", or describe it in {path}" if path else ""
        raise ModelFileError(
            f"{source}: an ONNX file without mien's metadata (labels, preprocessing, temperature); "
            f"export it with `mien export`{beside}"
        )
    try:
        described = Description.from_toml(path.read_text(encoding="utf-8-sig"))
    except (ConfigError, UnicodeDecodeError, OSError) as error:
        raise ModelFileError(f"{path}: {error}") from None
    card = ModelCard(
        name=described.name or path.stem,
        network="unknown",
        parameters=0,
        macs=0,
        preprocess=described.preprocess,
        labels=described.interface.classes,
        temperature=described.temperature,
        licence="unknown",
    )
    return card, described.interface


def _fits(shape: list[int | str | None], *sizes: int) -> bool:
    """Whether an ONNX shape can be (N, *sizes); a size that the file leaves open is a name or None."""
    if len(shape) != 1 + len(sizes):
        return False
    return all(found == size or not isinstance(found, int) for found, size in zip(shape[1:], sizes, strict=True))


def _shown(node: Any) -> str:
    return f"{node.type.removeprefix('tensor(').removesuffix(')')} {node.shape}"
