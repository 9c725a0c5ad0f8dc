// Offline use: after the first visit every file comes from this copy. `mien web` fills in the list; names of large files
// carry their hashes, so that a new edition loads only what changed.

const BUILD = "{{build}}";
const FILES = {{files}};
const WORKER = "{{worker}}";

/** What the worker may do, as a header of its own response: it alone may compile WebAssembly. */
const WORKER_POLICY = "{{policy}}";

const HERE = new URL("./", self.location).href;
const OWN = `mien ${HERE} `;
const addressOf = (name) => new URL(name, HERE).href;
const KNOWN = new Map(FILES.map((name) => [addressOf(name), name]));

self.addEventListener("install", (event) => event.waitUntil(copy().then(() => self.skipWaiting())));
self.addEventListener("activate", (event) => event.waitUntil(tidy().then(() => self.clients.claim())));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = request.url.split(/[?#]/)[0];
  if (request.method !== "GET") return;
  if (address === HERE) event.respondWith(kept(addressOf("index.html"), request));
  else if (KNOWN.has(address)) event.respondWith(kept(address, request));
});

/** Copy every file; those of an earlier copy whose names carry hashes are taken from it. */
async function copy() {
  const cache = await caches.open(OWN + BUILD);
  for (const name of FILES) {
    const address = addressOf(name);
    const before = name.startsWith("assets/") && (await caches.match(address));
    // Asked for anew: a copy that the browser kept, of before, would name files that are gone.
    const answer = before || (await fetch(address, { cache: name.startsWith("assets/") ? "default" : "no-cache" }));
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    await cache.put(address, answer);
  }
}

/** Remove earlier copies. */
async function tidy() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(OWN) && name !== OWN + BUILD).map((name) => caches.delete(name)));
}

async function kept(address, request) {
  const cache = await caches.open(OWN + BUILD);
  const answer = (await cache.match(address)) ?? (await fetch(request));
  if (KNOWN.get(address) !== WORKER) return answer;
  const headers = new Headers(answer.headers);
  headers.set("content-security-policy", WORKER_POLICY);
  return new Response(answer.body, { status: answer.status, headers });
}
