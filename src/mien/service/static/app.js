// The page: what its buttons do.

import { askForToken, lacksToken } from "./access.js";
import { checkAccess, isModel, predict, resultsHeader, useModel } from "./api.js";
import { Camera } from "./camera.js";
import { drawCrop, drawPicture } from "./draw.js";
import { inWords, kindOf, objection, portions, summary } from "./files.js";
import { preferredLanguage, text, useLanguage } from "./i18n.js";
import { markCard, showFaces, showLegend, Timelines } from "./people.js";
import { save, toCsv } from "./results.js";
import { Video } from "./video.js";

const MOST_FRAMES = 20_000;

const $ = (id) => document.getElementById(id);
const canvas = $("canvas");
const timelines = new Timelines($("timelines"));

/** What is shown: pictures with their frames, a video, or the frames of a live stream; `current` is the frame on the
 * stage and its image, `task` the number of the newest thing that was asked for. */
const state = { pictures: [], frames: [], current: null, camera: null, video: null, mirrored: true, marked: -1, answered: [], task: 0 };

/** Words that are said again when the language changes: `words` makes them. */
const said = { status: () => "", alert: () => "" };

function say(words) {
  said.status = words;
  $("status").textContent = words();
  $("status").classList.toggle("live", Boolean(state.camera && !state.camera.paused));
}

function warn(words) {
  said.alert = words;
  $("alert").textContent = words();
  $("alert").hidden = !$("alert").textContent;
}

/** Do something that may fail, and say so when it does; a token that is missing is asked for first. */
async function attempt(action, explained = (error) => inWords(error, error.file ?? "")) {
  try {
    await action();
  } catch (error) {
    showProgress(0, 0);
    say(() => "");
    if (lacksToken(error)) askForToken(() => attempt(action, explained), () => warn(() => text("noToken")));
    else warn(() => explained(error));
  }
}

// Files

/** Look at files that were chosen, dropped or pasted: at the first video, or else at all pictures. */
async function lookAt(files) {
  if (!files.length) return;
  const model = files.find(isModel);
  if (model) {
    await changeModel(model);
    return;
  }
  const objections = files.map(objection).filter(Boolean);
  warn(() => files.map(objection).filter(Boolean).slice(0, 3).join(" "));
  if (objections.length === files.length) return;
  stopCamera();
  state.video?.close();
  state.video = null;
  clear();
  const good = files.filter((file) => !objection(file));
  const video = good.find((file) => kindOf(file) === "video");
  if (video && good.length > 1) {
    const objected = said.alert;
    warn(() => [objected(), text("oneVideo", { name: video.name })].filter(Boolean).join(" "));
  }
  await (video ? lookAtVideo(video) : lookAtPictures(good));
}

/** Read expressions with another model from now on; what was read with the one before goes. */
async function changeModel(file) {
  warn(() => "");
  const name = await useModel(file);
  ++state.task;
  stopCamera();
  state.video?.close();
  state.video = null;
  clear();
  clearTimelines();
  $("people").replaceChildren();
  showLegend($("legend"));
  say(() => text("modelUsed", { name }));
}

async function lookAtPictures(pictures) {
  const task = ++state.task;
  const frames = [];
  for (const portion of portions(pictures)) {
    say(() => text("progress", { done: frames.length, total: pictures.length }));
    showProgress(frames.length, pictures.length);
    frames.push(...(await framesOf(portion)));
    if (task !== state.task) return;
  }
  showProgress(0, 0);
  Object.assign(state, { pictures, frames });
  showPictureList();
  $("downloads").hidden = false;
  await showPicture(Math.max(0, frames.findIndex((frame) => !frame.error)));
  say(() => summary(frames));
}

/** The frames of one portion; when it is refused, the others are not lost. */
async function framesOf(pictures) {
  try {
    return await predict(pictures);
  } catch (error) {
    if (lacksToken(error)) throw error;
    const empty = { index: 0, time: null, width: 0, height: 0, faces: [], error: error.message };
    return pictures.map(({ name }) => ({ source: name, ...empty, words: () => inWords(error, name) }));
  }
}

function showProgress(done, total) {
  $("progress").hidden = total < 2;
  Object.assign($("progress"), { max: Math.max(1, total), value: done });
}

function showPictureList() {
  const buttons = state.pictures.map((file, number) => {
    const button = Object.assign(document.createElement("button"), { type: "button", title: file.name });
    const failed = Boolean(state.frames[number].error);
    const image = Object.assign(document.createElement("img"), { alt: file.name, loading: "lazy" });
    if (failed) button.textContent = file.name;
    else image.src = URL.createObjectURL(file);
    image.onload = () => URL.revokeObjectURL(image.src);
    if (!failed) button.append(image);
    button.classList.toggle("failed", failed);
    button.onclick = () => attempt(() => showPicture(number));
    return button;
  });
  $("pictures").replaceChildren(...buttons);
  $("pictures").hidden = buttons.length < 2;
}

