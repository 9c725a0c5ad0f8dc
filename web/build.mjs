// Build the library, its worker and the core: node build.mjs [FOLDER]. Without a folder the core goes to build/, and the
// others to where the Python package keeps them. build.json says from which sources they were made.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const KEPT = join(HERE, "../src/mien/web/built");
const RUNTIME = "ort-wasm-simd-threaded.wasm";

const sha256 = (content) => createHash("sha256").update(content).digest("hex");

/** What decides over the build: the sources, this file, and the versions of what is bundled. */
function sources() {
  const written = readdirSync(join(HERE, "src"), { recursive: true }).filter((name) => name.endsWith(".ts"));
  return [...written.map((name) => join("src", name)), "build.mjs", "package-lock.json"].sort();
}

const shared = {
  bundle: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  external: ["./worker.js", "node:*", "module", "fs", "path", "url", "worker_threads"],
  logLevel: "warning",
};
const [, , folder] = process.argv;
const out = folder ?? KEPT;
await build({ ...shared, minify: true, entryPoints: { mien: join(HERE, "src/index.ts"), worker: join(HERE, "src/worker.ts") }, outdir: out });
await build({ ...shared, entryPoints: { core: join(HERE, "src/core/index.ts") }, outdir: folder ?? join(HERE, "build") });

const hash = createHash("sha256");
for (const name of sources()) hash.update(`${name}\0${sha256(readFileSync(join(HERE, name)))}\n`);
const files = Object.fromEntries(["mien.js", "worker.js"].map((name) => [name, sha256(readFileSync(join(out, name)))]));
const runtime = sha256(readFileSync(join(HERE, "node_modules/onnxruntime-web/dist", RUNTIME)));
const { version } = JSON.parse(readFileSync(join(HERE, "node_modules/onnxruntime-web/package.json"), "utf8"));
const told = { sources: hash.digest("hex"), files, runtime: { version, file: RUNTIME, sha256: runtime } };
writeFileSync(join(out, "build.json"), `${JSON.stringify(told, null, 2)}\n`);
