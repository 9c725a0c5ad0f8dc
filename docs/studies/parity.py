"""Row by row: what five student systems did, its value there, and its value here.

    python docs/studies/parity.py            # rewrites the table in docs/claims.md
    python docs/studies/parity.py --check    # ends with 1 where the table is not what it would write

A row works (W) when both values agree. Where they do not, the row is D, and its reason is a sentence of the recipe's
own comment, which is looked up there. Nothing of FER2013 is needed: rows are compared on made-up faces.
"""

import argparse
import csv
import re
import sys
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch
from parity_networks import SECOND
from PIL import Image
from sklearn import metrics as sk
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, MultiStepLR, ReduceLROnPlateau, StepLR

from mien.chart_style import ChartStyle
from mien.data.charts import draw_counts
from mien.data.export import export_data
from mien.data.export_reports import numbered_parts
from mien.data.reading.importing import import_data
from mien.data.splits import held_out_rows
from mien.data.statistics import statistics
from mien.data.store import FaceStore, StoreMeta
from mien.evaluation.classifier import TorchClassifier
from mien.evaluation.comparison import variants_of
from mien.evaluation.comparison_charts import draw_comparison
from mien.evaluation.contenders import read_runs
from mien.evaluation.report import evaluate
from mien.evaluation.report_charts import draw_all
from mien.evaluation.tta import views
from mien.export.onnx import export_onnx
from mien.faces.alignments import align_by_eyes
from mien.faces.haar import HaarDetector
from mien.labels import EMOTIONS
from mien.model.onnx_model import Bundle
from mien.networks import network_entry
from mien.networks.profile import count_parameters, list_layers, outline
from mien.networks.saved import load_network
from mien.preprocess import PreprocessSpec
from mien.recognition.recognizer import Recognizer
from mien.recognition.smoothing import WINDOW, Mode
from mien.training.chart_reporter import ChartReporter
from mien.training.config import TrainConfig, config_from_dict
from mien.training.data import TrainingData
from mien.training.dataset import FaceDataset
from mien.training.engine import train
from mien.training.optimizers import make_optimizer
from mien.training.order import order_of_rows
from mien.training.preview import augmented_variants
from mien.training.recipe import load_config
from mien.training.schedules import learning_rate_factor
from mien.training.stopping import reason_to_end

ROOT = Path(__file__).parents[2]
CLAIMS = ROOT / "docs" / "claims.md"
BEGIN, END = "<!-- parity: python docs/studies/parity.py -->", "<!-- end of parity -->"
TRAINING, PUBLIC, PRIVATE = 28_709, 3_589, 3_589
CLOSE = 1e-4
Values = tuple[object, object]


@dataclass(frozen=True)
class Row:
    """What a system did.

    Args:
        system: "S0" to "S4".
        does: what it did, in words.
        values: its value, and the value here.
        differs: recipe, and the words of its comment that say why the values differ; None where they must agree.
    """

    system: str
    does: str
    values: Callable[[], Values]
    differs: tuple[str, str] | None = None


ROWS: list[Row] = []


def row(
    system: str, does: str, *, differs: tuple[str, str] | None = None
) -> Callable[[Callable[[], Values]], Callable[[], Values]]:
    """Register a function that gives both values."""

    def add(values: Callable[[], Values]) -> Callable[[], Values]:
        ROWS.append(Row(system, does, values, differs))
        return values

    return add


def same(agrees: bool, words: str) -> Values:
    """Both values in the same words where they agree."""
    return words, words if agrees else f"not {words}"


@cache
def work() -> Path:
    """A folder for files that are compared."""
    return Path(mkdtemp(prefix="parity-"))


@cache
def made_up() -> FaceStore:
    """210 faces of seven classes that show as bright bars; Training, PublicTest and PrivateTest."""
    random, labels = np.random.default_rng(0), np.arange(210) % 7
    faces = random.integers(0, 90, (210, 48, 48), np.uint8)
    for face, label in zip(faces, labels, strict=True):
        face[6 * label :][:6] += 120
    usages = np.repeat([0, 1, 2], [140, 35, 35]).astype(np.uint8)
    return FaceStore(faces, labels.astype(np.uint8), usages, StoreMeta(210, "made up", "0" * 64))


