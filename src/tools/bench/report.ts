import { cpus } from "node:os"

/** One line of the result; the names are part of the contract. */
export interface Figure {
  name: string
  requestsPerSecond: number
  bareRequestsPerSecond: number
  /** Median over the rounds of ours against the bare handler's just before it. */
  ratio: number
  p50Milliseconds: number
  p99Milliseconds: number
  trips: number
  rowsRead: number
}

export function printHead(what: string): void {
  console.log(`${what}; ${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}\n`)
  printRow(["", "req/s", "bare", "ratio", "goal", "p50 ms", "p99 ms", "trips", "rows"])
}

export const printFigure = (title: string, target: number, figure: Figure): void =>
  printRow([
    title,
    figure.requestsPerSecond,
    figure.bareRequestsPerSecond,
    figure.ratio.toFixed(2),
    target.toFixed(2),
    figure.p50Milliseconds,
    figure.p99Milliseconds,
    figure.trips,
    figure.rowsRead,
  ])

function printRow([title, ...cells]: readonly (string | number)[]): void {
  console.log(`${title}`.padEnd(31) + cells.map((cell) => `${cell}`.padStart(9)).join(""))
}
