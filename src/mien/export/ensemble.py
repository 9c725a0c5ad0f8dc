"""Ensembles: several models as one file, the mean of their calibrated probabilities (Hansen and Salamon, 1990)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.compose import add_prefix_graph

from mien.data.store import FaceStore
from mien.errors import ExportError
from mien.export.calibrated import calibrated_as_it_answers
from mien.export.onnx import converted, halved, probe_faces, require_close, with_card, write_model
from mien.model.card import ModelCard
from mien.model.embedded import versioned_name
from mien.model.onnx_model import Bundle, softmax
from mien.networks.saved import load_network, provenance
from mien.preprocess import PreprocessSpec

_INPUT: Final = "face"
_OUTPUT: Final = "logits"


@dataclass(frozen=True, slots=True)
class Member:
    """A model that others may be averaged with.

    Args:
        source: how the user named it.
        bundle: its file, loaded.
        provenance: what the card of an ensemble tells of it: architecture, hash of the file, and training.
    """

    source: str
    bundle: Bundle
    provenance: dict[str, Any]


def load_member(source: str | Path) -> Member:
    """An embedded model by its name, a model file (``.onnx``), or a run folder or safetensors file of `mien train`.

    Raises:
        ModelFileError: missing, damaged, or an ONNX file that mien did not write.
        ExportError: a run's network, exported, does not compute what it computes in torch.
    """
    path = Path(source)
    if versioned_name(source):
        bundle = Bundle.load(source)
    elif path.suffix == ".onnx" and path.is_file():
        bundle = Bundle(path.read_bytes(), str(path))
    else:
        network, card = load_network(path)
        content, _ = converted(network, card, str(path))
        return Member(str(source), Bundle(content, str(path)), provenance(path, card))
    card = bundle.card
    return Member(str(source), bundle, {"network": card.network, "sha256": bundle.sha256, **card.training})


def ensemble_card(members: Sequence[Member], name: str) -> ModelCard:
    """The members' common card, neither calibrated together nor measured yet.

    Its ``training`` holds what is true of all members, and under ``members`` each one's own. Members may see a face at
    sides and scales of grey levels of their own; the ensemble sees it as the one whose frame is nearest to the faces.

    Raises:
        ExportError: one sees another part of the face than the first, or something else is done to its faces.
    """
    cards = [member.bundle.card for member in members]
    for member, card in zip(members, cards, strict=True):
        if _part_of_face(card.preprocess) != _part_of_face(cards[0].preprocess):
            raise ExportError(
                f"{member.source}: was trained with {card.preprocess}: "
                f"expected the crop, channels, filters and faces of {members[0].source}, {cards[0].preprocess}"
            )
        if card.labels != cards[0].labels:
            raise ExportError(
                f"{member.source}: has the classes {', '.join(card.labels)}: "
                f"expected those of {members[0].source}, {', '.join(cards[0].labels)}"
            )
    return ModelCard(
        name=name,
        network=" + ".join(card.network for card in cards),
        parameters=sum(card.parameters for card in cards),
        macs=sum(card.macs for card in cards),
        preprocess=min((card.preprocess for card in cards), key=lambda spec: abs(spec.frame_size - spec.face_size)),
        labels=cards[0].labels,
        training={
            **_common([card.training for card in cards]),
            "members": [member.provenance for member in members],
        },
        licence=" and ".join(sorted({card.licence for card in cards})),
    )


def _part_of_face(spec: PreprocessSpec) -> tuple[Any, ...]:
    """What members must have in common: all but the side, and how grey levels are scaled."""
    return spec.input_size / spec.frame_size, spec.equalize, spec.blur, spec.channels, spec.face_size


def _common(trainings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The entries on which all agree."""
    return {
        key: value
        for key, value in trainings[0].items()
        if all(key in other and other[key] == value for other in trainings)
    }


def export_ensemble(members: Sequence[Member], name: str, store: FaceStore, out: Path, *, half: bool = False) -> float:
    """Write one file that answers as the mean of its members, calibrated and measured on a data set's PublicTest.

    Args:
        members: at least two.
        name: what the ensemble is called.
        store: the data set whose PublicTest rows fit the common temperature.
        out: the file to write; replaced only when its answers are the members' mean.
        half: store weights in half precision, see `mien.export.onnx.halved`.

    Returns:
        The largest difference between a probability and the mean of the members', over generated faces.

    Raises:
        ExportError: the members do not fit together, the data set has no PublicTest rows, the answers differ by more
            than `mien.export.onnx.TOLERANCE`, or `HALF_TOLERANCE` with half precision or members that see faces at
            another side, or the file cannot be written.
    """
    card = ensemble_card(members, name)
    model = _averaged([member.bundle for member in members], card.preprocess)
    if half:
        model = halved(model)
    together = Bundle(with_card(model, card), str(out))
    difference = _difference(together, members)
    resized = any(member.bundle.card.preprocess.input_size != card.preprocess.input_size for member in members)
    require_close(difference, f"{out}: probabilities", "the members' mean", half=half or resized)
    write_model(with_card(model, calibrated_as_it_answers(together, store)), out)
    return difference