@cache
def whole_set() -> FaceStore:
    """As many rows as FER2013 has, all of one black face: enough to count."""
    rows = TRAINING + PUBLIC + PRIVATE
    faces = np.broadcast_to(np.zeros((1, 48, 48), np.uint8), (rows, 48, 48))
    usages = np.repeat([0, 1, 2], [TRAINING, PUBLIC, PRIVATE]).astype(np.uint8)
    return FaceStore(faces, np.arange(rows).astype(np.uint8) % 7, usages, StoreMeta(rows, "counted", "0" * 64))


def small(epochs: int = 1) -> TrainConfig:
    """A training of seconds that holds rows out."""
    values = {
        "network": "mien_s",
        "epochs": epochs,
        "batch_size": 16,
        "precision": "fp32",
        "split": "stratified",
        "select_on": "held_out",
        "preprocess": {"frame_size": 16, "input_size": 12},
        "schedule": {"name": "constant", "warmup_epochs": 0},
    }
    return config_from_dict(values)


@cache
def run() -> Path:
    """A run of `small`, trained for an epoch, and then for another by resuming it."""
    folder = work() / "run"
    data = TrainingData.prepared(made_up(), small())
    for epochs in (1, 2):
        with ChartReporter(folder) as chart:
            train(small(epochs), data, folder, resume=epochs > 1, device="cpu", threads=1, reporter=chart)
    return folder


@cache
def columns() -> tuple[str, ...]:
    """Of the run's log.csv."""
    with (run() / "log.csv").open(newline="", encoding="utf-8") as file:
        return tuple(next(csv.reader(file)))


@cache
def tags() -> tuple[str, ...]:
    """Of the run's TensorBoard."""
    board = EventAccumulator(str(run() / "tensorboard"))
    board.Reload()
    return tuple(board.Tags()["scalars"])


def held(names: tuple[str, ...], wanted: dict[str, str]) -> Values:
    """Whether what a system logged is logged, by its name there and here."""
    return ", ".join(wanted), ", ".join(there for there, here in wanted.items() if here in names)


def settings(name: str, *overrides: str) -> str:
    """What a recipe trains with, in one line."""
    config = load_config(name, overrides)
    best = config.optimizer
    words = [best.name, f"rate {best.learning_rate:g}", f"decay {best.weight_decay:g}", f"batch {config.batch_size}"]
    if best.name in ("sgd", "rmsprop"):
        words.insert(2, f"momentum {best.momentum:g}")
    return ", ".join([*words, f"{config.epochs} epochs"])


def augmentation(name: str) -> str:
    """What a recipe varies."""
    augment = load_config(name).augment
    kinds = ("flip", "vertical_flip", "rotate", "scale", "shift", "brightness", "contrast", "erase")
    return ", ".join(f"{kind} {getattr(augment, kind):g}" for kind in kinds if getattr(augment, kind)) or "none"


def cost(name: str, *, biases: bool = False) -> str:
    """Parameters and multiply-adds of a network."""
    entry = network_entry(name)
    layers = list_layers(outline(entry.build), entry.preprocess.input_size)
    macs = sum(layer.macs + (layer.bias_adds if biases else 0) for layer in layers)
    return f"{count_parameters(outline(entry.build)):,} parameters, {macs / 1e6:.3f} M"


def output(name: str) -> Values:
    """A network's output against its second implementation, with the same weights and drawn statistics."""
    torch.manual_seed(0)
    entry = network_entry(name)
    network = entry.build().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    if name == "deep_emotion":
        nn.init.normal_(network.transformer.affine.weight, std=0.02)
    faces = torch.randn(2, 1, entry.preprocess.input_size, entry.preprocess.input_size)
    with torch.inference_mode():
        apart = (network(faces) - SECOND[name](network, faces)).abs().max().item()
    return same(apart < CLOSE, "the same output")


