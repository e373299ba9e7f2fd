// Bundles the page: node bundle.mjs GEN SITE PROFILE
// GEN holds wasm-bindgen's output (app/, starter/, engine/); SITE is made anew. Scripts, styles and wasm files
// get their content's hash in their name, so that a host may cache them for ever; index.html, which
// names them, is the only file that must be asked for anew.
import * as esbuild from "esbuild";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";

const [gen, site, profile] = process.argv.slice(2);
const release = profile === "release";
const root = process.cwd();
fs.rmSync(site, { recursive: true, force: true });
fs.mkdirSync(site, { recursive: true });

function addHashed(from, name) {
  const bytes = fs.readFileSync(from);
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 8);
  const { name: stem, ext } = path.parse(name);
  const target = `${stem}-${hash}${ext}`;
  fs.writeFileSync(path.join(site, target), bytes);
  return target;
}

const names = {
  "app.wasm": addHashed(path.join(gen, "app/app_bg.wasm"), "app.wasm"),
  "starter.wasm": addHashed(path.join(gen, "starter/starter_bg.wasm"), "starter.wasm"),
  "engine.wasm": addHashed(path.join(gen, "engine/engine_bg.wasm"), "engine.wasm"),
};

const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: release,
  sourcemap: false,
  outdir: site,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file", ".svg": "file", ".png": "file" },
  // What the entries import as "gen/app.js" is wasm-bindgen's output.
  alias: { gen },
  nodePaths: [path.join(root, "node_modules")],
  logLevel: "warning",
  metafile: true,
};
const page = { ...common, splitting: true, entryPoints: { app: "web/js/main.js" } };
const worker = { ...common, entryPoints: { worker: "web/js/worker.js" } };
// Loaded before the first prompt: index.html, what it names but the whole engine, and what that
// imports at once. (`cargo xtask bench startup` measures what really was.)
const first = new Set(["index.html", names["app.wasm"], names["starter.wasm"]]);
function addFirst(outputs, file) {
  first.add(path.basename(file));
  for (const { path: next, kind } of outputs[file].imports)
    if (kind !== "dynamic-import" && outputs[next] && !first.has(path.basename(next)))
      addFirst(outputs, next);
}
for (const options of [page, worker]) {
  const { metafile } = await esbuild.build(options);
  for (const [file, output] of Object.entries(metafile.outputs)) {
    // Chunks loaded later are entry points too; the page names its own only.
    const entry = { "web/js/main.js": "app", "web/js/worker.js": "worker" }[output.entryPoint];
    if (!entry) continue;
    names[`${entry}.js`] = path.basename(file);
    addFirst(metafile.outputs, file);
    if (output.cssBundle) names[`${entry}.css`] = path.basename(output.cssBundle);
    if (output.cssBundle) addFirst(metafile.outputs, output.cssBundle);
  }
}

// static/public/ is copied as it is (icons, manifest); index.html names what was made above.
const copied = path.join(root, "static/public");
if (fs.existsSync(copied)) fs.cpSync(copied, site, { recursive: true });
const html = fs.readFileSync(path.join(root, "static/index.html"), "utf8");
const filled = html.replace(/\{\{([\w.]+)\}\}/g, (_, name) => {
  if (!names[name]) throw new Error(`static/index.html names ${name}, which the bundle lacks`);
  return names[name];
});
fs.writeFileSync(path.join(site, "index.html"), filled);

// The service worker knows every file by name, so that the page works without a network next time.
const files = fs.readdirSync(site, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name !== "index.html")
  .map((entry) => path.relative(site, path.join(entry.parentPath ?? entry.path, entry.name)))
  .sort();
const list = JSON.stringify(["./", ...files], null, 1);
const version = createHash("sha256").update(filled).update(list).digest("hex").slice(0, 8);
const sw = fs.readFileSync(path.join(root, "static/sw.js"), "utf8");
fs.writeFileSync(path.join(site, "sw.js"),
  sw.replace("[/* files */]", list).replace("/* version */", version));

function compress(dir) {
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory()) compress(file);
    else if (!/\.(png|woff2|jpg|webp|br|gz)$/.test(entry.name)) {
      const bytes = fs.readFileSync(file);
      const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = zlib.constants;
      const params = {
        [BROTLI_PARAM_QUALITY]: 11,
        [BROTLI_PARAM_LGWIN]: 24,
        [BROTLI_PARAM_SIZE_HINT]: bytes.length,
      };
      fs.writeFileSync(`${file}.br`, zlib.brotliCompressSync(bytes, { params }));
      fs.writeFileSync(`${file}.gz`, zlib.gzipSync(bytes, { level: 9 }));
    }
  }
}
fs.writeFileSync(`${path.dirname(site)}/first.txt`, [...first].join("\n"));
if (release) compress(site);
