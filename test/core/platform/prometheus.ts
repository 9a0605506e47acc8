/** A sample of the text format. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly type: string
  readonly samples: Sample[]
}

/**
 * Reads the Prometheus text exposition format 0.0.4, as strictly as its description allows.
 *
 * @throws {Error} naming the line that is wrong.
 */
export function parsePrometheus(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end")
  const families = new Map<string, Family>()
  const described = new Set<string>()
  let current = ""
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP ([a-zA-Z_:][\w:]*) \S.*$/.exec(line)?.[1]
    const [, typed, type] = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|histogram)$/.exec(line) ?? []
    if (help !== undefined) {
      if (described.has(help)) throw new Error(`described twice: ${line}`)
      described.add(help)
    } else if (typed !== undefined) {
      if (families.has(typed)) throw new Error(`a family in two places: ${line}`)
      current = typed
      families.set(typed, { type: type as string, samples: [] })
    } else {
      const family = families.get(current)
      const sample = parseSample(line)
      const base =
        family?.type === "histogram"
          ? /^(.*)_(?:bucket|sum|count)$/.exec(sample.name)?.[1]
          : sample.name
      if (base !== current) throw new Error(`not of the family ${current}: ${line}`)
      family?.samples.push(sample)
    }
  }
  return families
}

function parseSample(line: string): Sample {
  const [, name, inner, value] =
    /^([a-zA-Z_:][\w:]*)\{(.*)\} (\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(line) ?? []
  if (name === undefined) throw new Error(`no sample: ${line}`)
  const labels: Record<string, string> = {}
  const pair = /([a-zA-Z_]\w*)="((?:[^"\\]|\\["\\n])*)"(,|$)/y
  const rest = inner ?? ""
  while (pair.lastIndex < rest.length) {
    const [, label, text] = pair.exec(rest) ?? []
    if (label === undefined || label in labels) throw new Error(`bad labels: ${line}`)
    labels[label] = (text as string).replace(/\\(["\\n])/g, (_, c: string) =>
      c === "n" ? "\n" : c,
    )
  }
  return { name, labels, value: Number(value) }
}
