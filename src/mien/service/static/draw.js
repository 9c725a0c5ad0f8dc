// Drawing faces on a picture, and expressions over time.

import { classes, colourOf } from "./classes.js";
import { emotionName } from "./i18n.js";

/** Draw an image and the faces in it; mirrored, the words stay readable. One face may be marked. */
export function drawPicture(canvas, image, width, height, faces, { mirrored = false, marked = -1 } = {}) {
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
  const boxes = faces.map(({ box: [x, y, w, h] }) => [mirrored ? width - x - w : x, y, w, h]);
  faces.forEach((face, number) => {
    pen.lineWidth = Math.max(2, 2.5 * unit) * (number === marked ? 2 : 1);
    pen.strokeStyle = colourOf(face.emotion);
    pen.strokeRect(...boxes[number]);
  });
  const taken = [];
  faces.forEach((face, number) => drawLabel(pen, face, boxes[number], number, unit, width, height, taken));
}

/** A label where no other one is: above the box, below, inside; where there is no room, only its number. */
function drawLabel(pen, face, box, number, unit, width, height, taken) {
  const size = Math.max(12, 15 * unit);
  pen.font = `600 ${size}px system-ui, sans-serif`;
  for (const words of [label(face, number), `${nameOf(face, number)}`]) {
    const place = places(box, pen.measureText(words).width + size, 1.5 * size, width, height).find(
      (one) => !taken.some((other) => overlap(one, other)),
    );
    if (place) {
      taken.push(place);
      writeLabel(pen, words, place, size, colourOf(face.emotion));
      return;
    }
  }
}

function places([x, y, w, h], length, high, width, height) {
  const left = Math.max(0, Math.min(x, width - length));
  const right = Math.max(0, Math.min(x + w - length, width - length));
  return [y - high, y + h, y, y + h - high]
    .flatMap((top) => [left, right].map((start) => [start, top, length, high]))
    .filter(([, top]) => top >= 0 && top + high <= height);
}

function overlap([x, y, w, h], [left, top, width, high]) {
  return x < left + width && left < x + w && y < top + high && top < y + h;
}

function writeLabel(pen, words, [left, top, length, high], size, colour) {
  pen.fillStyle = "rgba(0, 0, 0, 0.78)";
  pen.fillRect(left, top, length, high);
  pen.fillStyle = colour;
  pen.fillRect(left, top, 0.25 * size, high);
  pen.fillStyle = "#fff";
  pen.textAlign = "left"; // where the page is written from right to left, too
  pen.textBaseline = "middle";
  pen.fillText(words, left + 0.5 * size, top + 0.52 * high);
}

/** The face of a box, drawn into a small canvas. */
export function drawCrop(canvas, image, [x, y, w, h], mirrored) {
  const pen = canvas.getContext("2d");
  pen.save();
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (mirrored) {
    pen.translate(canvas.width, 0);
    pen.scale(-1, 1);
  }
  pen.drawImage(image, x, y, w, h, 0, 0, canvas.width, canvas.height);
  pen.restore();
}

function nameOf(face, number) {
  return face.track ?? number;
}

/** What is said of a face in one line: its number, or that of its person, and its expression. */
export function label(face, number) {
  return `${nameOf(face, number)} · ${emotionName(face.emotion)} ${Math.round(100 * face.probabilities[face.emotion])} %`;
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
    for (const emotion of classes()) {
      const share = sample.probabilities[emotion] * height;
      pen.fillStyle = colourOf(emotion);
      pen.fillRect(left, top, right - left + 0.5, share + 0.5);
      top += share;
    }
  });
}
