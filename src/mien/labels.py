"""The seven expressions: names, class order, and aliases of other data sets.

This is the only module that knows the class order: FER2013's, 0..6 (Goodfellow et al., "Challenges in Representation
Learning", 2013).
"""

from typing import Final

from mien.errors import DataError

EMOTIONS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

VOTE_CLASSES: Final = (*EMOTIONS, "contempt", "unknown", "not_a_face")
"""What FER+'s voters could answer (Barsoum et al., arXiv 1608.01041), in the order of a data set's votes."""

_ALIASES: Final = {
    "anger": "angry",
    "disgusted": "disgust",
    "afraid": "fear",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}


def emotion_index(name: str) -> int:
    """Class number of an emotion by its name, an alias (synonym), or its number as text.

    Case and surrounding blanks do not matter: ``"Happiness"``, ``"happy"`` and ``"3"`` are all 3.

    Raises:
        DataError: the name belongs to no class.
    """
    key = name.strip().lower()
    if key in map(str, range(len(EMOTIONS))):
        return int(key)
    key = _ALIASES.get(key, key)
    if key not in EMOTIONS:
        raise DataError(f"unknown emotion {name!r}: expected one of {', '.join(EMOTIONS)}, or 0..{len(EMOTIONS) - 1}")
    return EMOTIONS.index(key)
