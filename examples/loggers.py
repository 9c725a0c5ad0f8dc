"""Train with a logger beside mien's own files: MLflow or Weights & Biases (install `mlflow` or `wandb`).

python examples/loggers.py mlflow|wandb RECIPE DATA RUN

A logger is any object with the four methods of `mien.training.reporter.Reporter`; `SilentReporter` has them all.
"""

import sys
from dataclasses import asdict
from pathlib import Path

from mien.data.store import FaceStore
from mien.training.chart_reporter import ChartReporter
from mien.training.data import TrainingData
from mien.training.engine import train
from mien.training.recipe import load_config
from mien.training.reporter import Reporters, SilentReporter


def figures(entry):
    """What changes from epoch to epoch; the rest of an entry is its number."""
    return {name: float(value) for name, value in entry.items() if name != "epoch"}


class MLflowLogger(SilentReporter):
    """A run of MLflow."""

    def begin(self, config, data, device, epochs_done, faces_per_epoch):
        import mlflow

        self.mlflow = mlflow
        mlflow.start_run(run_name=config.network)
        sections = asdict(config)
        mlflow.log_params({name: value for name, value in sections.items() if not isinstance(value, dict)})
        for section, values in sections.items():
            if isinstance(values, dict):
                mlflow.log_params({f"{section}.{name}": value for name, value in values.items()})

    def epoch_done(self, entry):
        self.mlflow.log_metrics(figures(entry), step=entry["epoch"])

    def end(self, reason):
        self.mlflow.set_tag("ended", reason)
        self.mlflow.end_run()


class WandbLogger(SilentReporter):
    """A run of Weights & Biases."""

    def begin(self, config, data, device, epochs_done, faces_per_epoch):
        import wandb

        self.run = wandb.init(project="mien", name=config.network, config=asdict(config))

    def epoch_done(self, entry):
        self.run.log(figures(entry), step=entry["epoch"])

    def end(self, reason):
        self.run.summary["ended"] = reason
        self.run.finish()


LOGGERS = {"mlflow": MLflowLogger, "wandb": WandbLogger}


def main():
    logger, recipe, data, run = sys.argv[1:]
    config = load_config(recipe)
    training_data = TrainingData.prepared(FaceStore.open(data), config)
    with ChartReporter(Path(run)) as chart:  # draws curves.png, as `mien train` does
        train(config, training_data, Path(run), resume=True, reporter=Reporters(LOGGERS[logger](), chart))


if __name__ == "__main__":
    main()
