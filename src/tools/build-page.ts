import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const folder = "src/app/page"
const output = `${folder}/built.ts`

/** One file of the page as the worker serves it, embedded so that the bundle alone can. */
interface PageFile {
  readonly path: string
  readonly type: string
  readonly etag: string
  /** Its name changes with its content. */
  readonly immutable: boolean
  readonly body: string
}

/**
 * Writes `src/app/page/built.ts` (not committed): the page's script and style, bundled, minified and named by their
 * hashes, and the document that names them. An app without a page is left alone, and so is a file that would not
 * change: whoever watches it sleeps on.
 */
export async function buildPage(): Promise<void> {
  if (!existsSync(`${folder}/index.html`)) return
  const script = hashed("main", "js", "text/javascript", await bundle("main.ts"))
  const style = hashed("style", "css", "text/css", await bundle("style.css"))
  const icon = hashed("icon", "svg", "image/svg+xml", await readFile(`${folder}/icon.svg`, "utf8"))
  const source = await readFile(`${folder}/index.html`, "utf8")
  const body = [script, style, icon].reduce(nameIn, source)
  const document = file("/", "text/html", body, false)
  const code = `/** Made by src/tools/build-page.ts. */
export const files = ${JSON.stringify([document, script, style, icon], null, 2)}
`
  const before = existsSync(output) ? await readFile(output, "utf8") : null
  if (code !== before) await writeFile(output, code)
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${folder}/${entry}`],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    write: false,
    logLevel: "warning",
  })
  return outputFiles[0]?.text ?? ""
}

const hash = (body: string): string =>
  createHash("sha256").update(body).digest("base64url").slice(0, 12)

const file = (path: string, type: string, body: string, immutable: boolean): PageFile => ({
  path,
  type: `${type}; charset=utf-8`,
  etag: `"${hash(body)}"`,
  immutable,
  body,
})

const hashed = (name: string, extension: string, type: string, body: string): PageFile =>
  file(`/page/${name}.${hash(body)}.${extension}`, type, body, true)

/** The document names the sources as `main.js`, `style.css`, `icon.svg`. */
function nameIn(document: string, { path }: PageFile): string {
  const [, name, extension] = /([a-z]+)\.[\w-]+\.([a-z]+)$/.exec(path) as RegExpExecArray
  return document.replaceAll(`"${name}.${extension}"`, `"${path}"`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPage()