def rates(name: str, scheduler: Callable[[torch.optim.Optimizer], object], epochs: int, *overrides: str) -> Values:
    """A recipe's rate at the beginning of each epoch against torch's own scheduler."""
    config = load_config(name, overrides)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = scheduler(optimizer)
    random, accuracies, worst = np.random.default_rng(0), [], 0.0
    for epoch in range(epochs):
        ours = learning_rate_factor(config.schedule, epoch * 5, 5, config.epochs, accuracies)
        worst = max(worst, abs(ours - optimizer.param_groups[0]["lr"]))
        accuracies.append(float(random.random()))
        optimizer.step()
        theirs.step(*([accuracies[-1]] if isinstance(theirs, ReduceLROnPlateau) else []))
    return same(worst < 1e-9, f"torch's rates for {epochs} epochs")


def decayed_parameters(name: str) -> str:
    """Which parameters the optimizer of a recipe decays."""
    config = load_config(name)
    network = outline(network_entry(config.network).build)
    plain = [group for group in make_optimizer(network, config.optimizer).param_groups if not group["weight_decay"]]
    return "weights alone" if any(group["params"] for group in plain) else "all"


def exported(format_: str, **options: object) -> Path:
    """The made-up faces, exported."""
    folder = work() / f"{format_}-{len(options)}"
    if not folder.exists():
        export_data(made_up(), folder, format_, **options)
    return folder


def answers() -> tuple[np.ndarray, np.ndarray, dict]:
    """Labels, predictions and report of the run on its PublicTest rows."""
    result = evaluate(TorchClassifier(*load_network(run())), made_up(), "PublicTest")
    return result.labels, result.predictions, result.to_dict()


def scores_are_scikit_learns() -> Values:
    """Precision, recall, F1 and support of each class."""
    labels, predicted, report = answers()
    theirs = sk.classification_report(labels, predicted, target_names=EMOTIONS, output_dict=True, zero_division=0)
    worst = max(
        abs(report["per_class"][emotion][ours] - theirs[emotion][key])
        for emotion in EMOTIONS
        for ours, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score"), ("support", "support"))
    )
    return same(worst < CLOSE, "scikit-learn's report")


def page_names(*sets: str) -> Values:
    """Whether the page of data sets says where some can be had."""
    text = (ROOT / "docs" / "guide" / "data_sets.md").read_text(encoding="utf-8")
    found = [name for name in sets if re.search(rf"\| {re.escape(name)}\b.*https?://", text)]
    return f"where to get {', '.join(sets)}", f"where to get {', '.join(found)}"


row("S0", "links to the data")(lambda: page_names("FER2013"))
row("S0", "table of parameters and multiply-adds")(
    lambda: ("876,887 parameters, 596.898 M", cost("emotion_net", biases=True))
)
row("S0", "network")(lambda: output("emotion_net"))


@row("S0", "64x64, Normalize(0.5, 0.24)")
def _normalised() -> Values:
    face = np.random.default_rng(1).integers(0, 256, (1, 64, 64), np.uint8)
    apart = np.abs(load_config("emotion_net").preprocess.apply(face)[0, 0] - (face[0] / 255 - 0.5) / 0.24).max()
    return same(bool(apart < CLOSE), "(grey / 255 - 0.5) / 0.24")


row("S0", "optimizer")(
    lambda: ("rmsprop, rate 1e-05, momentum 0.9, decay 1e-06, batch 64, 120 epochs", settings("emotion_net"))
)
row("S0", "what is decayed", differs=("emotion_net", "weight decay leaves biases and normalisation alone"))(
    lambda: ("all", decayed_parameters("emotion_net"))
)
row("S0", "StepLR(60, 0.5)")(lambda: rates("emotion_net", lambda o: StepLR(o, 60, 0.5), 120))
row("S0", "200 epochs, StepLR(50, 0.5)")(
    lambda: rates("emotion_net", lambda o: StepLR(o, 50, 0.5), 200, "epochs=200", "schedule.every=50")
)


@row("S0", "early stop after 10 epochs without a lower validation loss")
def _stops() -> Values:
    losses = [2.0, 1.5, *np.linspace(1.6, 1.5, 30)]
    waited, best, theirs = 0, np.inf, 0
    for epoch, loss in enumerate(losses, start=1):
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited == 10:
            theirs = epoch
            break
    config = load_config("emotion_net")
    history = [{"validation_loss": loss, "accuracy": 0.1} for loss in losses]
    ours = next(n for n in range(1, 31) if (reason_to_end(config, history[:n]) or "").startswith("early"))
    return f"ends with epoch {theirs}", f"ends with epoch {ours}"