def _averaged(bundles: Sequence[Bundle], spec: PreprocessSpec) -> onnx.ModelProto:
    """The members' graphs side by side, and the logarithm of their mean probability: logits whose softmax that is.

    Args:
        bundles: the members.
        spec: how their common input is made.
    """
    models = [onnx.load_from_string(bundle.content) for bundle in bundles]
    nodes, weights = [], []
    for number, (bundle, model) in enumerate(zip(bundles, models, strict=True)):
        graph = add_prefix_graph(model.graph, f"member{number}/")
        entering, constants = _entering(number, spec, bundle.card.preprocess, graph.input[0].name)
        nodes += [*entering, *graph.node]
        temperature = np.array(bundle.card.temperature, np.float32)
        weights += [*constants, *graph.initializer, numpy_helper.from_array(temperature, f"temperature{number}")]
        nodes += [
            helper.make_node("Div", [graph.output[0].name, f"temperature{number}"], [f"scaled{number}"]),
            helper.make_node("LogSoftmax", [f"scaled{number}"], [f"log_probabilities{number}"], axis=-1),
            helper.make_node("Unsqueeze", [f"log_probabilities{number}", "member"], [f"answer{number}"]),
        ]
    weights += [
        numpy_helper.from_array(np.array([0]), "member"),
        numpy_helper.from_array(np.array(math.log(len(bundles)), np.float32), "log_of_their_number"),
    ]
    answers = [f"answer{number}" for number in range(len(bundles))]
    nodes += [
        helper.make_node("Concat", answers, ["answers"], axis=0),
        helper.make_node("ReduceLogSumExp", ["answers", "member"], ["log_of_sum"], keepdims=0),
        helper.make_node("Sub", ["log_of_sum", "log_of_their_number"], [_OUTPUT]),
    ]
    first = models[0]
    sides = [spec.channels, spec.input_size, spec.input_size]
    graph = helper.make_graph(
        nodes,
        "ensemble",
        [helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, ["faces", *sides])],
        [helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, ["faces", len(bundles[0].card.labels)])],
        weights,
    )
    return helper.make_model(graph, opset_imports=first.opset_import, ir_version=first.ir_version)


def _entering(
    number: int, ours: PreprocessSpec, theirs: PreprocessSpec, name: str
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes and constants that make a member's input, of a name, from the common one: scaled and resized where needed.

    Enlarging is `PreprocessSpec`'s own but for the outermost pixels, whose neighbours the common input has lost, and
    for rounding to whole grey levels.
    """
    nodes, constants, last = [], [], _INPUT
    if (ours.mean, ours.std) != (theirs.mean, theirs.std):
        factor, offset = f"factor{number}", f"offset{number}"
        values = {factor: ours.std / theirs.std, offset: (ours.mean - theirs.mean) / theirs.std}
        constants += [numpy_helper.from_array(np.array(value, np.float32), key) for key, value in values.items()]
        nodes.append(helper.make_node("Mul", [last, factor], [f"stretched{number}"]))
        nodes.append(helper.make_node("Add", [f"stretched{number}", offset], [f"grey{number}"]))
        last = f"grey{number}"
    if ours.input_size != theirs.input_size:
        sides = f"sides{number}"
        constants.append(numpy_helper.from_array(np.full(2, theirs.input_size, np.int64), sides))
        resized = [last, "", "", sides], [f"resized{number}"]
        nodes.append(helper.make_node("Resize", *resized, mode="linear", antialias=1, axes=[2, 3]))
        last = f"resized{number}"
    return [*nodes, helper.make_node("Identity", [last], [name])], constants


def _difference(together: Bundle, members: Sequence[Member]) -> float:
    faces = probe_faces(33, together.card.preprocess)
    mean = np.mean([member.bundle.probabilities(faces) for member in members], axis=0)
    return float(np.abs(softmax(together.logits(faces)) - mean).max())
