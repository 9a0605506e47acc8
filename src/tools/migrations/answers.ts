/** What the developer says to the questions that a difference cannot answer: the flags of `migrate:new`. */
export interface Answers {
  /** `notes.body=text` */
  readonly rename: readonly string[]
  /** `notes=memos` */
  readonly renameTable: readonly string[]
  /** `notes.body`: its values may go. */
  readonly drop: readonly string[]
  /** `notes`: its records may go. */
  readonly dropTable: readonly string[]
  /** `notes`: its table may be made anew. */
  readonly rebuild: readonly string[]
}

export const noAnswers: Answers = {
  rename: [],
  renameTable: [],
  drop: [],
  dropTable: [],
  rebuild: [],
}

/** Asks on a terminal; null where there is none. */
export type Ask = ((question: string) => Promise<boolean>) | null

/** The answers, and which of them were of use. */
export interface Told {
  /** The new name that a flag gives. */
  renamed(flag: "rename" | "rename-table", from: string): string | undefined
  allowed(flag: "drop" | "drop-table" | "rebuild", name: string): boolean
  /** Flags that nothing asked for, most likely mistyped. */
  unused(): string[]
}

export function readAnswers(answers: Answers): Told {
  const flags = new Map<string, string>()
  const unused = new Set<string>()
  const add = (flag: string, values: readonly string[]) => {
    for (const value of values) {
      const [name = "", to = ""] = value.split("=")
      flags.set(`--${flag} ${name}`, to)
      unused.add(`--${flag} ${name}`)
    }
  }
  add("rename", answers.rename)
  add("rename-table", answers.renameTable)
  add("drop", answers.drop)
  add("drop-table", answers.dropTable)
  add("rebuild", answers.rebuild)
  const find = (flag: string, name: string): string | undefined => {
    unused.delete(`--${flag} ${name}`)
    return flags.get(`--${flag} ${name}`)
  }
  return {
    renamed: (flag, from) => find(flag, from),
    allowed: (flag, name) => find(flag, name) !== undefined,
    unused: () => [...unused],
  }
}

/** What is known from the developer so far, how to ask for more, and what cannot go on without an answer. */
export interface Dialogue {
  readonly told: Told
  readonly ask: Ask
  readonly refusals: string[]
}
