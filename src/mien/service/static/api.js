// Talking to the service. Every failure becomes an Error whose message can be shown.

import { adopt, learn } from "./classes.js";
import { storage } from "./storage.js";

const TOKEN = "token";
const session = storage("sessionStorage");
const QUALITY = 0.85;

/** Thrown when the service asks for a token. */
export class TokenNeeded extends Error {}

/** A refusal of the service. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Whether a token was given, and refused. */
export function tokenWasWrong() {
  return session.getItem(TOKEN) !== null;
}

export function keepToken(token) {
  session.setItem(TOKEN, token);
}

function authorization() {
  const token = session.getItem(TOKEN);
  return token ? { authorization: `Bearer ${token}` } : {};
}

let header = "{}";

/** What results come from: schema, versions, model and options. */
export function resultsHeader() {
  return JSON.parse(header);
}

async function response(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { ...options.headers, ...authorization() } });
  if (answer.status === 401) throw new TokenNeeded();
  header = answer.headers.get("mien-results") ?? header;
  adopt(resultsHeader().labels);
  if (!answer.ok) throw new Refused(answer.status, (await answer.json()).error);
  return answer;
}

async function asked(path, options) {
  return (await response(path, options)).json();
}

/** The frames of a video file, one by one, as the service reads it. */
export async function* predictVideo(file) {
  const name = encodeURIComponent(file.name.slice(0, 255));
  const options = { method: "POST", body: file, headers: { "content-type": file.type } };
  if (!told) await checkAccess();
  const { body } = await response(`v1/predict/video?name=${name}`, options);
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop();
      for (const line of lines) yield JSON.parse(line);
    }
  } finally {
    await reader.cancel(); // the service stops where nobody reads on
  }
}

/** The frames of picture files, in order. */
export async function predict(files) {
  if (!told) await checkAccess();
  const form = new FormData();
  for (const file of files) form.append("picture", file, file.name);
  return asked("v1/predict", { method: "POST", body: form });
}

/** Whether files of any size may be looked at. */
export const UNLIMITED = false;

/** Whether a file is a model to read expressions with: the service's is chosen where it is started. */
export const isModel = () => false;

/** Use such a model from now on; its name. */
export async function useModel(file) {
  throw new Refused(415, file.name);
}

let told = false;

/** Resolves when the service lets this page ask, and has told the classes of its model. */
export async function checkAccess() {
  const [model] = await asked("v1/models");
  if (model) learn(model);
  told = true;
}

/**
 * A live stream. Pictures go out with `send`, results come to `onResult(frame, sentAt)`; `onEnd(reason, opened)` is called
 * once when the connection ends without `close`, or was never opened.
 */
export class LiveStream {
  #socket;
  #sentAt = new Map();
  #count = 0;

  constructor({ onReady, onResult, onEnd }) {
    const address = new URL("v1/stream", document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    this.#socket = new WebSocket(address, protocols());
    let opened = false;
    this.#socket.onopen = () => {
      opened = true;
      onReady();
    };
    this.#socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      const sentAt = this.#sentAt.get(frame.index);
      for (const number of this.#sentAt.keys()) if (number <= frame.index) this.#sentAt.delete(number);
      onResult(frame, sentAt);
    };
    this.#socket.onclose = ({ reason }) => onEnd(reason, opened);
  }

  /** Pictures that were sent and are not answered, or left out, yet. */
  get waiting() {
    return this.#sentAt.size;
  }

  /** What `send` takes: what a canvas shows, as JPEG. */
  encoded(canvas) {
    return new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
  }

  /** The number of the picture, which its result carries; undefined while there is no connection. */
  send(blob) {
    if (this.#socket.readyState !== WebSocket.OPEN) return undefined;
    this.#sentAt.set(this.#count, performance.now());
    this.#socket.send(blob);
    return this.#count++;
  }

  close() {
    this.#socket.onclose = this.#socket.onmessage = null;
    this.#socket.close();
  }
}

/** Browsers set no headers of WebSockets, so the token travels as a subprotocol. */
function protocols() {
  const token = session.getItem(TOKEN);
  if (!token) return ["mien"];
  const encoded = btoa(token).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return ["mien", `bearer.${encoded}`];
}
