import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { chromiumHint, findChromium, installChromium } from "../../test/support/chromium-install.ts"
import { check } from "./check.ts"

/*
 * `npm test`: format, lint, types, then every test. Parameters go to vitest, as in `npm test -- test/core`.
 * `TEST_SUMMARY` names a file that gets the counts; with `CI` set, browser tests that could not run are a failure.
 */

interface Counts {
  passed: number
  failed: number
  skipped: number
  /** What failed, by file and title. */
  failures: string[]
}

process.exitCode = await main(process.argv.slice(2))

async function main(parameters: readonly string[]): Promise<number> {
  if (!(await check())) {
    await summarise({ passed: 0, failed: 1, skipped: 0, failures: ["npm run check"] })
    console.error("The tests have not been run: first mend what the check found (npm run fix).")
    return 1
  }
  const browser = findChromium() !== null || installChromium()
  const counts = await runTests(parameters)
  await summarise(counts)
  console.log(`${counts.passed} tests passed, ${counts.failed} failed, ${counts.skipped} not run.`)
  if (!browser) {
    console.error(
      `Not run: the browser tests, for want of a Chromium. To run them, ${chromiumHint}.`,
    )
  }
  const incomplete = process.env.CI && !browser
  return counts.failed > 0 || incomplete ? 1 : 0
}

async function runTests(parameters: readonly string[]): Promise<Counts> {
  const directory = await mkdtemp(join(tmpdir(), "tests-"))
  const report = join(directory, "report.json")
  try {
    const child = spawn(
      "vitest",
      [
        "run",
        // The Worker logs a lot; what matters is what it logged before a test failed.
        "--silent=passed-only",
        "--reporter=default",
        "--reporter=json",
        `--outputFile.json=${report}`,
        ...parameters,
      ],
      { stdio: ["ignore", "inherit", "inherit"] },
    )
    const [code] = await once(child, "close")
    const counts = await readReport(report)
    // A file that does not load has no tests to fail.
    if (code !== 0 && counts.failed === 0) counts.failed = 1
    for (const failure of counts.failures) console.error(`FAILED: ${failure}`)
    return counts
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** What of vitest's report is read here. */
interface Report {
  numPassedTests?: number
  numFailedTests?: number
  numPendingTests?: number
  numTodoTests?: number
  testResults?: {
    name: string
    status: string
    assertionResults: { status: string; fullName: string }[]
  }[]
}

async function readReport(file: string): Promise<Counts> {
  let report: Report = {}
  try {
    report = JSON.parse(await readFile(file, "utf8"))
  } catch {
    // Vitest ended before it could report: nothing passed.
  }
  const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0 } = report
  return {
    passed: numPassedTests,
    failed: numFailedTests,
    skipped: numPendingTests + numTodoTests,
    failures: (report.testResults ?? []).flatMap(({ name, status, assertionResults }) => {
      const path = relative(".", name)
      const failed = assertionResults.filter((test) => test.status === "failed")
      if (failed.length === 0 && status === "failed") return [`${path} does not load`]
      return failed.map(({ fullName }) => `${path}: ${fullName}`)
    }),
  }
}

async function summarise(counts: Counts): Promise<void> {
  const file = process.env.TEST_SUMMARY
  if (file) await writeFile(file, JSON.stringify(counts))
}
