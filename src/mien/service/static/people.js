// The faces beside the picture: a card with bars for each, and a timeline for each person of a live stream.

import { classes, colourOf } from "./classes.js";
import { drawTimeline } from "./draw.js";
import { emotionName, text } from "./i18n.js";

const SECONDS = 30;
const LEAST_SECONDS = 1;
const PAUSE = 200;

const element = (name, className, words = "") => Object.assign(document.createElement(name), { className, textContent: words });

/** Show a card for each face; cards are reused, so that assistive technology is not told the same again and again.
 * `crop(canvas, face)` draws the face; `mark(number)` is called with the card that is pointed at, or -1. */
export function showFaces(list, faces, crop, mark) {
  while (list.children.length > faces.length) list.lastChild.remove();
  while (list.children.length < faces.length) list.append(card(list.children.length, mark));
  faces.forEach((face, number) => fill(list.children[number], face, number, crop));
}

/** Mark the card of a face. */
export function markCard(list, marked) {
  [...list.children].forEach((item, number) => item.classList.toggle("marked", number === marked));
}

function card(number, mark) {
  const item = element("li", "card");
  const details = element("details", "");
  const summary = element("summary", "");
  const crop = Object.assign(document.createElement("canvas"), { width: 96, height: 96, className: "crop" });
  const words = element("div", "");
  words.append(element("h3", ""), element("p", "verdict"), element("p", "second"));
  summary.append(crop, words);
  details.append(summary, element("dl", "bars"));
  item.append(details);
  for (const name of ["mouseenter", "focusin"]) item.addEventListener(name, () => mark(number));
  for (const name of ["mouseleave", "focusout"]) item.addEventListener(name, () => mark(-1));
  for (const emotion of classes()) {
    const bar = element("span", "bar");
    bar.style.background = colourOf(emotion);
    const value = element("dd", "");
    value.append(bar, element("span", "value"));
    details.lastChild.append(element("dt", ""), value);
  }
  return item;
}

const percent = (share) => Math.round(100 * share);

function fill(item, face, number, crop) {
  const [title, verdict, second] = item.querySelector("summary div").children;
  const bars = item.querySelector("dl").children;
  const ranked = classes().filter((emotion) => emotion !== face.emotion);
  ranked.sort((one, other) => face.probabilities[other] - face.probabilities[one]);
  title.textContent = face.track === null ? text("face", { number }) : text("person", { number: face.track });
  verdict.textContent = `${emotionName(face.emotion)} ${percent(face.probabilities[face.emotion])} %`;
  second.textContent = `${emotionName(ranked[0])} ${percent(face.probabilities[ranked[0]])} %`;
  item.style.setProperty("--colour", colourOf(face.emotion));
  crop(item.querySelector("canvas"), face);
  classes().forEach((emotion, index) => {
    const share = face.probabilities[emotion];
    bars[2 * index].textContent = emotionName(emotion);
    const [bar, value] = bars[2 * index + 1].children;
    bar.style.width = `${100 * share}%`;
    value.textContent = `${percent(share)} %`;
  });
}

/** What each person showed in the last seconds of a live stream, or in a whole video. */
export class Timelines {
  #people = new Map();
  #box;
  #seconds = SECONDS;
  #now = 0;
  #drawing;

  constructor(box) {
    this.#box = box;
  }

  add(frame) {
    for (const face of frame.faces) {
      const person = this.#people.get(face.track) ?? this.#begin(face.track);
      person.samples.push({ time: frame.time, probabilities: face.probabilities });
      person.emotion = face.emotion;
    }
    this.#now = frame.time;
    this.#drawing ??= setTimeout(() => this.show(), PAUSE); // not with every frame: it would take longer than the network
  }

  /** Draw all, in the words of the language that is chosen. */
  show() {
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
    for (const [track, person] of this.#people) this.#show(track, person, this.#now);
  }

  /** Begin anew; `whole`: show all from the beginning on, not the last seconds. */
  clear({ whole = false } = {}) {
    this.#seconds = whole ? Infinity : SECONDS;
    this.#people.clear();
    this.#box.replaceChildren();
  }

  #begin(track) {
    const row = element("figure", "timeline");
    const canvas = Object.assign(document.createElement("canvas"), { width: 600, height: 56 });
    canvas.setAttribute("role", "img");
    row.append(element("figcaption", ""), canvas);
    this.#box.append(row);
    const person = { samples: [], row, canvas, emotion: "" };
    this.#people.set(track, person);
    return person;
  }

  #show(track, person, now) {
    const first = person.samples.findIndex((sample) => now - sample.time <= this.#seconds);
    if (first < 0) {
      person.row.remove();
      this.#people.delete(track);
      return;
    }
    person.samples.splice(0, first);
    person.row.hidden = person.samples.at(-1).time - person.samples[0].time < LEAST_SECONDS;
    person.row.firstChild.textContent = text("person", { number: track });
    person.canvas.setAttribute("aria-label", `${text("person", { number: track })}: ${emotionName(person.emotion)}`);
    drawTimeline(person.canvas, person.samples, now, this.#seconds === Infinity ? Math.max(now, LEAST_SECONDS) : this.#seconds);
  }
}

/** Which colour is which expression. */
export function showLegend(list) {
  list.replaceChildren(
    ...classes().map((emotion) => {
      const item = element("li", "", emotionName(emotion));
      item.style.setProperty("--colour", colourOf(emotion));
      return item;
    }),
  );
}
