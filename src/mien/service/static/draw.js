// Drawing faces on a picture, and expressions over time.

import { EMOTIONS, emotionName } from "./i18n.js";

/** The colour of an expression: a copy of COLOURS in mien/output/colours.py, which a test pins. */
export const COLOURS = {
  angry: "#d55e00", disgust: "#009e73", fear: "#cc79a7", happy: "#f0e442", sad: "#0072b2", surprise: "#56b4e9", neutral: "#e6e6e6",
};

/** Draw an image and the faces in it; mirrored, the words stay readable. */
export function drawPicture(canvas, image, width, height, faces, mirrored = false) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const pen = canvas.getContext("2d");
  pen.save();
  if (mirrored) {
    pen.translate(width, 0);
    pen.scale(-1, 1);
  }
  pen.drawImage(image, 0, 0, width, height);
  pen.restore();
  const unit = Math.max(width, height) / 640;
  for (const face of faces) drawFace(pen, face, unit, width, height, mirrored);
}

function drawFace(pen, face, unit, width, height, mirrored) {
  const [left, y, w, h] = face.box;
  const x = mirrored ? width - left - w : left;
  pen.lineWidth = Math.max(2, 2.5 * unit);
  pen.strokeStyle = COLOURS[face.emotion];
  pen.strokeRect(x, y, w, h);
  drawLabel(pen, face, x, y, unit, width);
  drawBars(pen, face, x, y + h, w, unit, width, height);
}

function drawLabel(pen, face, x, y, unit, width) {
  const size = Math.max(12, 15 * unit);
  const words = label(face);
  pen.font = `600 ${size}px system-ui, sans-serif`;
  const length = pen.measureText(words).width + size;
  const left = Math.max(0, Math.min(x, width - length));
  const top = y >= 1.5 * size ? y - 1.5 * size : y;
  pen.fillStyle = "rgba(0, 0, 0, 0.78)";
  pen.fillRect(left, top, length, 1.5 * size);
  pen.fillStyle = COLOURS[face.emotion];
  pen.fillRect(left, top, 0.25 * size, 1.5 * size);
  pen.fillStyle = "#fff";
  pen.textBaseline = "middle";
  pen.fillText(words, left + 0.5 * size, top + 0.78 * size);
}

function drawBars(pen, face, x, bottom, w, unit, width, height) {
  const thick = Math.max(4, 5 * unit);
  const total = (EMOTIONS.length + 0.5) * thick;
  const top = bottom + total <= height ? bottom : bottom - total;
  const span = Math.min(w, width - x);
  pen.fillStyle = "rgba(0, 0, 0, 0.6)";
  pen.fillRect(x, top, span, total);
  EMOTIONS.forEach((emotion, number) => {
    pen.fillStyle = COLOURS[emotion];
    pen.fillRect(x, top + (number + 0.35) * thick, span * face.probabilities[emotion], 0.8 * thick);
  });
}

/** What is said of a face in one line. */
export function label(face) {
  const person = face.track === null ? "" : `${face.track} · `;
  return `${person}${emotionName(face.emotion)} ${Math.round(100 * face.probabilities[face.emotion])} %`;
}

/** Draw stacked areas of samples {time, probabilities} over the seconds before `now`; gaps of a second stay empty. */
export function drawTimeline(canvas, samples, now, seconds) {
  const [width, height] = [canvas.width, canvas.height];
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  const at = (time) => width * (1 - (now - time) / seconds);
  samples.forEach((sample, number) => {
    const next = samples[number + 1]?.time ?? now;
    const left = at(sample.time);
    const right = at(Math.min(next, sample.time + 1));
    let top = 0;
    for (const emotion of EMOTIONS) {
      const share = sample.probabilities[emotion] * height;
      pen.fillStyle = COLOURS[emotion];
      pen.fillRect(left, top, right - left + 0.5, share + 0.5);
      top += share;
    }
  });
}