row("S0", "TensorBoard")(
    lambda: held(tags(), {"loss": "loss", "learning rate": "learning_rate", "validation loss": "validation_loss",
                          "macro F1": "macro_f1"})
)  # fmt: skip


@row("S0", "ONNX export")
def _exports() -> Values:
    return same(exported_model()[1] < CLOSE, "torch's answers")


row("S0", "test on a folder: precision, recall, F1, support")(scores_are_scikit_learns)


@row("S0", "picture of the confusion matrix")
def _confusion() -> Values:
    result = evaluate(TorchClassifier(*load_network(run())), made_up(), "PublicTest")
    drawn = draw_all(result, work(), ChartStyle("png"))
    return same(any(path.stem == "confusion" for path in drawn), "a picture")


@row("S0", "label one picture without face detection")
def _one_picture() -> Values:
    bundle = Bundle.load(exported_model()[0])
    (face,) = Recognizer(bundle, "none").predict(made_up().faces[3])
    expected = bundle.probabilities(made_up().faces[3:4])[0]
    return same(np.abs(np.array(list(face.probabilities.values())) - expected).max() < CLOSE, "the network's answer")


@cache
def exported_model() -> tuple[Path, float]:
    """The run's model file, and how far its answers are from torch's."""
    path = work() / "run.onnx"
    return path, export_onnx(*load_network(run()), path)


row("S0", "augmentation", differs=("emotion_net", "it flipped upside down where it meant left and right"))(
    lambda: ("vertical_flip 0.5, rotate 15, brightness 0.5, contrast 0.5", augmentation("emotion_net"))
)


@row("S1", "fer2013.csv to train.csv and val.csv (PublicTest and PrivateTest merged)")
def _train_val() -> Values:
    folder, store = exported("train_val", encoding="jpg"), made_up()
    expected = "emotion,pixels\n" + "".join(
        f"{store.labels[number]},{' '.join(map(str, store.faces[number].ravel()))}\n" for number in range(140, 210)
    )
    return same((folder / "val.csv").read_text() == expected, "val.csv byte for byte")


@row("S1", "{train,val}/{0..6}/{row:05d}.jpg")
def _folders() -> Values:
    folder, store = exported("train_val", encoding="jpg"), made_up()
    expected = {f"val/{store.labels[140 + number]}/{number:05d}.jpg" for number in range(70)}
    found = {path.relative_to(folder).as_posix() for path in (folder / "val").rglob("*.jpg")}
    Image.fromarray(store.faces[145]).save(work() / "one.jpg", quality=95)
    equal = (folder / "val" / str(store.labels[145]) / "00005.jpg").read_bytes() == (work() / "one.jpg").read_bytes()
    return same(found == expected and equal, "the same names, one picture byte for byte")


@row("S1", "going on from those folders, and from the csvs")
def _again() -> Values:
    again = import_data(exported("train_val", encoding="jpg"), work() / "again-s1")
    return same(np.array_equal(again.faces, made_up().faces) and sum(again.usages) == 70, "the same faces")


@row("S1", "histograms of the classes")
def _histograms() -> Values:
    bars = [bar.get_height() for bar in draw_counts(statistics(made_up())).axes[0].patches]
    counts = Counter(made_up().labels[:140].tolist())
    return [counts[number] for number in range(7)], [int(bar) for bar in bars]


@row("S1", "a figure with 16 augmented samples")
def _samples() -> Values:
    variants = augmented_variants(made_up().faces[0], load_config("resnet"), 16)
    return "16 different ones", f"{len(np.unique(variants.reshape(16, -1), axis=0))} different ones"


for _name, _cost in (("vggnet", "6,016,647 parameters, 48.905 M"), ("resnet", "11,176,839 parameters, 94.347 M")):
    row("S1", f"`{_name}`: cost")(lambda name=_name, stated=_cost: (stated, cost(name)))
    row("S1", f"`{_name}`: network")(lambda name=_name: output(name))
    row("S1", f"`{_name}`: optimizer")(
        lambda name=_name: ("adam, rate 0.001, decay 0, batch 32, 60 epochs", settings(name))
    )
    row("S1", f"`{_name}`: augmentation")(
        lambda name=_name: ("flip 0.5, brightness 0.5, contrast 0.5", augmentation(name))
    )
