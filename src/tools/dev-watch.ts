import { watch } from "node:fs"
import { relative, resolve } from "node:path"
import { buildConsole } from "./build-console.ts"
import { buildPage } from "./build-page.ts"

interface Reactions {
  migrationsChanged(): Promise<void>
  definitionsChanged(): Promise<void>
}

/** What wrangler does not do by itself after a change: the page's embedded files, migrations, a look at the collections. */
export function watchSources({ migrationsChanged, definitionsChanged }: Reactions): void {
  onChange("src/app", (file) => {
    if (file === "page/built.ts") return null
    if (file.startsWith("page/")) return "page"
    if (file.startsWith("console")) return "console"
    return file.endsWith(".ts") ? "definitions" : null
  })
  onChange("src/client", () => "page")
  onChange("src/console", () => "console")
  onChange("migrations", (file) => (file.endsWith(".sql") ? "migrations" : null))

  type Topic = "page" | "console" | "definitions" | "migrations"
  const reactions: Record<Topic, () => Promise<unknown>> = {
    page: async () => buildPage(),
    console: async () => buildConsole(),
    definitions: definitionsChanged,
    migrations: migrationsChanged,
  }
  const pending = new Set<Topic>()
  let working = false

  /** Editors write a file in several steps: one reaction follows the last of them, and never two at a time. */
  function react(topic: Topic): void {
    pending.add(topic)
    if (!working) setTimeout(work, 150)
    working = true
  }
  async function work(): Promise<void> {
    const topics = [...pending]
    pending.clear()
    for (const topic of topics) {
      await reactions[topic]().catch((error: unknown) => console.error(String(error)))
    }
    if (pending.size > 0) setTimeout(work, 150)
    else working = false
  }
  function onChange(folder: string, topicOf: (file: string) => Topic | null): void {
    watch(folder, { recursive: true }, (_event, file) => {
      const topic = file && topicOf(relative(resolve(folder), resolve(folder, file)))
      if (topic) react(topic)
    })
  }
}
