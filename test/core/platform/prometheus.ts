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
 * Reads the Prometheus text exposition format 0.0.4, as strictly as its description allows: HELP and TYPE once a family and
 * before its samples, no series twice, and histograms that agree with themselves.
 *
 * @throws {Error} naming the line or the histogram that is wrong.
 */
export function parsePrometheus(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end")
  const families = new Map<string, Family>()
  const described = new Set<string>()
  const seen = new Set<string>()
  let current = ""
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP ([a-zA-Z_:][\w:]*) \S.*$/.exec(line)?.[1]
    const [, typed, type] = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|histogram)$/.exec(line) ?? []
    if (help !== undefined) {
      if (described.has(help)) throw new Error(`described twice: ${line}`)
      described.add(help)
    } else if (typed !== undefined) {
      if (families.has(typed)) throw new Error(`a family in two places: ${line}`)
      if (!described.has(typed)) throw new Error(`not described: ${line}`)
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
      const identity = `${sample.name} ${identityOf(sample.labels)}`
      if (seen.has(identity)) throw new Error(`twice: ${line}`)
      seen.add(identity)
      family?.samples.push(sample)
    }
  }
  for (const [name, { type, samples }] of families) {
    if (type === "histogram") checkHistograms(name, samples)
  }
  return families
}

function parseSample(line: string): Sample {
  const [, name, inner, value] =
    /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(line) ?? []
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

const identityOf = (labels: Sample["labels"]): string =>
  JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))

/** Bounds in ascending order up to +Inf, cumulative counts, a count that is the last of them, a sum that they allow. */
function checkHistograms(family: string, samples: readonly Sample[]): void {
  for (const [identity, own] of Map.groupBy(samples, withoutBound)) {
    const wrong = (what: string) => new Error(`${what}: ${family} ${identity}`)
    const part = (name: string) => own.find((sample) => sample.name === `${family}_${name}`)?.value
    const buckets = own
      .filter(({ name }) => name === `${family}_bucket`)
      .map(({ labels, value }) => ({ bound: boundOf(labels.le), value }))
    let least = 0
    for (const [index, { bound, value }] of buckets.entries()) {
      const before = buckets[index - 1]
      if (!(bound > (before?.bound ?? Number.NEGATIVE_INFINITY))) throw wrong("bounds not in order")
      if (value < (before?.value ?? 0)) throw wrong("not cumulative")
      least += (value - (before?.value ?? 0)) * (before?.bound ?? 0)
    }
    const last = buckets.at(-1)
    if (last?.bound !== Number.POSITIVE_INFINITY) throw wrong("no bucket +Inf")
    if (part("count") !== last.value) throw wrong("the count is another")
    const sum = part("sum")
    // A bound belongs to the bucket below, so the sum may be just what the lower bounds make.
    if (sum === undefined || sum < least * (1 - 1e-9)) throw wrong("no sum, or one too small")
  }
}

const withoutBound = ({ labels: { le: _, ...labels } }: Sample): string => identityOf(labels)

const boundOf = (text: string | undefined): number =>
  text === "+Inf" ? Number.POSITIVE_INFINITY : Number(text)
