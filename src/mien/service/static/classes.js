// The classes of the model that answers, and their colours. Until the service has told them, FER2013's emotions.

import { EMOTIONS } from "./i18n.js";

/** The colour of an expression: a copy of COLOURS in mien/output/colours.py, which a test pins. */
export const COLOURS = {
  angry: "#d55e00", disgust: "#009e73", fear: "#cc79a7", happy: "#f0e442", sad: "#0072b2", surprise: "#56b4e9", neutral: "#e6e6e6",
  contempt: "#94622e",
};

let known = { labels: EMOTIONS, colours: COLOURS };

/** The names of the classes, in the model's order. */
export function classes() {
  return known.labels;
}

/** The colour of a class. */
export function colourOf(name) {
  return Object.hasOwn(known.colours, name) ? known.colours[name] : "#999999";
}

/** Take over the names that results come with, where they are others: those of a model that `v1/models` does not list. */
export function adopt(labels) {
  if (labels && labels.join() !== known.labels.join()) known = { ...known, labels };
}

/** Take over the classes of a model that `v1/models` describes. */
export function learn({ labels, colours }) {
  known = { labels, colours };
}
