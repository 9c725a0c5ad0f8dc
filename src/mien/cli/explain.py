"""`mien explain`: where in a face the evidence for its expression lies."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.choices import ExplainMethod
from mien.cli.messages import log, say_written
from mien.cli.options import Align, AsJson, Detector, MinConfidence, MinFace, Model, RunAnywhere, Threads
from mien.cli.tables import print_text
from mien.defaults import DEFAULT_ALIGNMENT, DEFAULT_DETECTOR, DEFAULT_FOLDER, DEFAULT_MODEL, MIN_SCORE
from mien.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mien.media.search import EmptySource
    from mien.media.sources import Sources
    from mien.output.explanation import Explanation
    from mien.output.folder import Names
    from mien.output.recognized import Recognized
    from mien.recognition.classifier import Classifier


def explain(  # noqa: PLR0913, PLR0917 - the options of the command
    pictures: Annotated[
        list[str],
        typer.Argument(metavar="PICTURE...", help="Pictures, folders of them, glob patterns, URLs of pictures."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the overlays and their JSON.")] = DEFAULT_FOLDER,
    emotion: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Show the evidence for this expression too; repeatable."),
    ] = None,
    method: Annotated[
        ExplainMethod | None,
        typer.Option(help="rise: hide parts of the face, any model; grad-cam: gradients, runs only, their default."),
    ] = None,
    model: Model = DEFAULT_MODEL,
    detector: Detector = DEFAULT_DETECTOR,
    min_confidence: MinConfidence = MIN_SCORE,
    min_face: MinFace = None,
    alignment: Align = DEFAULT_ALIGNMENT,
    device: RunAnywhere = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Show where in each face the evidence for its expression lies, and for any other that is named."""
    from mien.media.sources import sort_sources
    from mien.output.folder import Names
    from mien.recognition.pictures import recognize_files
    from mien.recognition.recognizer import Recognizer

    found = sort_sources(pictures)
    left_out, refused = _videos_of(found, pictures)
    for line in (*found.left_out, *left_out):
        log.info("%s", line)
    recognizer = Recognizer(
        _opened(model, method, device, threads),
        detector,
        device=device if model_file(model) else "auto",
        min_confidence=min_confidence,
        min_face=min_face,
        threads=threads,
        alignment=alignment,
    )
    emotions = tuple(emotion or ())
    if unknown := [name for name in emotions if name not in recognizer.header.labels]:
        raise UsageError(f"--emotion {unknown[0]}: expected one of {', '.join(recognizer.header.labels)}")
    names = Names(out, [entry for entry in found.pictures if isinstance(entry, Path)])
    documents, failures = [], 0
    for recognized in recognize_files(recognizer.pipeline, (*found.pictures, *refused), 1):
        document, failed = _explained(recognized, emotions, names, said=not as_json)
        documents.append(document)
        failures += failed
    if as_json:
        typer.echo(json.dumps({**recognizer.header.to_dict(), "pictures": documents}, allow_nan=False))
    if failures:
        log.error("%d of %d failed", failures, len(documents))
        raise typer.Exit(1)


def model_file(model: str) -> bool:
    """Whether onnxruntime runs a model, and not torch."""
    return not (Path(model).is_dir() or Path(model).suffix == ".safetensors")


def _videos_of(found: "Sources", asked: "Sequence[str]") -> "tuple[list[str], list[EmptySource]]":
    """A line for each video that lies beside pictures in a folder or matches a pattern; and those that are named, with
    the reason why they fail.

    Raises:
        UsageError: there are only videos.
    """
    from mien.media.search import EmptySource
    from mien.media.sources import video_name

    named = {Path(source) for source in asked}
    left_out, refused = [], []
    for video in found.videos:
        name = video_name(video)
        error = f"{name} is a video: expected pictures, such as frames of it"
        if not found.pictures:
            raise UsageError(error)
        if isinstance(video, Path) and video not in named:
            left_out.append(f"left out {name}: a video; to explain frames of it, save them as pictures")
        else:
            refused.append(EmptySource(name, error))
    return left_out, refused


def _opened(model: str, method: str | None, device: str, threads: int | None) -> "str | Classifier":
    """What `Recognizer` takes: a model file as it is; a run with its gradients, or without them for ``rise``.

    Raises:
        UsageError: gradients of a model file.
    """
    if model_file(model):
        if method == "grad-cam":
            raise UsageError(f"--method grad-cam needs gradients: {model} is a model file; take rise, or name a run")
        return model
    from mien.evaluation.classifier import TorchClassifier, open_classifier
    from mien.evaluation.grad_cam import GradCam, Plain

    classifier = open_classifier(model, device, threads)
    assert isinstance(classifier, TorchClassifier)
    return Plain(classifier) if method == "rise" else GradCam(classifier)


def _explained(
    recognized: "Recognized", emotions: "Sequence[str]", names: "Names", *, said: bool
) -> tuple[dict[str, Any], bool]:
    """Write the overlay and the JSON of a picture; what it says, and whether it failed."""
    frame = recognized.frame
    if frame.error is not None:
        log.error("%s", frame.error)
        return frame.to_dict(), True
    found = recognized.explain()
    numbered = [{"face": number, **entry.to_dict(*emotions)} for number, entry in enumerate(found)]
    document = {**frame.to_dict(), "faces": numbered}
    if said:
        for number, entry in enumerate(found):
            print_text(f"{frame.source} face {number}: {entry.face.emotion} {entry.face.probability:.0%}")
    if not found:
        log.info("%s: no face", frame.source)
        return document, False
    return document, not _written(found, document, emotions, names.explained(frame.source))


def _written(found: "Sequence[Explanation]", document: dict[str, Any], emotions: "Sequence[str]", target: Path) -> bool:
    from mien.files import write_text
    from mien.output.explanation import draw_explanations
    from mien.output.picture_file import write_picture

    try:
        sheet = write_picture(target.with_name(f"{target.name}.png"), draw_explanations(found, *emotions))
        text = json.dumps(document, allow_nan=False) + "\n"
        say_written([sheet, write_text(target.with_name(f"{target.name}.json"), text, InputError)])
    except InputError as error:
        log.error("%s", error)
        return False
    return True
