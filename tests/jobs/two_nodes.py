"""A job over two simulated machines, one of which dies when three parts are there: python two_nodes.py IN OUT LOADS."""

import sys

from ray.cluster_utils import Cluster

import mien.jobs
from jobs.moody import CountedClassifier, Moody
from mien.jobs import manifest
from mien.recognition.recognizer import Recognizer


def main(folder, out, loads):
    manifest.PART_PICTURES = 4
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    other = nodes.add_node(num_cpus=1)
    killed = []

    def kill(status):
        if status.parts_done >= 3 and not killed:
            killed.append(status.parts_done)
            nodes.remove_node(other, allow_graceful=False)

    try:
        recognizer = Recognizer(CountedClassifier(loads), Moody(seconds=0.1), threads=1)
        running = mien.jobs.Running(cluster=nodes.address, workers=2)
        mien.jobs.run([folder], out, recognizer, running=running, progress=kill)
    finally:
        nodes.shutdown()
    return 0 if killed else 5


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
