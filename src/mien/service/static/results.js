// What was found, and its downloads: the JSON and the CSV of `mien predict`.

import { classes } from "./classes.js";

const BEFORE = [
  "source", "index", "time", "face", "track", "x", "y", "width", "height", "confidence", "emotion", "probability", "certain",
  "face_size", "sharpness", "brightness", "yaw", "pitch", "roll", "emotions", "typicality", "out_of_place",
];
const AFTER = ["error"];

/** The column of each class, which may be called like another one (mien/labels.py, columns_of). */
function columnsOf(names) {
  const taken = new Set([...BEFORE, ...AFTER]);
  const used = new Set([...taken, ...names]);
  return new Map(
    names.map((name) => {
      let column = name;
      while (taken.has(name) && used.has(column)) column = `p_${column}`;
      used.add(column);
      return [name, column];
    }),
  );
}

/** Frames as CSV: a row for each face, and one for every frame without a face. */
export function toCsv(frames) {
  const columnOf = columnsOf(classes());
  const columns = [...BEFORE, ...columnOf.values(), ...AFTER];
  const rows = frames.flatMap((frame) => {
    const shared = { source: frame.source, index: frame.index, time: frame.time, error: frame.error };
    if (!frame.faces.length) return [shared];
    return frame.faces.map(({ box, probabilities, ...face }) => {
      const [x, y, width, height] = box;
      const shares = Object.entries(probabilities).map(([name, share]) => [columnOf.get(name), share]);
      return { ...shared, ...face, x, y, width, height, ...Object.fromEntries(shares) };
    });
  });
  const lines = rows.map((row) => columns.map((column) => quoted(row[column])).join(","));
  return [columns.map(quoted).join(","), ...lines, ""].join("\n");
}

function quoted(value) {
  // A spreadsheet would run what begins like a formula; numbers are none.
  const words = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");
  return /[",\n\r]/.test(words) ? `"${words.replace(/"/g, '""')}"` : words;
}

/** Let the browser save something under a name. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
