import { type SpawnSyncOptions, spawnSync } from "node:child_process"
import { accessSync, constants, existsSync } from "node:fs"
import { delimiter, join } from "node:path"

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"]
const elsewhere = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
]

/** The Chromium of this machine, or null. `CHROMIUM_PATH` goes before all others. */
export function findChromium(): string | null {
  const { CHROMIUM_PATH, PATH = "" } = process.env
  const folders = PATH.split(delimiter).filter(Boolean)
  const candidates = [
    ...(CHROMIUM_PATH ? [CHROMIUM_PATH] : []),
    ...names.flatMap((name) => folders.map((folder) => join(folder, name))),
    ...elsewhere,
  ]
  return candidates.find(isExecutable) ?? null
}

/** How a person gets what `installChromium` may not install. */
export const chromiumHint =
  "install Chromium (Debian: apt-get install chromium), or set CHROMIUM_PATH to a Chromium or Chrome"

/** Installs Debian's package where it is allowed to: as root, with apt. Answers whether there is a Chromium now. */
export function installChromium(): boolean {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return false
  console.log("No Chromium found: installing Debian's package for the browser tests.")
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  const options: SpawnSyncOptions = { env: environment, stdio: ["ignore", "ignore", "inherit"] }
  spawnSync("apt-get", ["-q", "update"], options)
  spawnSync("apt-get", ["-qy", "install", "--no-install-recommends", "chromium"], options)
  return findChromium() !== null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
