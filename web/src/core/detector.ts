// The detector: YuNet at the sizes where it finds what an image may hold (mien/faces/yunet.py, tiles.py).

import type { Detection } from "./results.js";
import { part, roundHalfEven, type Pixels } from "./pixels.js";
import { shrink } from "./resize.js";
import { SCORE, type Row, type YuNet } from "./yunet.js";

/** What finds faces in an image; weak ones too, for streams. */
export interface Detector {
  detect(image: Pixels): Promise<Detection[]>;
}

// Copies of mien/faces/yunet.py and tiles.py; the parity tests would show a difference.
const MIN_FACE = 48;
const SIDE = 1280;
const SEEN = 16;
const TRACE = 0.03;
const SURE = 0.7;
const SMALL = 28;
const ZOOM = 2;
const LEAST_ZOOM = 1.25;
const CELL = 64;
const MARGIN = 16;
const CLOSE_LOOKS = 4;
const FEW = 16;
const ESTIMATE = 0.6;
const LEAST_SIDE = 8;
const COARSE_SIDE = 320;
const COARSER = 4;
const COARSE_FACE = 64;
const LONGEST = 1280;
const OVERLAP = 160;
const CUT = 2;
const SAME_FACE_COVER = 0.5;

export interface DetectorOptions {
  /** Detections below are dropped, 0..1. */
  minScore: number;
  /** Height in pixels from which faces are found in images of any size. */
  minFace: number;
}

/** A pyramid of YuNet: shrunk as far as the smallest face is still seen, quarters of that, closer looks at doubts. */
export class YuNetDetector implements Detector {
  constructor(
    private readonly network: Pick<YuNet, "rows">,
    private readonly options: DetectorOptions,
  ) {}

  async detect(image: Pixels): Promise<Detection[]> {
    const longer = Math.max(image.width, image.height);
    const scale = this.#scale(longer);
    let level = shrink(image, Math.ceil(longer * scale));
    const found = detections(await this.#fine(image, level, scale), level, image);
    let least = Math.max(level.width, level.height) <= LONGEST ? COARSE_FACE : Math.floor(OVERLAP / COARSER);
    while (Math.max(level.width, level.height) > 2 * COARSE_SIDE) {
      level = shrink(level, Math.max(COARSE_SIDE, roundHalfEven(Math.max(level.width, level.height) / COARSER)));
      const rows = await this.#rows(level, this.options.minScore);
      found.push(...detections(rows.filter((row) => Math.min(row[2]!, row[3]!) >= least), level, image));
      least = COARSE_FACE;
    }
    return distinct(found);
  }

  /** How far an image with that longer side is shrunk for the first look, at most 1. */
  #scale(longer: number): number {
    const { minFace } = this.options;
    return Math.min(1, Math.max(SIDE * Math.min(1, MIN_FACE / minFace), (longer * SEEN) / minFace, COARSE_SIDE) / longer);
  }

  /** The faces of the first look and of the closer ones that it asks for, in its pixels. */
  async #fine(image: Pixels, level: Pixels, scale: number): Promise<Row[]> {
    const { minScore, minFace } = this.options;
    const zoom = Math.min(ZOOM, 1 / scale);
    const closer = zoom >= LEAST_ZOOM;
    const rows = await this.#rows(level, closer ? Math.min(TRACE, minScore) : minScore);
    const kept = rows.filter((row) => row[SCORE]! >= Math.fround(minScore));
    if (!closer) return kept;
    for (const cell of doubtful(rows, level, ESTIMATE * minFace * scale)) kept.push(...(await this.#closely(image, cell, scale, zoom)));
    return kept;
  }

  /** The faces of one level, tile by tile. */
  async #rows(level: Pixels, minScore: number): Promise<Row[]> {
    if (Math.min(level.width, level.height) < LEAST_SIDE) return [];
    const found: Row[] = [];
    for (const [top, bottom] of spans(level.height)) {
      for (const [left, right] of spans(level.width)) {
        const rows = await this.network.rows(part(level, left, top, right, bottom), minScore);
        const whole = rows.filter(([x, y, w, h]) => {
          const cutLow = (left > 0 && x! < CUT) || (top > 0 && y! < CUT);
          const cutHigh = (right < level.width && x! + w! > right - left - CUT) || (bottom < level.height && y! + h! > bottom - top - CUT);
          return !cutLow && !cutHigh;
        });
        found.push(...whole.map((row) => moved(row, left, top, 1)));
      }
    }
    return found;
  }

