import { runWrangler } from "../../src/tools/dev-wrangler.ts"

/** What the installed wrangler says that a command takes. */
export interface CommandHelp {
  readonly positionals: number
  /** Long and short, with their dashes; true where a value follows. */
  readonly options: ReadonlyMap<string, boolean>
}

const known = new Map<string, Promise<CommandHelp>>()

/** @param command as in `d1 time-travel info` */
export function helpOf(command: string): Promise<CommandHelp> {
  const asked = known.get(command) ?? runWrangler([...command.split(" "), "--help"]).then(parseHelp)
  known.set(command, asked)
  return asked
}

/** @throws {Error} that names what the installed wrangler would not take of these parameters. */
export async function assertTaken(parameters: readonly string[]): Promise<void> {
  const command = commands.find((one) => `${parameters.join(" ")} `.startsWith(`${one} `))
  if (!command)
    throw new Error(`wrangler ${parameters.join(" ")}: a command that no test looks up.`)
  const { positionals, options } = await helpOf(command)
  const rest = parameters.slice(command.split(" ").length)
  let words = 0
  for (let i = 0; i < rest.length; i++) {
    const [name = "", value] = (rest[i] as string).split(/=(.*)/s)
    if (!name.startsWith("-")) words++
    else {
      const takesValue = options.get(name)
      if (takesValue === undefined) throw new Error(`wrangler ${command} knows no ${name}.`)
      if (takesValue && value === undefined) i++
    }
  }
  if (words !== positionals) throw new Error(`wrangler ${command} takes ${positionals} names.`)
}

/** All that the tools call of an account. */
export const commands = [
  "d1 execute",
  "d1 migrations apply",
  "d1 time-travel info",
  "d1 time-travel restore",
  "d1 list",
  "d1 create",
]

function parseHelp(text: string): CommandHelp {
  const options = new Map<string, boolean>()
  for (const [, short, name = "", rest = ""] of text.matchAll(
    /^ +(?:(-\w), )?(--[\w-]+)\b(.*(?:\n {20,}.*)*)/gm,
  )) {
    const takesValue = /\[(string|number|array)\]/.test(rest)
    options.set(name, takesValue)
    if (short) options.set(short, takesValue)
  }
  const positionals = [...text.matchAll(/^ {2}\w+ +.*\[required\]/gm)].length
  return { positionals, options }
}
