"""Configuration of data augmentation: section ``[augment]`` of a recipe."""

from dataclasses import dataclass

from mien.toml_json import in_range


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """Data augmentation of training faces; each face draws its own values, uniformly.

    Args:
        flip: probability of a horizontal flip.
        vertical_flip: probability of a vertical flip. Faces stand upright: it is here to reproduce this mistake of a
            system that claimed 99 %, see docs/studies/leakage.md.
        rotate: degrees either way.
        scale: share by which the face grows or shrinks, either way.
        shift: share of the input side by which the face moves, either way, horizontally and vertically.
        brightness, contrast: share either way.
        brightness_probability, contrast_probability, gamma_probability: of varying a face so; 1 varies every face.
        erase: random erasing: probability that a rectangle is replaced by the grey of ``preprocess.mean`` (Zhong et
            al., arXiv 1708.04896).
        erase_area: largest share of the face that is erased.
        gamma: largest exponent of the grey levels; the smallest is its inverse, 0 is off.
        occlude, occlude_area: probability that a rectangle of any grey level hides a part, and its largest share of the
            face. The following degradations (`mien.training.degradation`) likewise have a probability and a strength.
        blur, blur_sigma: Gaussian blur; largest standard deviation in pixels.
        motion_blur, motion_length: smear along a line of any direction; longest line in pixels.
        low_resolution, low_resolution_side: averaged down and enlarged again; smallest share of the side that is left.
        noise, noise_sd: Gaussian noise; largest standard deviation in grey levels.
        shot_noise, shot_noise_sd: noise that grows with the light; largest standard deviation at white, in grey levels.
        jpeg, jpeg_quality: JPEG compression; lowest quality, 1..95.
    """

    flip: float = 0.5
    vertical_flip: float = 0.0
    rotate: float = 15.0
    scale: float = 0.15
    shift: float = 0.15
    brightness: float = 0.3
    contrast: float = 0.3
    brightness_probability: float = 1.0
    contrast_probability: float = 1.0
    erase: float = 0.5
    erase_area: float = 0.2
    gamma: float = 0.0
    gamma_probability: float = 1.0
    occlude: float = 0.0
    occlude_area: float = 0.35
    blur: float = 0.0
    blur_sigma: float = 2.0
    motion_blur: float = 0.0
    motion_length: float = 7.0
    low_resolution: float = 0.0
    low_resolution_side: float = 0.35
    noise: float = 0.0
    noise_sd: float = 25.0
    shot_noise: float = 0.0
    shot_noise_sd: float = 25.0
    jpeg: float = 0.0
    jpeg_quality: float = 10.0

    def __post_init__(self) -> None:
        in_range("augment.rotate", self.rotate, low=0, high=180)
        shares = ("flip", "vertical_flip", "erase", "erase_area", "occlude", "occlude_area", "blur", "motion_blur")
        tones = ("brightness_probability", "contrast_probability", "gamma_probability")
        for name in (*shares, *tones, "low_resolution", "noise", "shot_noise", "jpeg"):
            in_range(f"augment.{name}", getattr(self, name), low=0, high=1)
        for name in ("blur_sigma", "noise_sd", "shot_noise_sd"):
            in_range(f"augment.{name}", getattr(self, name), above=0, high=255)
        in_range("augment.motion_length", self.motion_length, low=1, high=24)
        in_range("augment.low_resolution_side", self.low_resolution_side, above=0, high=1)
        in_range("augment.jpeg_quality", self.jpeg_quality, low=1, high=95)
        if self.gamma:
            in_range("augment.gamma", self.gamma, low=1, high=5)
        for name in ("scale", "shift", "brightness", "contrast"):
            in_range(f"augment.{name}", getattr(self, name), low=0, below=1)