  /** The faces with their centres in or near a cell, looked at closely; in pixels of the level. */
  async #closely(image: Pixels, [column, line]: readonly [number, number], scale: number, zoom: number): Promise<Row[]> {
    const low = (cell: number): number => Math.max(0, Math.floor((cell * CELL - MARGIN) / scale));
    const high = (cell: number, length: number): number => Math.min(length, Math.ceil((cell * CELL + CELL + MARGIN) / scale));
    const [left, top] = [low(column), low(line)];
    const seen = part(image, left, top, high(column, image.width), high(line, image.height));
    const close = shrink(seen, roundHalfEven(Math.max(seen.width, seen.height) * scale * zoom));
    if (Math.min(close.width, close.height) < LEAST_SIDE) return [];
    const rows = await this.network.rows(close, Math.max(SURE, this.options.minScore));
    const stretch = (seen.width * scale) / close.width;
    return rows
      .map((row) => moved(row, left * scale, top * scale, stretch))
      .filter(([x, y, w, h]) => {
        const away = Math.max(Math.abs(x! + w! / 2 - (column + 0.5) * CELL), Math.abs(y! + h! / 2 - (line + 0.5) * CELL));
        return away < CELL / 2 + MARGIN / 2;
      });
  }
}

/** Cells of the level in which small faces left a trace, the clearest first. */
function doubtful(rows: readonly Row[], level: Pixels, least: number): [number, number][] {
  const asked = rows.filter((row) => row[SCORE]! < SURE && row[3]! < SMALL && row[3]! >= least);
  const cells = new Map<string, [number, number]>();
  for (const [x, y, w, h] of asked.sort((one, other) => other[SCORE]! - one[SCORE]!)) {
    const cell: [number, number] = [Math.floor((x! + w! / 2) / CELL), Math.floor((y! + h! / 2) / CELL)];
    if (!cells.has(cell.join())) cells.set(cell.join(), cell);
  }
  const count = Math.ceil(level.height / CELL) * Math.ceil(level.width / CELL);
  return [...cells.values()].slice(0, Math.max(FEW, Math.floor(count / CLOSE_LOOKS)));
}

/** Equal spans of at most `LONGEST` that share at least `OVERLAP` and cover a length. */
function spans(length: number): [number, number][] {
  const count = Math.max(1, Math.ceil((length - OVERLAP) / (LONGEST - OVERLAP)));
  const span = Math.min(length, Math.ceil((length + (count - 1) * OVERLAP) / count));
  return Array.from({ length: count }, (_, number) => {
    const start = roundHalfEven((number * (length - span)) / Math.max(1, count - 1));
    return [start, start + span];
  });
}

/** A face of a part in coordinates of the whole. */
function moved(row: Row, left: number, top: number, stretch: number): Row {
  const placed = row.slice();
  for (let at = 0; at < SCORE; at++) placed[at] = row[at]! * stretch;
  for (const at of [0, 4, 6, 8, 10, 12]) {
    placed[at] = placed[at]! + left;
    placed[at + 1] = placed[at + 1]! + top;
  }
  return placed;
}

/** The faces of a level in coordinates of the image, those left out that show nothing of it. */
function detections(rows: readonly Row[], level: Pixels, image: Pixels): Detection[] {
  const [across, down] = [image.width / level.width, image.height / level.height];
  const plausible = rows.filter(([x, y, w, h]) => Math.min(w!, h!) >= 1 && x! < level.width && y! < level.height && x! + w! > 0 && y! + h! > 0);
  return plausible.map((row) => ({
    box: [row[0]! * across, row[1]! * down, row[2]! * across, row[3]! * down],
    score: Math.min(1, row[SCORE]!),
    landmarks: [4, 6, 8, 10, 12].map((at) => [row[at]! * across, row[at + 1]! * down] as const),
  }));
}

/** Non-maximum suppression: of detections that overlap by more than half of the smaller one, the best-scored. */
export function distinct(found: readonly Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const face of [...found].sort((one, other) => other.score - one.score)) {
    if (!kept.some((other) => cover(face, other) > SAME_FACE_COVER)) kept.push(face);
  }
  return kept;
}

function cover({ box: [x, y, w, h] }: Detection, { box: [left, top, width, height] }: Detection): number {
  const across = Math.max(0, Math.min(x + w, left + width) - Math.max(x, left));
  const down = Math.max(0, Math.min(y + h, top + height) - Math.max(y, top));
  return (across * down) / Math.min(w * h, width * height);
}
