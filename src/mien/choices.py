"""What a caller may choose, by name: one list for Python, command line and service. `mien.defaults` has the defaults.

Light, so that the command line can name its choices before numpy, OpenCV or torch is loaded. What a name stands for is
said by a table in the room that does it; tests/test_choices.py holds each table to its list here.
"""

from typing import Final, Literal, get_args

ModelDevice = Literal["auto", "cpu", "cuda", "directml", "coreml"]
"""Where onnxruntime may run a model file; ``auto``: on the GPU where CUDA starts, else on the CPU."""

TrainingDevice = Literal["auto", "cpu", "cuda", "mps"]
"""Where torch may run a network; ``auto``: the first that is there of cuda, mps, cpu."""

AnyDevice = Literal["auto", "cpu", "cuda", "mps", "directml", "coreml"]
"""Where one of the two may."""

MODEL_DEVICES: Final[tuple[str, ...]] = get_args(ModelDevice)
TRAINING_DEVICES: Final[tuple[str, ...]] = get_args(TrainingDevice)

DetectorName = Literal["yunet", "haar", "none"]
"""Face detectors; ``none``: every image is a face crop."""

DETECTORS: Final[tuple[str, ...]] = get_args(DetectorName)

Alignment = Literal["fer2013", "eyes"]
"""How faces with landmarks are framed: as FER2013's are, or by their eyes alone."""

ALIGNMENTS: Final[tuple[str, ...]] = get_args(Alignment)

Preference = Literal["largest", "central"]
"""Which faces are kept where there are more than are wanted."""

PREFERENCES: Final[tuple[str, ...]] = get_args(Preference)

SMALLEST_FACE: Final = 12
"""Height in pixels from which faces may be asked for: what YuNet sees at all."""

MOST_YAW: Final = 90
"""Degrees by which a face may be turned that is still asked for: profile."""

MOST_WORKERS: Final = 256
"""Processes of one command; each takes some 100 MB, and what its picture takes."""

FACE_SIDES: Final = (48, 112)
"""Sides in pixels at which faces of pictures may be kept: from FER2013's on."""

ExplainMethod = Literal["rise", "grad-cam"]
"""How an answer is explained: by hiding parts of the face, or by gradients, which only runs in torch have."""

OWN_RAY: Final = "local"
"""Instead of the address of a Ray cluster: one of one's own on this machine."""

SmoothingName = Literal["auto", "symmetric", "ema", "mode", "none"]
"""Temporal smoothing of expressions in videos; ``auto``: ``symmetric`` for files, ``ema`` for live sources."""

SMOOTHINGS: Final[tuple[str, ...]] = get_args(SmoothingName)

CausalSmoothing = Literal["auto", "ema", "mode", "none"]
"""Those that do not look ahead: of live streams, each of whose pictures is answered at once."""

RowFormat = Literal["table", "json", "jsonl", "csv", "parquet"]
"""How `mien predict` writes rows to standard output; ``table``: for people."""

SortedAs = Literal["copy", "link"]
"""How `mien predict --sort` puts pictures into folders."""

Usage = Literal["Training", "PublicTest", "PrivateTest"]
"""FER2013's three parts. PublicTest is the validation set, PrivateTest the test set for the one final figure."""

USAGES: Final[tuple[str, ...]] = get_args(Usage)
TEST_USAGES: Final = USAGES[1:]

EvaluatedUsage = Literal["Training", "PublicTest", "PrivateTest", "held-out", "all"]
"""Rows that a model is evaluated on: one of the parts, the Training rows that its training held out, or every row."""

HELD_OUT: Final = "held-out"
ALL_ROWS: Final = "all"

AnswerClasses = Literal["all", "present"]
"""Classes that a model may answer in an evaluation: all of its own, or those that have faces among the rows."""

TableFormat = Literal["csv", "md", "tex"]
"""Tables for a spreadsheet, a page or a paper."""

ChartFormat = Literal["png", "svg", "pdf"]

TtaMode = Literal["none", "flip", "tencrop"]
"""``none``: the plain input; ``flip``: and its mirror image; ``tencrop``: centre, corners, and their mirror images."""

TTA_MODES: Final[tuple[str, ...]] = get_args(TtaMode)

Targets = Literal["fer2013", "ferplus"]
"""Ground truth of an evaluation: FER2013's labels, or the majority of FER+'s votes where there is one."""

TARGETS: Final[tuple[str, ...]] = get_args(Targets)

Split = Literal["official", "first_24000", "ordered_70_30", "stratified", "stratified_folds", "grouped_folds"]
"""Validation splits: ways to hold out Training rows for choosing the epoch; see `mien.data.splits.held_out_rows`."""

SPLITS: Final[tuple[str, ...]] = get_args(Split)
FOLD_SPLITS: Final = ("stratified_folds", "grouped_folds")
"""Those that hold out one fold of several (cross-validation)."""

FOLDS: Final = 10
"""How many by default."""

FolderLayout = Literal["raf-db", "expw", "imagefolder", "numbered", "splits", "jaffe", "classes"]
"""How labelled pictures lie in a folder, in the order in which it is looked for."""

FOLDER_LAYOUTS: Final[tuple[str, ...]] = get_args(FolderLayout)

CLASS_MAPS: Final = ("fer2013", "raf-db", "affectnet", "affectnet8", "ck+48", "jaffe")
"""Class maps: how other data sets call their classes."""

ClassSet = Literal["auto", "keep", "fer2013", "ferplus"]
"""Which classes an imported data set has; ``auto``: FER2013's or FER+'s where all names mean them, else its own."""

CLASS_SETS: Final[tuple[str, ...]] = get_args(ClassSet)
AUTO_CLASSES: Final = "auto"
KEEP_CLASSES: Final = "keep"

ExportFormat = Literal["folders", "numbered", "train_val", "csv", "npz", "parquet", "imagefolder"]
"""Formats of `mien data export`."""

EXPORT_FORMATS: Final[tuple[str, ...]] = get_args(ExportFormat)

PictureEncoding = Literal["png", "jpg"]
"""Of pictures that a data set is exported as, the default first."""

PICTURE_ENCODINGS: Final[tuple[str, ...]] = get_args(PictureEncoding)

CLEANING_RULES: Final = (
    "leaks", "conflicts", "constant", "copies", "near-leaks", "near-copies", "no-face", "mislabelled",
)  # fmt: skip
"""By which rows may be left out of a data set, in the order in which they are applied."""
