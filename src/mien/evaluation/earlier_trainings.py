"""What trainings met that ended before cards named the families of their augmentation: mien's own first ones."""

from typing import Final

RECIPES: Final = {
    "895aac67059749a93250bb98ebedb29d3a18ea538640d0158493ad2750f10898": "mien_s",
    "754f604b4daee0a28acb85394b901a52a7679d00e10f49339e732b6c78eb326f": "mien_s_restart",
    "1f18de1293e200bf18cbf87d2b8e0932e5c2fa6cc91658cfac36db57b3c56343": "mien_s_restart",
    "96e72d0a7ce1fa21c10e85c2dbbde22c3144162d3333de1a2ebb385f0233fef3": "mien_s_votes",
    "8a33c8bf53bb661daac4229c17173d14125a6823b54c00721042106d48b1c115": "mien_s_restart",
    "375b5888288f39be06034f3f70d564703dc02584e59ce9e679016be1e8f1d4f7": "mien_m",
    "1f6779a49f13f326af438365ea219151106ed6562c2e6f4bb8952ae4c2ca312a": "mien_m_restart",
}
"""The recipe of each, by the hash of its weights, or of the ONNX file of mien_s-1; their ``[augment]`` is unchanged."""

_FAMILIES: Final = ("brightness", "contrast", "occlusion", "rotation", "scale", "shift")
"""All these recipes have the same."""


def families_of(sha256: str | None) -> list[str] | None:
    """Families of augmentation of a training that is known by the hash of its weights; None of any other."""
    return list(_FAMILIES) if sha256 in RECIPES else None