async function showPicture(number) {
  const frame = state.frames[number];
  [...$("pictures").children].forEach((button, index) => button.setAttribute("aria-pressed", index === number));
  if (frame.error) {
    clearStage();
    warn(frame.words ?? (() => text("unreadable", { name: frame.source })));
    return;
  }
  if (frame !== state.frames.find((one) => !one.error)) warn(() => "");
  const image = await createImageBitmap(state.pictures[number]);
  state.current = { frame, image };
  show(frame);
  redraw();
}

async function lookAtVideo(file) {
  const task = ++state.task;
  const video = new Video(file, () => state.video === video && showMoment());
  Object.assign(state, { video, pictures: [] });
  clearTimelines({ whole: true });
  await readThrough(video, (frame) => {
    if (task !== state.task) return;
    if (frame.error) {
      warn(() => text("unreadableVideo", { name: file.name }));
      return;
    }
    state.frames = video.frames;
    $("scrub").max = video.seconds;
    timelines.add(frame);
    if (!state.current) showMoment();
    say(() => text("reading", { time: video.seconds.toFixed(1) }));
  });
  if (task !== state.task) return;
  state.frames = video.frames;
  timelines.show();
  $("scrub").hidden = $("history").hidden = !video.frame;
  $("downloads").hidden = false;
  say(() => summary(video.frames.slice(0, 1)));
  showMoment();
}

/** Read a video; an error tells which one. */
async function readThrough(video, onFrame) {
  try {
    await video.read(onFrame);
  } catch (error) {
    throw Object.assign(error, { file: video.file.name });
  }
}

/** Begin the timelines anew: of the last seconds, or of a whole video. */
function clearTimelines({ whole = false } = {}) {
  timelines.clear({ whole });
  $("timeline-title").dataset.text = whole ? "wholeTimeline" : "timeline";
  $("timeline-title").textContent = text($("timeline-title").dataset.text);
}

/** Draw the moment of the video that is shown. */
function showMoment() {
  const { video } = state;
  if (!video.frame || video.element.readyState < 2) return;
  state.current = { frame: video.frame, image: video.element };
  show(video.frame);
  redraw();
  if (!$("scrub").hidden) say(() => summary([video.frame]));
}

/** Take away what was shown: nothing of it may be saved under the name of another file. */
function clear() {
  Object.assign(state, { pictures: [], frames: [] });
  $("downloads").hidden = $("pictures").hidden = $("scrub").hidden = $("history").hidden = true;
  clearStage();
}

function clearStage() {
  state.current = null;
  $("stage").classList.add("empty");
  $("save-picture").disabled = true;
  showFaces($("people"), [], () => {}, mark);
  $("nobody").textContent = text("nobodyYet");
  $("nobody").hidden = false;
}

function show(frame) {
  $("stage").classList.remove("empty");
  showFaces($("people"), frame.faces, cropped, mark);
  $("nobody").textContent = text("nobody");
  $("nobody").hidden = frame.faces.length > 0;
  $("save-picture").disabled = false;
}

function cropped(into, face) {
  const { frame, image } = state.current;
  const source = image ?? state.camera.video;
  const scale = (source.videoWidth || source.width) / frame.width;
  drawCrop(into, source, face.box.map((side) => side * scale), Boolean(state.camera) && state.mirrored);
}

function redraw() {
  if (!state.current?.image) return;
  const { frame, image } = state.current;
  drawPicture(canvas, image, frame.width, frame.height, frame.faces, { marked: state.marked });
}

/** Mark a face on the stage and its card. */
function mark(number) {
  if (number === state.marked) return;
  state.marked = number;
  markCard($("people"), number);
  redraw();
}

/** The number of the face under the pointer, the smallest box first; -1 when there is none. */
function faceAt(event) {
  const faces = state.current?.frame.faces ?? [];
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const scale = Math.max(canvas.width / width, canvas.height / height); // the picture is fitted into its place
  const x = (event.clientX - left - width / 2) * scale + canvas.width / 2;
  const y = (event.clientY - top - height / 2) * scale + canvas.height / 2;
  const under = faces.filter(({ box }) => x >= box[0] && y >= box[1] && x < box[0] + box[2] && y < box[1] + box[3]);
  return faces.indexOf(under.at(-1));
}

// Camera

async function startCamera() {
  const task = ++state.task;
  await checkAccess();
  warn(() => "");
  const camera = await Camera.open({ onResult: showResult, onEnd: connectionLost });
  if (task !== state.task) {
    camera.close();
    return;
  }
  state.video?.close();
  clear();
  Object.assign(state, { camera, video: null, answered: [] });
  clearTimelines();
  $("history").hidden = false;
  showCameraButtons();
  camera.onPicture(() => animate(camera));
}

function stopCamera() {
  if (!state.camera) return;
  state.camera.close();
  state.camera = null;
  showCameraButtons();
  say(() => text("stopped"));
}

