// Temporal smoothing of expressions, separately for every track (mien/recognition/smoothing.py).

import { rounded, type Face } from "./results.js";

const WINDOW = 10;
const TIME_CONSTANT = 0.5;
const MARGIN = 0.1;
const FORGET = 5;

export const SMOOTHINGS = ["none", "mode", "ema"] as const;
export type SmoothingName = (typeof SMOOTHINGS)[number];

/** Steadies the expression of one person. `margin`: how far another expression must be ahead before it is named. */
interface Smoothing {
  readonly margin: number;
  update(probabilities: readonly number[], time: number): number[];
}

/** Majority vote: shares of the last labels. */
class Mode implements Smoothing {
  readonly margin = 0;
  #labels: number[] = [];

  update(probabilities: readonly number[]): number[] {
    this.#labels = [...this.#labels, probabilities.indexOf(Math.max(...probabilities))].slice(-WINDOW);
    return probabilities.map((_, index) => this.#labels.filter((label) => label === index).length / this.#labels.length);
  }
}

/** An exponential moving average in time. */
class Exponential implements Smoothing {
  readonly margin = MARGIN;
  #last: { probabilities: number[]; time: number } | undefined;

  update(probabilities: readonly number[], time: number): number[] {
    const before = this.#last;
    const kept = before ? Math.exp(-Math.max(0, time - before.time) / TIME_CONSTANT) : 0;
    const steady = probabilities.map((value, index) => (before ? kept * before.probabilities[index]! + (1 - kept) * value : value));
    this.#last = { probabilities: steady, time };
    return steady;
  }
}

/** A face of a stream before its probabilities are rounded. */
export interface Reading {
  readonly face: Face;
  readonly probabilities: readonly number[];
}

/** Steadies the faces of a stream's frames, given in order. */
export class Smoother {
  #people = new Map<number, { smoothing: Smoothing; label: string | null; seen: number }>();

  constructor(
    private readonly name: SmoothingName,
    private readonly labels: readonly string[],
  ) {}

  smooth(readings: readonly Reading[], time: number): Face[] {
    if (this.name === "none") return readings.map(({ face }) => face);
    const faces = readings.map((reading) => this.#steadied(reading, time));
    for (const [track, { seen }] of this.#people) if (time - seen > FORGET) this.#people.delete(track);
    return faces;
  }

  #steadied({ face, probabilities }: Reading, time: number): Face {
    if (face.track === null) return face;
    const person = this.#people.get(face.track) ?? { smoothing: this.name === "mode" ? new Mode() : new Exponential(), label: null, seen: time };
    this.#people.set(face.track, person);
    const { labels } = this;
    const steady = person.smoothing.update(probabilities, time);
    const shown = person.label === null ? -1 : labels.indexOf(person.label);
    const best = steady.indexOf(Math.max(...steady));
    const named = shown >= 0 && steady[best]! - steady[shown]! <= person.smoothing.margin ? shown : best;
    Object.assign(person, { label: labels[named]!, seen: time });
    const values = Object.fromEntries(labels.map((label, index) => [label, rounded(steady[index]!)]));
    return { ...face, probabilities: values, emotion: labels[named]!, probability: rounded(steady[named]!) };
  }
}