row("S1", "curves")(
    lambda: held(columns(), {"training loss": "training_loss", "validation loss": "validation_loss",
                             "training accuracy": "training_accuracy", "validation accuracy": "accuracy"})
)  # fmt: skip
row("S1", "validation rows", differs=("vggnet", "PublicTest is no longer merged with PrivateTest for the figure"))(
    lambda: (f"{PUBLIC + PRIVATE:,}", f"{len(whole_set().rows_of(load_config('vggnet').select_on)):,}")
)
row("S1", "folder of a run", differs=("vggnet", "the folder of a run is named by `--run`, not by its accuracy"))(
    lambda: ("named by the accuracy", "named by --run")
)


@row("S2", "70/30 split of train.csv in the order of the file")
def _seventy() -> Values:
    out = len(held_out_rows(whole_set(), load_config("deep_emotion").split))
    return "20,096 and 8,613 rows", f"{TRAINING - out:,} and {out:,} rows"


row("S2", "cost")(lambda: ("66,877 parameters, 3.915 M", cost("deep_emotion")))
row("S2", "network with its spatial transformer")(lambda: output("deep_emotion"))
row("S2", "optimizer")(lambda: ("adamw, rate 0.001, decay 0.1, batch 64, 200 epochs", settings("deep_emotion")))
row("S2", "what is decayed", differs=("deep_emotion", "weight decay leaves biases and normalisation alone"))(
    lambda: ("all", decayed_parameters("deep_emotion"))
)
_MULTISTEP = ("schedule.name=multistep", "schedule.milestones=[10, 20, 50]")
row("S2", "CosineAnnealingLR(200)")(lambda: rates("deep_emotion", lambda o: CosineAnnealingLR(o, 200), 200))
row("S2", "StepLR(10, 0.1)")(lambda: rates("deep_emotion", lambda o: StepLR(o, 10, 0.1), 200, "schedule.name=step"))
row("S2", "MultiStepLR([10, 20, 50], 0.1)")(
    lambda: rates("deep_emotion", lambda o: MultiStepLR(o, [10, 20, 50], 0.1), 200, *_MULTISTEP)
)
row("S2", "ReduceLROnPlateau(max, patience 3)")(
    lambda: rates(
        "deep_emotion",
        lambda o: ReduceLROnPlateau(o, mode="max", factor=0.1, patience=3, eps=0),
        60,
        *("schedule.name=plateau", "schedule.patience=3"),
    )
)
row("S2", "a csv of each run")(
    lambda: held(columns(), {"epoch": "epoch", "loss": "loss", "learning rate": "learning_rate",
                             "training accuracy": "training_accuracy", "test accuracy": "accuracy"})
)  # fmt: skip


@row("S2", "plots of each run, and of each against each")
def _plots() -> Values:
    paths = draw_comparison(variants_of(read_runs([run()])), work(), ChartStyle("png"))
    return same((run() / "curves.png").is_file() and {path.stem for path in paths} == {"curves", "accuracy"}, "drawn")


row("S3", "links to the data")(lambda: page_names("FER2013"))


@row("S3", "emotion.csv and pixels.csv without header")
def _columns() -> Values:
    folder, store = exported("numbered"), made_up()
    labels = np.loadtxt(folder / "emotion.csv", dtype=int)
    pixels = np.loadtxt(folder / "pixels.csv", dtype=int)
    equal = np.array_equal(pixels.reshape(-1, 48, 48), store.faces[:140])
    return same(equal and np.array_equal(labels, store.labels[:140]), "Training as np.loadtxt reads it")


@row("S3", "train_set and verify_set")
def _parts() -> Values:
    return "24,000 and 4,709", " and ".join(f"{len(part):,}" for part in numbered_parts(TRAINING).values())


@row("S3", "{i}.jpg and image_emotion.csv in each")
def _list() -> Values:
    lines = (exported("numbered") / "train_set" / "image_emotion.csv").read_text().splitlines()
    return same(lines == [f"{i}.jpg,{label}" for i, label in enumerate(made_up().labels[:140])], "name,emotion lines")


