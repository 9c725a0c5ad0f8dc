// npm test: fixtures by Python, a build of the sources, then the tests in Node. MIEN_PYTHON names the interpreter that has mien.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const own = join(HERE, "../../.venv/bin/python");
const python = process.env.MIEN_PYTHON ?? (existsSync(own) ? own : "python3");
const folder = process.env.MIEN_FIXTURES ?? mkdtempSync(join(tmpdir(), "mien-fixtures-"));
const built = mkdtempSync(join(tmpdir(), "mien-build-"));

/** Run a program in sight; its exit status. */
const run = (program, values) => spawnSync(program, values, { stdio: "inherit", env: { ...process.env, MIEN_FIXTURES: folder, MIEN_BUILD: built } }).status ?? 1;

let status = process.env.MIEN_FIXTURES ? 0 : run(python, [join(HERE, "fixtures.py"), folder]);
status ||= run(process.execPath, [join(HERE, "../build.mjs"), built]);
status ||= run(process.execPath, ["--test", ...["parity", "library"].map((name) => join(HERE, `${name}.test.mjs`))]);
if (!process.env.MIEN_FIXTURES) rmSync(folder, { recursive: true });
rmSync(built, { recursive: true });
process.exit(status);
