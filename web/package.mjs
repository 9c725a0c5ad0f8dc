// Put the npm package together in dist/: the built library, its types, and the engine's files as `mien web` writes them.
// MIEN_PYTHON names the interpreter that has mien; MIEN_MODEL another model.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const DIST = join(HERE, "dist");
const own = join(HERE, "../.venv/bin/python");
const python = process.env.MIEN_PYTHON ?? (existsSync(own) ? own : "python3");

function run(program, values) {
  const { status } = spawnSync(program, values, { stdio: "inherit", cwd: HERE });
  if (status !== 0) process.exit(status ?? 1);
}

rmSync(DIST, { recursive: true, force: true });
mkdirSync(DIST);
const site = join(mkdtempSync(join(tmpdir(), "mien-site-")), "site");
run(python, ["-m", "mien", "web", site, "--model", process.env.MIEN_MODEL ?? "mien_s"]);
for (const name of readdirSync(join(site, "assets"))) {
  if (!/\.(gz|br)$/.test(name)) copyFileSync(join(site, "assets", name), join(DIST, name.replace(/-[0-9a-f]{12}\./, ".")));
}
for (const name of readdirSync(join(site, "licences"))) copyFileSync(join(site, "licences", name), join(DIST, name));
rmSync(join(site, ".."), { recursive: true });
copyFileSync(join(HERE, "build/core.js"), join(DIST, "core.js"));
run(process.execPath, [join(HERE, "node_modules/typescript/bin/tsc"), "--emitDeclarationOnly"]);