@row("S3", "going on from those folders")
def _numbered_again() -> Values:
    again = import_data(exported("numbered"), work() / "again-s3")
    return same(np.array_equal(again.faces, made_up().faces[:140]), "the same faces")


@row("S3", "a torch Dataset")
def _dataset() -> Values:
    face, label = FaceDataset(made_up(), "Training")[5]
    equal = np.allclose(face[0].numpy(), made_up().faces[5] / 255) and label == made_up().labels[5]
    return same(equal, "face / 255 and label")


@row("S3", "3x3 Gaussian blur, histogram equalisation")
def _filters() -> Values:
    face = np.random.default_rng(2).integers(90, 160, (1, 48, 48), np.uint8)
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    edged = np.pad(face[0].astype(float), 1, mode="reflect")
    blurred = sum(kernel[i, j] * edged[i : i + 48, j : j + 48] for i in range(3) for j in range(3))
    ours = PreprocessSpec(input_size=48, blur=True).frames(face)[0]
    spread = np.cumsum(np.bincount(face.ravel(), minlength=256))
    least = spread[face.min()]
    table = np.round((spread - least) / (face.size - least) * 255)
    equalised = PreprocessSpec(input_size=48, equalize="histogram").frames(face)[0]
    close = np.abs(ours - blurred).max() <= 1 and np.abs(equalised - table[face[0]]).max() <= 1
    return same(bool(close), "the formulas to a grey level")


row("S3", "faces equalised in training", differs=("face_cnn", "None is set: the report found no gain in it"))(
    lambda: ("equalised", {"none": "as they are"}.get(load_config("face_cnn").preprocess.equalize, "equalised"))
)
for _name, _cost in (
    ("face_cnn", "42,582,919 parameters, 128.469 M"),
    ("vgg_s3", "36,159,399 parameters, 163.746 M"),
    ("cnn_small", "55,735,175 parameters, 121.829 M"),
):
    row("S3", f"`{_name}`: cost")(lambda name=_name, stated=_cost: (stated, cost(name)))
    row("S3", f"`{_name}`: network")(lambda name=_name: output(name))


@row("S3", "`face_cnn`: convolutions drawn from N(0, 0.04)")
def _spread() -> Values:
    torch.manual_seed(0)
    weights = network_entry("face_cnn").build().group3.conv.weight
    return "sd 0.040", f"sd {weights.std().item():.3f}"


row("S3", "`face_cnn`: optimizer")(
    lambda: ("sgd, rate 0.1, momentum 0, decay 0, batch 128, 100 epochs", settings("face_cnn"))
)
row("S3", "the others: optimizer")(
    lambda: ("sgd, rate 0.01, momentum 0.9, decay 0, batch 128, 60 epochs", settings("vgg_s3"))
)


@row("S3", "`face_cnn`: rows are not shuffled")
def _order() -> Values:
    order = order_of_rows(load_config("face_cnn"), torch.arange(50) % 7)
    return same(order.tolist() == list(range(50)), "in the order of the file")


row("S3", "faces of an epoch", differs=("face_cnn", "its last, smaller batch is left out"))(
    lambda: ("24,000", f"{24_000 // load_config('face_cnn').batch_size * load_config('face_cnn').batch_size:,}")
)
for _name in ("vgg_s3", "resnet_s3", "cnn_small"):
    row("S3", f"`{_name}`: RandomHorizontalFlip, ColorJitter(0.5, 0.5)")(
        lambda name=_name: ("flip 0.5, brightness 0.5, contrast 0.5", augmentation(name))
    )
row("S3", "`face_cnn`: augmentation")(lambda: ("none", augmentation("face_cnn")))
row("S3", "accuracy of both sets every 5 epochs")(
    lambda: held(columns(), {"acc_train": "training_accuracy", "acc_val": "accuracy"})
)
row("S3", "loss.jpg, ac.jpg")(lambda: same((run() / "curves.png").stat().st_size > 10_000, "a chart of both"))


@row("S3", "confusion matrix of the validation set")
def _matrix() -> Values:
    result = evaluate(TorchClassifier(*load_network(run())), made_up(), "held-out")
    expected = sk.confusion_matrix(result.labels, result.predictions, labels=range(7))
    return same(np.array_equal(result.confusion, expected) and len(result) == 14, "scikit-learn's, of held-out rows")


