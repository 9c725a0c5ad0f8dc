// The page: what its buttons do.

import { checkAccess, keepToken, predict, resultsHeader, TokenNeeded } from "./api.js";
import { Camera } from "./camera.js";
import { drawPicture } from "./draw.js";
import { preferredLanguage, text, useLanguage } from "./i18n.js";
import { showFaces, showLegend, Timelines } from "./people.js";
import { save, toCsv } from "./results.js";

const AT_ONCE = 8;
const AT_ONCE_BYTES = 16 * 2 ** 20;
const MOST_FRAMES = 20_000;

const $ = (id) => document.getElementById(id);
const canvas = $("canvas");
const timelines = new Timelines($("timelines"));

/** What is shown: pictures with their frames, or the frames of a live stream; `current` is the frame on the
 * stage, `task` the number of the newest thing that was asked for. */
const state = { pictures: [], frames: [], current: null, camera: null, mirrored: true, answered: [], task: 0 };

function say(key, values) {
  $("status").textContent = text(key, values);
}

/** Do something that may fail, and say so when it does; a token that is missing is asked for first. */
async function attempt(action, key = "failed") {
  try {
    await action();
  } catch (error) {
    if (error instanceof TokenNeeded) askForToken(() => attempt(action, key));
    else say(key, { reason: error.message });
  }
}

function askForToken(then) {
  const dialog = $("token-dialog");
  dialog.onclose = () => {
    if (!dialog.returnValue) return;
    keepToken($("token").value);
    then();
  };
  dialog.returnValue = "";
  dialog.showModal();
}

// Pictures

async function lookAt(pictures) {
  if (!pictures.length) return;
  stopCamera();
  const task = ++state.task;
  say("working");
  const frames = [];
  for (const portion of portions(pictures)) frames.push(...(await framesOf(portion)));
  if (task !== state.task) return;
  state.pictures = pictures;
  state.frames = frames;
  showPictureList();
  await showPicture(Math.max(0, frames.findIndex((frame) => !frame.error)));
  const faces = frames.reduce((sum, frame) => sum + frame.faces.length, 0);
  say("found", { faces, pictures: pictures.length });
}

/** Pictures in portions that a request may hold. */
function portions(pictures) {
  const found = [];
  let bytes = Infinity;
  for (const picture of pictures) {
    if (bytes + picture.size > AT_ONCE_BYTES || found.at(-1).length === AT_ONCE) {
      found.push([]);
      bytes = 0;
    }
    found.at(-1).push(picture);
    bytes += picture.size;
  }
  return found;
}

/** The frames of one portion; when it is refused, the others are not lost. */
async function framesOf(pictures) {
  try {
    return await predict(pictures);
  } catch (error) {
    if (error instanceof TokenNeeded) throw error;
    const empty = { index: 0, time: null, width: 0, height: 0, faces: [], error: error.message };
    return pictures.map(({ name }) => ({ source: name, ...empty }));
  }
}

function showPictureList() {
  const buttons = state.pictures.map((file, number) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: file.name });
    button.onclick = () => attempt(() => showPicture(number));
    return button;
  });
  $("pictures").replaceChildren(...buttons);
  $("pictures").hidden = buttons.length < 2;
}

async function showPicture(number) {
  const frame = state.frames[number];
  [...$("pictures").children].forEach((button, index) => button.setAttribute("aria-pressed", index === number));
  if (frame.error) throw new Error(frame.error);
  const image = await createImageBitmap(state.pictures[number]);
  drawPicture(canvas, image, frame.width, frame.height, frame.faces);
  show(frame);
  state.current = { frame, image };
}

function show(frame) {
  $("stage").classList.remove("empty");
  showFaces($("people"), frame.faces);
  $("nobody").textContent = text("nobody");
  $("nobody").hidden = frame.faces.length > 0;
  for (const id of ["save-picture", "save-csv", "save-json"]) $(id).disabled = false;
}

// Camera

async function startCamera() {
  const task = ++state.task;
  await checkAccess();
  const camera = await Camera.open({ onResult: showResult, onEnd: connectionLost });
  if (task !== state.task) {
    camera.close();
    return;
  }
  Object.assign(state, { camera, frames: [], pictures: [], answered: [], current: null });
  showPictureList();
  timelines.clear();
  $("history").hidden = false;
  showCameraButtons();
  camera.onPicture(() => animate(camera));
}

function stopCamera() {
  if (!state.camera) return;
  state.camera.close();
  state.camera = null;
  showCameraButtons();
  say("stopped");
}

function connectionLost(reason) {
  stopCamera();
  say("lost", { reason });
}

function showCameraButtons() {
  $("camera").dataset.text = state.camera ? "stopCamera" : "startCamera";
  $("camera").textContent = text($("camera").dataset.text);
  for (const id of ["pause", "mirror", "snapshot"]) $(id).hidden = !state.camera;
  $("save-picture").hidden = Boolean(state.camera);
  $("pause").setAttribute("aria-pressed", "false");
}

/** Draw every picture of the camera with the newest faces. */
function animate(camera) {
  if (state.camera !== camera) return;
  drawPicture(canvas, camera.video, camera.width, camera.height, state.current?.frame.faces ?? [], state.mirrored);
  camera.onPicture(() => animate(camera));
}

function showResult(frame, delay) {
  if (frame.error) {
    say("failed", { reason: frame.error });
    return;
  }
  state.current = { frame };
  if (state.frames.length < MOST_FRAMES) state.frames.push(frame);
  timelines.add(frame);
  show(frame);
  canvas.dataset.results = state.frames.length;
  if (!state.camera.paused) sayRate(delay);
}

function sayRate(delay) {
  const now = performance.now();
  state.answered = [...state.answered.filter((time) => now - time < 2000), now];
  if (now - (sayRate.last ?? 0) < 1000) return;
  sayRate.last = now;
  const rate = ((state.answered.length - 1) * 1000) / Math.max(1, now - state.answered[0]);
  say("live", { rate: rate.toFixed(1), delay: Math.round(delay) });
}

function togglePause() {
  const { camera } = state;
  if (camera.paused) camera.resume();
  else camera.pause();
  $("pause").setAttribute("aria-pressed", camera.paused);
  if (camera.paused) say("paused");
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
  $("camera").onclick = () => (state.camera ? stopCamera() : attempt(startCamera, "noCamera"));
  $("pause").onclick = togglePause;
  $("mirror").onclick = toggleMirror;
  $("snapshot").onclick = savePicture;
  $("save-picture").onclick = savePicture;
  $("save-csv").onclick = () => save(new Blob([toCsv(state.frames)], { type: "text/csv" }), "mien.csv");
  $("save-json").onclick = () =>
    save(new Blob([JSON.stringify({ ...resultsHeader(), frames: state.frames }, null, 2)], { type: "application/json" }), "mien.json");
  $("token-cancel").onclick = () => $("token-dialog").close("");
  $("language").onchange = () => speak($("language").value);
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
    attempt(() => lookAt(files));
  };
}

function speak(language) {
  useLanguage(language);
  showLegend($("legend"));
  if (!state.current) return;
  show(state.current.frame);
  if (state.current.image) {
    const { frame, image } = state.current;
    drawPicture(canvas, image, frame.width, frame.height, frame.faces);
  }
}

connect();
$("language").value = preferredLanguage();
speak($("language").value);
