/* What a browser says of itself, shortened to what people know it by. No I/O. */

const browsers = [
  [/\bEdgA?\/(\d+)/, "Edge"],
  [/\bOPR\/(\d+)/, "Opera"],
  [/\b(?:Firefox|FxiOS)\/(\d+)/, "Firefox"],
  [/\b(?:Headless)?(?:Chrome|CriOS)\/(\d+)/, "Chrome"],
  [/\bVersion\/(\d+)[.\d]* (?:Mobile\/\w+ )?Safari/, "Safari"],
] as const

/** Those that call themselves something else too come first. */
const systems = [
  [/iPhone/, "iPhone"],
  [/iPad/, "iPad"],
  [/Android/, "Android"],
  [/Windows/, "Windows"],
  [/Macintosh/, "macOS"],
  [/CrOS/, "ChromeOS"],
  [/Linux/, "Linux"],
] as const

/** `Firefox 140 · Windows`; what is no browser that we know stays as it is, and null is a dash. */
export function deviceName(userAgent: string | null): string {
  if (!userAgent) return "–"
  for (const [pattern, name] of browsers) {
    const found = pattern.exec(userAgent)
    if (!found) continue
    const system = systems.find(([pattern]) => pattern.test(userAgent))?.[1]
    return [`${name} ${found[1]}`, system].filter(Boolean).join(" · ")
  }
  return userAgent
}
