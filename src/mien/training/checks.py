"""Fail-fast validation: does the network accept the configured input sizes?"""

from mien.errors import ConfigError
from mien.labels import EMOTIONS
from mien.networks import network_entry
from mien.networks.profile import count_macs, outline
from mien.training.config import TrainConfig


def check_network(config: TrainConfig, classes: int = len(EMOTIONS)) -> None:
    """Refuse a network that does not exist, or that does not take faces of the configured sides.

    Args:
        config: the training.
        classes: how many the data set has.

    Raises:
        ConfigError: as said.
    """
    entry = network_entry(config.network)
    channels = config.preprocess.channels
    network = outline(lambda: entry.build(classes, channels))
    for side in sorted({config.preprocess.input_size, *(side for _, side in config.resolutions)}):
        try:
            count_macs(network, side, channels)
        except RuntimeError:
            raise ConfigError(
                f"network {config.network} does not take faces of {side} px: "
                f"set preprocess.input_size={entry.preprocess.input_size} and resolutions=[]"
            ) from None
