// Files before they go to the service: what they are, and in portions that a request may hold.

import { Refused, UNLIMITED } from "./api.js";
import { emotionName, text } from "./i18n.js";

const PICTURES = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/avif"];
const VIDEOS = ["video/mp4", "video/webm", "video/quicktime", "video/x-matroska", "video/x-msvideo"];
/** Megabytes: the defaults of mien/service/limits.py, which a test pins. */
const MOST = { picture: 20, video: 100 };
const AT_ONCE = 8;
/** Pictures that another than a JPEG counts for: it takes longer, and the service does not let it wait for others. */
const COUNTS = 4;
const AT_ONCE_BYTES = 16 * 2 ** 20;

/** `picture`, `video` or undefined. */
export function kindOf(file) {
  if (PICTURES.includes(file.type)) return "picture";
  return VIDEOS.includes(file.type) ? "video" : undefined;
}

/** Why a file is not sent, or undefined. */
export function objection(file) {
  const kind = kindOf(file);
  if (!kind) return text("wrongType", { name: file.name });
  const size = file.size / 2 ** 20;
  return !UNLIMITED && size > MOST[kind] ? text("tooBig", { name: file.name, size: Math.ceil(size), most: MOST[kind] }) : undefined;
}

/** Pictures in portions that a request may hold. */
export function portions(pictures) {
  const found = [];
  let bytes = Infinity;
  let count = 0;
  for (const picture of pictures) {
    const counts = picture.type === "image/jpeg" ? 1 : COUNTS;
    if (bytes + picture.size > AT_ONCE_BYTES || count + counts > AT_ONCE) {
      found.push([]);
      bytes = count = 0;
    }
    found.at(-1).push(picture);
    bytes += picture.size;
    count += counts;
  }
  return found;
}

/** An error of a request in the reader's words. */
export function inWords(error, name) {
  if (error instanceof Refused) {
    if (error.status === 413) return text("tooCostly", { name });
    if ([415, 422].includes(error.status)) return text("unreadable", { name });
    if ([429, 503].includes(error.status)) return text("busy");
  }
  return error instanceof TypeError ? text("offline") : text("failed", { reason: error.message });
}

/** What frames of pictures show, in one line: "1 face: happy, 94 %". */
export function summary(frames) {
  const faces = frames.flatMap((frame) => frame.faces);
  const unread = frames.filter((frame) => frame.error).length;
  const pictures = frames.length > 1 ? text(unread ? "ofPictures" : "allPictures", { pictures: frames.length, unread }) : "";
  if (!faces.length) return pictures + (unread < frames.length ? text("nobody") : "");
  const count = faces.length === 1 ? text("oneFace") : text("faces", { count: faces.length });
  const verdicts = faces.slice(0, 5).map(({ emotion, probability }) => text("verdict", { emotion: emotionName(emotion), percent: Math.round(100 * probability) }));
  return `${pictures}${count}: ${verdicts.join("; ")}${faces.length > 5 ? " …" : ""}`;
}