function connectionLost(reason, opened) {
  stopCamera();
  say(() => "");
  warn(() => (opened ? text("lost", { reason }) : text("noStream")));
}

function showCameraButtons() {
  $("camera").dataset.text = state.camera ? "stopCamera" : "startCamera";
  $("camera").textContent = text($("camera").dataset.text);
  $("camera").classList.toggle("first", Boolean(state.camera));
  $("choose").classList.toggle("first", !state.camera);
  for (const id of ["pause", "mirror", "snapshot"]) $(id).hidden = !state.camera;
  $("save-picture").hidden = Boolean(state.camera);
  $("pause").setAttribute("aria-pressed", "false");
}

/** Draw every picture of the camera with the newest faces. */
function animate(camera) {
  if (state.camera !== camera) return;
  drawPicture(canvas, camera.video, camera.width, camera.height, state.current?.frame.faces ?? [], {
    mirrored: state.mirrored,
    marked: state.marked,
  });
  camera.onPicture(() => animate(camera));
}

function showResult(frame, delay) {
  if (frame.error) {
    warn(() => text("failed", { reason: frame.error }));
    return;
  }
  state.current = { frame };
  if (state.frames.length < MOST_FRAMES) state.frames.push(frame);
  timelines.add(frame);
  show(frame);
  $("downloads").hidden = false;
  canvas.dataset.results = state.frames.length;
  if (!state.camera.paused) sayRate(delay);
}

function sayRate(delay) {
  const now = performance.now();
  state.answered = [...state.answered.filter((time) => now - time < 2000), now];
  if (state.answered.length < 2 || now - (sayRate.last ?? 0) < 1000) return;
  sayRate.last = now;
  const rate = ((state.answered.length - 1) * 1000) / Math.max(1, now - state.answered[0]);
  say(() => text("live", { rate: rate.toFixed(1), delay: Math.round(delay) }));
}

function togglePause() {
  const { camera } = state;
  if (camera.paused) camera.resume();
  else camera.pause();
  $("pause").setAttribute("aria-pressed", camera.paused);
  if (camera.paused) say(() => text("paused"));
}

function toggleMirror() {
  state.mirrored = !state.mirrored;
  $("mirror").setAttribute("aria-pressed", state.mirrored);
}

// Downloads

function savePicture() {
  canvas.toBlob((blob) => save(blob, "mien.png"), "image/png");
}

function connect() {
  $("choose").onclick = () => $("file").click();
  $("file").onchange = () => {
    const files = [...$("file").files];
    $("file").value = ""; // so that the same file may be chosen again
    attempt(() => lookAt(files));
  };
  $("camera").onclick = () => (state.camera ? stopCamera() : attempt(startCamera, (error) => text("noCamera", { reason: error.message })));
  $("pause").onclick = togglePause;
  $("mirror").onclick = toggleMirror;
  $("snapshot").onclick = savePicture;
  $("save-picture").onclick = savePicture;
  $("save-csv").onclick = () => save(new Blob([toCsv(state.frames)], { type: "text/csv" }), "mien.csv");
  $("save-json").onclick = () =>
    save(new Blob([JSON.stringify({ ...resultsHeader(), frames: state.frames }, null, 2)], { type: "application/json" }), "mien.json");
  $("language").onchange = () => speak($("language").value);
  $("sample").onclick = (event) => {
    event.stopPropagation();
    attempt(async () => {
      const answer = await fetch(new URL("sample.jpg", import.meta.url));
      await lookAt([new File([await answer.blob()], "sample.jpg", { type: "image/jpeg" })]);
    });
  };
  $("stage").onclick = (event) => {
    if ($("stage").classList.contains("empty")) $("file").click();
    else $("people").children[faceAt(event)]?.querySelector("summary").focus();
  };
  canvas.onmousemove = (event) => state.camera || mark(faceAt(event));
  canvas.onmouseleave = () => mark(-1);
  $("scrub").oninput = () => state.video?.seek(Number($("scrub").value));
  document.onpaste = ({ clipboardData }) => {
    const files = [...clipboardData.files];
    attempt(() => lookAt(files));
  };
  document.ondragover = (event) => {
    event.preventDefault();
    $("stage").classList.add("target");
  };
  document.ondragleave = () => $("stage").classList.remove("target");
  document.ondrop = (event) => {
    event.preventDefault();
    $("stage").classList.remove("target");
    const files = [...event.dataTransfer.files];
    if (files.length) attempt(() => lookAt(files));
    else warn(() => text("noFile"));
  };
}

function speak(language) {
  useLanguage(language);
  showLegend($("legend"));
  say(said.status);
  warn(said.alert);
  timelines.show();
  if (!state.current) return;
  show(state.current.frame);
  redraw();
}

connect();
$("language").value = preferredLanguage();
speak($("language").value);
checkAccess().then(
  () => showLegend($("legend")),
  () => {}, // asked again with the first picture
);
