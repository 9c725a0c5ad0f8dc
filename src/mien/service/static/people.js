// The faces beside the picture: a card with bars for each, and a timeline for each person of a live stream.

import { COLOURS, drawTimeline, label } from "./draw.js";
import { EMOTIONS, emotionName, text } from "./i18n.js";

const SECONDS = 30;
const LEAST_SECONDS = 1;

const element = (name, className, words = "") => Object.assign(document.createElement(name), { className, textContent: words });

/** Show a card for each face; cards are reused, so that assistive technology is not told the same again and again. */
export function showFaces(list, faces) {
  while (list.children.length > faces.length) list.lastChild.remove();
  while (list.children.length < faces.length) list.append(card());
  faces.forEach((face, number) => fill(list.children[number], face, number));
}

function card() {
  const item = element("li", "card");
  item.append(element("h3", ""), element("p", "verdict"), element("dl", "bars"));
  for (const emotion of EMOTIONS) {
    const bar = element("span", "bar");
    bar.style.background = COLOURS[emotion];
    const value = element("dd", "");
    value.append(bar, element("span", "value"));
    item.lastChild.append(element("dt", ""), value);
  }
  return item;
}

function fill(item, face, number) {
  const [title, verdict, bars] = item.children;
  title.textContent = face.track === null ? text("face", { number }) : text("person", { number: face.track });
  verdict.textContent = label({ ...face, track: null });
  EMOTIONS.forEach((emotion, index) => {
    const share = face.probabilities[emotion];
    bars.children[2 * index].textContent = emotionName(emotion);
    const [bar, value] = bars.children[2 * index + 1].children;
    bar.style.width = `${100 * share}%`;
    value.textContent = `${Math.round(100 * share)} %`;
  });
}

/** What each person showed in the last seconds of a live stream. */
export class Timelines {
  #people = new Map();
  #box;

  constructor(box) {
    this.#box = box;
  }

  add(frame) {
    for (const face of frame.faces) {
      const person = this.#people.get(face.track) ?? this.#begin(face.track);
      person.samples.push({ time: frame.time, probabilities: face.probabilities });
      person.emotion = face.emotion;
    }
    for (const [track, person] of this.#people) this.#show(track, person, frame.time);
  }

  clear() {
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
    const first = person.samples.findIndex((sample) => now - sample.time <= SECONDS);
    if (first < 0) {
      person.row.remove();
      this.#people.delete(track);
      return;
    }
    person.samples.splice(0, first);
    person.row.hidden = person.samples.at(-1).time - person.samples[0].time < LEAST_SECONDS;
    person.row.firstChild.textContent = text("person", { number: track });
    person.canvas.setAttribute("aria-label", `${text("person", { number: track })}: ${emotionName(person.emotion)}`);
    drawTimeline(person.canvas, person.samples, now, SECONDS);
  }
}

/** Which colour is which expression. */
export function showLegend(list) {
  list.replaceChildren(
    ...EMOTIONS.map((emotion) => {
      const item = element("li", "", emotionName(emotion));
      item.style.setProperty("--colour", COLOURS[emotion]);
      return item;
    }),
  );
}
