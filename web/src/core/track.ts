// Multi-object tracking: stable numbers for the faces of a stream (mien/faces/track.py): ByteTrack's assignment in two
// stages (Zhang et al., arXiv 2110.06864) with a constant-velocity motion model.

import type { Detection, Rectangle } from "./results.js";

export const MAX_LOST = 1;
const LEAST_IOU = 0.2;
const LEAST_IOU_WEAK = 0.5;
const FORESIGHT = 0.3;
const GAIN = 0.5;

/** One face followed through time; `seen` is when it was found last, `velocity` that of its centre, pixels a second. */
export interface Track {
  readonly number: number;
  readonly box: Rectangle;
  readonly seen: number;
  readonly velocity: readonly [number, number];
  readonly sightings: number;
}

/** All faces followed at a moment, and the number that the next one gets. */
export interface Tracks {
  readonly alive: readonly Track[];
  readonly nextNumber: number;
}

/** Where a face should be; it is taken to move on for 0.3 s after it was found, then to stand still. */
export function boxAt({ box: [x, y, width, height], seen, velocity }: Track, time: number): Rectangle {
  const ahead = Math.min(Math.max(0, time - seen), FORESIGHT);
  return [x + ahead * velocity[0], y + ahead * velocity[1], width, height];
}

/** The state after one more frame, and for each detection the number of its track, null for a weak one of nobody. */
export function advance(tracks: Tracks, time: number, found: readonly Detection[], minScore: number): [Tracks, (number | null)[]] {
  const known = tracks.alive.filter((track) => time - track.seen <= MAX_LOST);
  const matches = matched(known, time, found, minScore);
  const alive = known.flatMap((track, index) => {
    const match = matches.get(index);
    if (match !== undefined) return [movedTo(track, time, found[match]!)];
    return track.sightings > 1 ? [track] : [];
  });
  const owners: (number | null)[] = found.map(() => null);
  for (const [index, match] of matches) owners[match] = known[index]!.number;
  let number = tracks.nextNumber;
  found.forEach((detection, index) => {
    if (owners[index] !== null || detection.score < minScore) return;
    owners[index] = number;
    alive.push({ number, box: detection.box, seen: time, velocity: [0, 0], sightings: 1 });
    number += 1;
  });
  return [{ alive, nextNumber: number }, owners];
}

/** Index of the detection by index of the track: good detections first, weak ones for the tracks that found none. */
function matched(tracks: readonly Track[], time: number, found: readonly Detection[], minScore: number): Map<number, number> {
  const boxes = tracks.map((track) => boxAt(track, time));
  const overlap = boxes.map((box) => found.map((detection) => iou(box, detection.box)));
  const good = found.flatMap(({ score }, index) => (score >= minScore ? [index] : []));
  const weak = found.flatMap(({ score }, index) => (score < minScore ? [index] : []));
  const first = paired(overlap, tracks.map((_, index) => index), good, LEAST_IOU);
  const left = tracks.flatMap((_, index) => (first.has(index) ? [] : [index]));
  return new Map([...first, ...paired(overlap, left, weak, LEAST_IOU_WEAK)]);
}

function paired(overlap: readonly (readonly number[])[], rows: readonly number[], columns: readonly number[], least: number): Map<number, number> {
  const shared = rows.map((row) => columns.map((column) => (overlap[row]![column]! >= least ? overlap[row]![column]! : 0)));
  const pairs = assign(shared.map((row) => row.map((value) => -value)));
  return new Map(pairs.filter(([row, column]) => shared[row]![column]! > 0).map(([row, column]) => [rows[row]!, columns[column]!]));
}

/** A track that was found again; its velocity follows what was seen by half. */
function movedTo(track: Track, time: number, { box }: Detection): Track {
  const passed = time - track.seen;
  const sightings = track.sightings + 1;
  if (passed <= 0) return { ...track, box, sightings };
  const gain = track.sightings === 1 ? 1 : GAIN;
  const speed = (axis: 0 | 1): number => {
    const [start, end] = [track.box, box].map((one) => one[axis]! + one[axis + 2]! / 2) as [number, number];
    return track.velocity[axis] + gain * ((end - start) / passed - track.velocity[axis]);
  };
  return { number: track.number, box, seen: time, velocity: [speed(0), speed(1)], sightings };
}

/** Intersection over union, 0..1. */
export function iou([x, y, w, h]: Rectangle, [left, top, width, height]: Rectangle): number {
  const across = Math.max(0, Math.min(x + w, left + width) - Math.max(x, left));
  const down = Math.max(0, Math.min(y + h, top + height) - Math.max(y, top));
  const union = w * h + width * height - across * down;
  return union > 0 ? (across * down) / union : 0;
}

/** The pairs [row, column] of a one-to-one assignment of least total cost, by row: the Hungarian method with shortest
 * augmenting paths (Jonker and Volgenant, 1987). */
export function assign(cost: readonly (readonly number[])[]): [number, number][] {
  const [rows, columns] = [cost.length, cost[0]?.length ?? 0];
  if (rows > columns) {
    const turned = Array.from({ length: columns }, (_, column) => cost.map((row) => row[column]!));
    return assign(turned).map(([column, row]): [number, number] => [row, column]).sort(([one], [other]) => one - other);
  }
  const [rowPrice, columnPrice] = [new Float64Array(rows + 1), new Float64Array(columns + 1)];
  const owner = new Int32Array(columns + 1); // row of each column, both from 1; 0 is nobody
  for (let row = 1; row <= rows; row++) {
    owner[0] = row;
    giveColumn(cost, owner, rowPrice, columnPrice);
  }
  const pairs = [...owner].slice(1).flatMap((row, column): [number, number][] => (row ? [[row - 1, column]] : []));
  return pairs.sort(([one], [other]) => one - other);
}

/** Give the row `owner[0]` a column by the cheapest chain of changes; owners and prices change in place. */
function giveColumn(cost: readonly (readonly number[])[], owner: Int32Array, rowPrice: Float64Array, columnPrice: Float64Array): void {
  const distance = new Float64Array(owner.length).fill(Infinity);
  const previous = new Int32Array(owner.length);
  const reached = new Uint8Array(owner.length);
  let column = 0;
  while (owner[column] || !column) {
    reached[column] = 1;
    const row = owner[column]!;
    let nearest = -1;
    for (let other = 1; other < owner.length; other++) {
      if (reached[other]) continue;
      const slack = cost[row - 1]![other - 1]! - rowPrice[row]! - columnPrice[other]!;
      if (slack < distance[other]!) [distance[other], previous[other]] = [slack, column];
      if (nearest < 0 || distance[other]! < distance[nearest]!) nearest = other;
    }
    const step = distance[nearest]!;
    for (let other = 0; other < owner.length; other++) {
      if (reached[other]) {
        rowPrice[owner[other]!]! += step;
        columnPrice[other]! -= step;
      } else distance[other]! -= step;
    }
    column = nearest;
  }
  while (column) {
    owner[column] = owner[previous[column]!]!;
    column = previous[column]!;
  }
}
