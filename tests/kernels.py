"""Notebooks that tests run by a real kernel."""

import os
import tempfile

from nbclient import NotebookClient
from traitlets.config import Config

from waiting import HANG


def execute(notebook, folder):
    """Run a notebook in a folder; its outputs are put into it.

    Its kernel is reached over sockets in a folder with a short name, for paths of sockets have at most 107 bytes. Ports
    are chosen before it takes them, so that any other process may take them first; Windows has nothing else.
    """
    with tempfile.TemporaryDirectory() as place:
        sockets = {} if os.name == "nt" else {"transport": "ipc", "ip": f"{place}/kernel"}
        limits = dict.fromkeys(("timeout", "startup_timeout", "iopub_timeout"), HANG)
        resources, config = {"metadata": {"path": str(folder)}}, Config(KernelManager=sockets)
        NotebookClient(notebook, kernel_name="python3", resources=resources, config=config, **limits).execute()