@row("S3", "comparison of networks on train.csv")
def _compared() -> Values:
    (variant,) = variants_of(read_runs([run()], "held-out"))
    return same(len(variant.runs[0].labels) == 14, "on the rows held out")


@row("S3", "live: detectMultiScale(gray, 1.3, 5)")
def _haar() -> Values:
    detector = HaarDetector()
    return "1.3, 5", f"{detector._options['scale']:g}, {detector._options['neighbours']}"


@row("S3", "live: most frequent label of the last 10 frames")
def _mode() -> Values:
    labels = np.random.default_rng(4).integers(0, 7, 60)
    mode = Mode()
    for end, label in enumerate(labels, start=1):
        shares = mode.update(np.eye(7)[label], end / 25)
        recent = Counter(labels[max(0, end - 10) : end].tolist())
        if recent[int(shares.argmax())] != max(recent.values()):
            return same(False, "collections.Counter's")
    return same(WINDOW == 10, "collections.Counter's")


@row("S3", "face normalisation: eyes level, d, d, 1.5 d, 0.5 d")
def _eyes() -> Values:
    lines, across = np.mgrid[:200, :200]
    picture = (127 + 60 * np.sin(across / 15) + 60 * np.cos(lines / 19)).astype(np.uint8)
    ours = align_by_eyes(picture, [(76.0, 90.0), (124.0, 90.0), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
    cut = picture[90 - 24 : 90 + 72, 100 - 48 : 100 + 48].reshape(48, 2, 48, 2).mean(axis=(1, 3))
    return same(bool(np.abs(ours - cut).max() < 2), "the same cut, 48x48")


@row("S3", "print(model)")
def _layers() -> Values:
    network = outline(network_entry("face_cnn").build)
    leaves = {name for name, module in network.named_modules() if not any(module.children())}
    return same({layer.name for layer in list_layers(network, 48)} == leaves, "every layer")


row("S3", "weights on disk", differs=("vgg_s3", "whole-model pickles are safetensors"))(
    lambda: ("pickle", "safetensors" if (run() / "best.safetensors").is_file() else "none")
)


@row("S4", "fer2013.tar.gz and csv in")
def _archive() -> Values:
    export_data(made_up(), work() / "fer2013.csv", "csv")
    with tarfile.open(work() / "fer2013.tar.gz", "w:gz") as archive:
        archive.add(work() / "fer2013.csv", "fer2013/fer2013.csv")
    stores = [import_data(work() / f"fer2013.{kind}", work() / f"from-{kind}") for kind in ("csv", "tar.gz")]
    return same(all(np.array_equal(store.faces, made_up().faces) for store in stores), "the same faces")


for _name, _cost in (
    ("resnet18", "11,171,271 parameters, 866.0 M"),
    ("resnet34", "21,279,431 parameters, 1809.7 M"),
    ("senet18", "11,257,663 parameters, 866.1 M"),
    ("densenet", "999,031 parameters, 195.2 M"),
    ("vgg19", "20,037,831 parameters, 599.0 M"),
    ("preact_resnet18", "11,168,455 parameters, 866.0 M"),
    ("preact_resnet34", "21,276,615 parameters, 1809.7 M"),
    ("dla", "16,289,559 parameters, 1610.4 M"),
    ("dpn", "11,566,391 parameters, 1037.3 M"),
):
    row("S4", f"`{_name}`: cost")(
        lambda name=_name, stated=_cost: (stated, re.sub(r"(\.\d)\d\d M", r"\1 M", rounded(cost(name))))
    )


def rounded(text: str) -> str:
    """Multiply-adds to a tenth of a million, as the system states them."""
    return re.sub(r"([\d.]+) M", lambda match: f"{float(match[1]):.1f} M", text)


row("S4", "optimizer")(
    lambda: ("sgd, rate 0.1, momentum 0.9, decay 0.0001, batch 128, 300 epochs", settings("resnet18"))
)
row("S4", "ReduceLROnPlateau(max, 0.75, patience 5)")(
    lambda: rates("resnet18", lambda o: ReduceLROnPlateau(o, mode="max", factor=0.75, patience=5, eps=0), 120)
)


@row("S4", "label smoothing, mixup, random erasing, 40 px")
def _regularised() -> Values:
    config = load_config("resnet18")
    values = config.loss.label_smoothing, config.loss.mixup, config.augment.erase, config.preprocess.input_size
    return (0.1, 1.0, 0.5, 40), values


row("S4", "crops of a face in a step", differs=("resnet18", "a step sees one crop of each face, shifted by chance"))(
    lambda: ("5", "1")
)
row("S4", "mixed precision", differs=("resnet18", "convolutions are computed in bfloat16"))(
    lambda: ("float16", f"precision {load_config('resnet18').precision}")
)


@row("S4", "ten-crop")
def _tencrop() -> Values:
    spec = replace(load_config("resnet18").preprocess, mean=0.0, std=1.0)
    faces = made_up().faces[:2]
    ours = np.stack(list(views(faces, spec, "tencrop"))) * 255
    places = [(0, 0), (0, 8), (8, 0), (8, 8), (4, 4)]
    theirs = [faces[:, None, top : top + 40, left : left + 40] for top, left in places]
    theirs += [crop[..., ::-1] for crop in theirs]
    paired = {tuple(np.rint(view).astype(int).ravel()) for view in ours} == {tuple(crop.ravel()) for crop in theirs}
    return same(paired, "centre, corners and mirror images")


@row("S4", "checkpoint and resume")
def _resumes() -> Values:
    lines = (run() / "log.csv").read_text(encoding="utf-8").splitlines()[1:]
    return same([line.split(",")[0] for line in lines] == ["1", "2"], "goes on from its epoch")


row("S4", "TensorBoard")(lambda: held(tags(), {"loss": "loss", "accuracy": "accuracy", "rate": "learning_rate"}))
row("S4", "evaluation: precision, recall, F1 by class")(scores_are_scikit_learns)


@row("S4", "evaluation: top-1, top-2, confusion")
def _tops() -> Values:
    labels, predicted, report = answers()
    result = evaluate(TorchClassifier(*load_network(run())), made_up(), "PublicTest")
    top2 = sk.top_k_accuracy_score(labels, result.probabilities, k=2, labels=range(7))
    accuracy = sk.accuracy_score(labels, predicted)
    apart = max(abs(report["top2_accuracy"] - top2), abs(report["accuracy"] - accuracy))
    confusion = np.array_equal(report["confusion"], sk.confusion_matrix(labels, predicted, labels=range(7)))
    return same(apart < CLOSE and confusion, "scikit-learn's")


def comment(recipe: str) -> str:
    """The comment at the head of a recipe, one line."""
    folder = ROOT / "src" / "mien" / "training" / "recipes"
    path = folder / f"{recipe}.toml"
    path = path if path.exists() else folder / "s4.toml"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    return " ".join(line.removeprefix("#").strip() for line in lines)


def table() -> tuple[str, int]:
    """The table in Markdown, and how many rows are neither W nor D with a reason."""
    lines = ["| system | what it did | there | here | |", "|---|---|---|---|---|"]
    verdicts: Counter[str] = Counter()
    for entry in ROWS:
        there, here = (str(value) for value in entry.values())
        verdict = "W" if there == here else "M"
        if entry.differs is not None:
            recipe, reason = entry.differs
            stated = there != here and reason in comment(recipe)
            verdict = f"D: {reason}" if stated else "M"
        verdicts[verdict[0]] += 1
        lines.append(f"| {entry.system} | {entry.does} | {there} | {here} | {verdict} |")
    counted = f"{len(ROWS)} rows: {verdicts['W']} work (W), {verdicts['D']} differ for a stated reason (D)"
    missing = verdicts["M"]
    return "\n".join([counted + (f", {missing} are missing (M)" if missing else "") + ".", "", *lines]), missing


def main() -> int:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    text = CLAIMS.read_text(encoding="utf-8")
    written, missing = table()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    found = f"{before}{BEGIN}\n{written}\n{END}{after}"
    if check:
        print("as it would be written" if found == text else "the table of docs/claims.md is another")
        return int(found != text or missing > 0)
    CLAIMS.write_text(found, encoding="utf-8")
    print(written.splitlines()[0])
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
