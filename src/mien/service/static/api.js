// Talking to the service. Every failure becomes an Error whose message can be shown.

const TOKEN = "token";

/** Thrown when the service asks for a token. */
export class TokenNeeded extends Error {}

export function keepToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

function authorization() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { authorization: `Bearer ${token}` } : {};
}

let header = "{}";

/** What results come from: schema, versions, model and options. */
export function resultsHeader() {
  return JSON.parse(header);
}

async function asked(path, options = {}) {
  const response = await fetch(path, { ...options, headers: authorization() });
  if (response.status === 401) throw new TokenNeeded();
  const answer = await response.json();
  header = response.headers.get("mien-results") ?? header;
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

/** The frames of picture files, in order. */
export function predict(files) {
  const form = new FormData();
  for (const file of files) form.append("picture", file, file.name);
  return asked("v1/predict", { method: "POST", body: form });
}

/** Resolves when the service lets this page ask. */
export function checkAccess() {
  return asked("v1/models");
}

/**
 * A live stream. Pictures go out with `send`, results come to `onResult(frame, sentAt)`; `onEnd(reason)` is called once
 * when the connection ends without `close`.
 */
export class LiveStream {
  #socket;
  #sentAt = new Map();
  #count = 0;

  constructor({ onReady, onResult, onEnd }) {
    const address = new URL("v1/stream", document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    this.#socket = new WebSocket(address, protocols());
    this.#socket.onopen = onReady;
    this.#socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      const sentAt = this.#sentAt.get(frame.index);
      for (const number of this.#sentAt.keys()) if (number <= frame.index) this.#sentAt.delete(number);
      onResult(frame, sentAt);
    };
    this.#socket.onclose = ({ reason }) => onEnd(reason);
  }

  /** Pictures that were sent and are not answered, or left out, yet. */
  get waiting() {
    return this.#sentAt.size;
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
  const token = sessionStorage.getItem(TOKEN);
  if (!token) return ["mien"];
  const encoded = btoa(token).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return ["mien", `bearer.${encoded}`];
}
