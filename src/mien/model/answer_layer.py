"""The features of an ONNX network: the tensors that its answer layer reads, made outputs beside the answer.

The file is edited as bytes, since prediction does without the package ``onnx``. Protocol Buffers make that short: a
message that stands twice in its parent is merged, so that a second graph with nothing but outputs, added to the end,
adds these outputs to the first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mien.errors import ModelFileError

_ANSWER_LAYERS: Final = frozenset({"Gemm", "MatMul", "Conv"})
"""Operators of the last layer with weights."""

_GRAPH: Final = 7
_NODE: Final = 1
_OUTPUT: Final = 12
_NAME: Final = 1
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR = 1, 2, 4
"""Field numbers of ONNX's ModelProto, GraphProto, ValueInfoProto and NodeProto."""

_BYTES: Final = 2
"""Wire type of what has a length: texts and messages."""

_FIXED: Final = {1: 8, 5: 4}
"""Bytes of values of the other wire types; 0 is a varint."""


@dataclass(frozen=True, slots=True)
class _Node:
    """An operator of the graph, with the names of what it reads."""

    operator: str
    inputs: tuple[str, ...]


def with_features(onnx: bytes, source: str) -> tuple[bytes, tuple[str, ...]]:
    """A model file whose network gives its features too.

    From the answer back, along every path, the first layer with weights is an answer layer; what it reads are the
    features. A mean of several networks has one such layer for each of them.

    Args:
        onnx: the content of the file.
        source: what to call it in errors.

    Returns:
        The content of the new file, and the names of the outputs added, in the order of the file's layers.

    Raises:
        ModelFileError: no layer with weights leads to the answer, or the file cannot be read.
    """
    try:
        nodes, answers = _graph(onnx)
    except (IndexError, UnicodeDecodeError):
        raise ModelFileError(f"{source}: its graph cannot be read; export it again") from None
    found = _read_by_the_last_layers(nodes, answers)
    if not found:
        raise ModelFileError(f"{source}: no layer with weights before its answer, so it has no features to give")
    return onnx + _field(_GRAPH, b"".join(_field(_OUTPUT, _field(_NAME, name.encode())) for name in found)), found


def _graph(onnx: bytes) -> tuple[Mapping[str, _Node], list[str]]:
    """The node that makes each tensor, in the order of the file, and the names of the graph's outputs."""
    nodes: dict[str, _Node] = {}
    answers = []
    for graph in _messages(memoryview(onnx), _GRAPH):
        for node in _messages(graph, _NODE):
            operator = "".join(_texts(node, _NODE_OPERATOR))
            nodes |= dict.fromkeys(_texts(node, _NODE_OUTPUT), _Node(operator, tuple(_texts(node, _NODE_INPUT))))
        answers += [name for output in _messages(graph, _OUTPUT) for name in _texts(output, _NAME)]
    return nodes, answers


def _read_by_the_last_layers(nodes: Mapping[str, _Node], answers: list[str]) -> tuple[str, ...]:
    found, seen, left = set(), set(), list(answers)
    while left:
        name = left.pop()
        node = nodes.get(name)
        if node is None or name in seen:  # weights and the input are made by no node
            continue
        seen.add(name)
        if node.operator in _ANSWER_LAYERS:
            found.add(node.inputs[0])
        else:
            left += node.inputs
    return tuple(name for name in nodes if name in found)


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """The content of every field of that number that has a length."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _BYTES:
            length, at = _varint(message, at)
            if key >> 3 == wanted:
                yield message[at : at + length]
            at += length
        elif kind == 0:
            _, at = _varint(message, at)
        else:
            at += _FIXED.get(kind, len(message))


def _texts(message: memoryview, wanted: int) -> list[str]:
    return [bytes(text).decode() for text in _messages(message, wanted)]


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def _field(number: int, content: bytes) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(content)) + content


def _encoded(value: int) -> bytes:
    text = bytearray()
    while value > 127:
        text.append(value & 127 | 128)
        value >>= 7
    return bytes([*text, value])
