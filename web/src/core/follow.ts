// Detection and tracking in streams (mien/faces/follow.py): the whole image now and then, in between only a region
// around each followed face, on at most 128 pixels.

import { distinct, type Detector } from "./detector.js";
import { part, type Pixels } from "./pixels.js";
import { inside, type Detection, type Rectangle } from "./results.js";
import { shrink } from "./resize.js";
import { advance, boxAt, iou, type Tracks } from "./track.js";

const SEARCH_INTERVAL = 0.5;
export const WEAK_SHARE = 2 / 3;
const NEAR_REACH = 2;
const NEAR_SIDE = 128;
const NEAR_IOU = 0.2;
const COST_FACTOR = 2;

export interface FollowOptions {
  /** Least score of a face that is not followed yet, 0..1. */
  minScore: number;
  /** Frames between two searches of the whole image; by default by time, twice a second. */
  every?: number | undefined;
  /** Wall clock in seconds, for live sources: whole searches then take no more than half of the time. */
  clock?: (() => number) | undefined;
}

/** The faces of one stream with the numbers of their tracks, one frame after the other. */
export class Follower {
  #tracks: Tracks = { alive: [], nextNumber: 1 };
  #time = 0;
  #interval = SEARCH_INTERVAL;
  #last: { number: number; time: number } | undefined;

  constructor(
    private readonly detector: Detector,
    private readonly options: FollowOptions,
  ) {}

  /** The faces of the next frame and their tracks; `time` in seconds. */
  async follow(image: Pixels, number: number, moment: number): Promise<[Detection, number][]> {
    const time = Math.max(moment, this.#time);
    const near = this.#due(number, time) ? null : await this.#near(image, time);
    const found = near ?? (await this.#search(image, number, time));
    const weak = found.filter(({ score }) => score >= WEAK_SHARE * this.options.minScore);
    const [tracks, owners] = advance(this.#tracks, time, weak, this.options.minScore);
    [this.#tracks, this.#time] = [tracks, time];
    return weak.flatMap((detection, index): [Detection, number][] => (owners[index] === null ? [] : [[detection, owners[index]!]]));
  }

  #due(number: number, time: number): boolean {
    if (!this.#last) return true;
    if (this.options.every !== undefined) return number - this.#last.number >= this.options.every;
    return time - this.#last.time >= this.#interval - 1e-6;
  }

  async #search(image: Pixels, number: number, time: number): Promise<Detection[]> {
    const started = this.options.clock?.() ?? 0;
    const found = await this.detector.detect(image);
    if (this.options.clock) this.#interval = Math.max(SEARCH_INTERVAL, COST_FACTOR * (this.options.clock() - started));
    this.#last = { number, time };
    return found;
  }

  /** The faces around where the tracks should be; null when one that was there a frame ago is missed. */
  async #near(image: Pixels, time: number): Promise<Detection[] | null> {
    const found: Detection[] = [];
    for (const track of this.#tracks.alive) {
      const detection = await lookNear(this.detector, image, boxAt(track, time));
      if (detection) found.push(detection);
      else if (track.seen >= this.#time) return null;
    }
    return distinct(found);
  }
}

/** The face that overlaps a box most, seen in the box's surroundings alone. */
async function lookNear(detector: Detector, image: Pixels, box: Rectangle): Promise<Detection | null> {
  const [x, y, width, height] = box;
  const side = NEAR_REACH * Math.max(width, height);
  const region = inside([x + (width - side) / 2, y + (height - side) / 2, side, side], image.width, image.height);
  if (!region) return null;
  const [left, top, across, down] = region;
  const small = shrink(part(image, left, top, left + across, top + down), NEAR_SIDE);
  const [stretchX, stretchY] = [across / small.width, down / small.height];
  const placed = (await detector.detect(small)).map(({ box: [bx, by, bw, bh], score, landmarks }) => ({
    box: [left + bx * stretchX, top + by * stretchY, bw * stretchX, bh * stretchY] as const,
    score,
    landmarks: landmarks.map(([px, py]) => [left + px * stretchX, top + py * stretchY] as const),
  }));
  const overlap = placed.map((face) => iou(box, face.box));
  const best = overlap.indexOf(Math.max(...overlap));
  return best >= 0 && overlap[best]! >= NEAR_IOU ? placed[best]! : null;
}
