import { describe, expect, test } from "vitest"
import { nextOccurrence, parseCron } from "../../../src/core/jobs/cron.ts"

type Row = readonly [expression: string, zone: string, after: string, due: readonly string[]]

/** As many occurrences after `after` as are expected; `never` for none. */
function occurrences([expression, zone, after, { length }]: Row): string[] {
  const cron = parseCron(expression, zone)
  const found: string[] = []
  for (let at: number | null = Date.parse(after); found.length < length; ) {
    at = nextOccurrence(cron, at)
    if (at === null) return [...found, "never"]
    found.push(new Date(at).toISOString().replace(":00.000Z", "Z"))
  }
  return found
}

const table = (rows: readonly Row[]) =>
  test.each(rows)("%s in %s after %s", (...row) => expect(occurrences(row)).toEqual(row[3]))

describe("the fields say when a schedule is due:", () => {
  table([
    ["* * * * *", "UTC", "2025-01-01T00:00Z", ["2025-01-01T00:01Z", "2025-01-01T00:02Z"]],
    ["* * * * *", "UTC", "2025-01-01T00:00:00.001Z", ["2025-01-01T00:01Z"]],
    ["* * * * *", "UTC", "2024-12-31T23:59:59.999Z", ["2025-01-01T00:00Z"]],
    ["@hourly", "UTC", "2025-01-01T00:00Z", ["2025-01-01T01:00Z"]],
    ["@daily", "UTC", "2025-01-01T00:00Z", ["2025-01-02T00:00Z"]],
    ["@weekly", "UTC", "2025-01-01T00:00Z", ["2025-01-05T00:00Z"]],
    ["@monthly", "UTC", "2025-01-01T00:00Z", ["2025-02-01T00:00Z"]],
    ["@yearly", "UTC", "2025-01-01T00:00Z", ["2026-01-01T00:00Z"]],
    ["  0\t9  * * 1 ", "UTC", "2025-01-01T00:00Z", ["2025-01-06T09:00Z", "2025-01-13T09:00Z"]],
    ["5,35,20 8 * * *", "UTC", "2025-01-01T08:05Z", ["2025-01-01T08:20Z", "2025-01-01T08:35Z"]],
    ["0 9-17/4 * * *", "UTC", "2025-01-01T08:00Z", ["2025-01-01T09:00Z", "2025-01-01T13:00Z"]],
    ["*/25 0 * * *", "UTC", "2025-01-01T00:25Z", ["2025-01-01T00:50Z", "2025-01-02T00:00Z"]],
    ["0 0 1 jan,Jul *", "UTC", "2025-01-01T00:00Z", ["2025-07-01T00:00Z", "2026-01-01T00:00Z"]],
    ["0 0 * * FRI-SUN", "UTC", "2025-01-03T00:00Z", ["2025-01-04T00:00Z", "2025-01-05T00:00Z"]],
    ["0 0 * * SUN-SUN", "UTC", "2025-01-01T00:00Z", ["2025-01-05T00:00Z", "2025-01-12T00:00Z"]],
    ["0 0 * * 7", "UTC", "2025-01-01T00:00Z", ["2025-01-05T00:00Z"]],
    ["0 0 * * 5-7", "UTC", "2025-01-04T00:00Z", ["2025-01-05T00:00Z", "2025-01-10T00:00Z"]],
    ["0 9 3 * MON", "UTC", "2025-01-01T00:00Z", ["2025-01-03T09:00Z", "2025-01-06T09:00Z"]],
    ["0 9 */2 * MON", "UTC", "2025-03-01T00:00Z", ["2025-03-03T09:00Z", "2025-03-17T09:00Z"]],
    ["0 9 1-7 * */7", "UTC", "2025-03-01T00:00Z", ["2025-03-02T09:00Z", "2025-04-06T09:00Z"]],
    ["0 0 31 * *", "UTC", "2025-01-31T00:00Z", ["2025-03-31T00:00Z", "2025-05-31T00:00Z"]],
    ["0 0 29 2 *", "UTC", "2096-02-29T00:00Z", ["2104-02-29T00:00Z"]],
    ["0 0 29 2 */7", "UTC", "2088-02-29T00:00Z", ["2128-02-29T00:00Z"]],
    ["0 0 31 2 *", "UTC", "2025-01-01T00:00Z", ["never"]],
    ["*/5 * 31 2,4 *", "Europe/Berlin", "2025-01-01T00:00Z", ["never"]],
    ["0 9 * * *", "Asia/Kathmandu", "2025-01-01T00:00Z", ["2025-01-01T03:15Z"]],
    ["*/15 * * * *", "Asia/Kathmandu", "2025-01-01T00:00Z", ["2025-01-01T00:15Z"]],
    ["0 */12 * * *", "Asia/Kathmandu", "2025-01-01T00:00Z", ["2025-01-01T06:15Z"]],
    ["0 12 1 7 *", "Europe/London", "2025-01-01T00:00Z", ["2025-07-01T11:00Z"]],
    ["0 12 1 1 *", "Europe/London", "2025-01-01T12:00Z", ["2026-01-01T12:00Z"]],
  ])
})

describe("a time that the clock skips is due once, at the end of the gap, when hours are given:", () => {
  table([
    [
      "30 2 * * *",
      "Europe/Berlin",
      "2025-03-29T12:00Z",
      ["2025-03-30T01:00Z", "2025-03-31T00:30Z"],
    ],
    ["30 2 * * *", "Europe/Berlin", "2025-03-30T00:59:59.999Z", ["2025-03-30T01:00Z"]],
    ["0 3 * * *", "Europe/Berlin", "2025-03-29T12:00Z", ["2025-03-30T01:00Z", "2025-03-31T01:00Z"]],
    [
      "0 2,3 * * *",
      "Europe/Berlin",
      "2025-03-29T12:00Z",
      ["2025-03-30T01:00Z", "2025-03-31T00:00Z"],
    ],
    [
      "*/15 2 * * *",
      "Europe/Berlin",
      "2025-03-30T00:00Z",
      ["2025-03-30T01:00Z", "2025-03-31T00:00Z"],
    ],
    [
      "30 1-3 * * *",
      "Europe/Berlin",
      "2025-03-30T00:30Z",
      ["2025-03-30T01:00Z", "2025-03-30T01:30Z"],
    ],
    [
      "30 2 30 3 *",
      "Europe/Berlin",
      "2025-01-01T00:00Z",
      ["2025-03-30T01:00Z", "2026-03-30T00:30Z"],
    ],
    [
      "30 2 * * *",
      "America/New_York",
      "2025-03-08T12:00Z",
      ["2025-03-09T07:00Z", "2025-03-10T06:30Z"],
    ],
    [
      "30 1 * * *",
      "Europe/London",
      "2025-03-29T12:00Z",
      ["2025-03-30T01:00Z", "2025-03-31T00:30Z"],
    ],
    [
      "0 0 * * *",
      "America/Sao_Paulo",
      "2018-11-03T12:00Z",
      ["2018-11-04T03:00Z", "2018-11-05T02:00Z"],
    ],
    ["0 0 * * *", "Africa/Cairo", "2023-04-27T12:00Z", ["2023-04-27T22:00Z", "2023-04-28T21:00Z"]],
    ["30 0 * * *", "Asia/Tehran", "2022-03-21T12:00Z", ["2022-03-21T20:30Z", "2022-03-22T20:00Z"]],
    [
      "15 2 * * *",
      "Australia/Lord_Howe",
      "2025-10-04T12:00Z",
      ["2025-10-04T15:30Z", "2025-10-05T15:15Z"],
    ],
  ])
})

describe("so it is when the gap ends on another day:", () => {
  table([
    [
      "30 23 * * *",
      "America/Nuuk",
      "2025-03-29T12:00Z",
      ["2025-03-30T01:00Z", "2025-03-31T00:30Z"],
    ],
    [
      "30 23 * * SAT",
      "America/Nuuk",
      "2025-03-29T12:00Z",
      ["2025-03-30T01:00Z", "2025-04-06T00:30Z"],
    ],
    ["0 9 * * *", "Pacific/Apia", "2011-12-29T19:00Z", ["2011-12-30T10:00Z", "2011-12-30T19:00Z"]],
    ["0 0 * * *", "Pacific/Apia", "2011-12-29T10:00Z", ["2011-12-30T10:00Z", "2011-12-31T10:00Z"]],
    [
      "0 9 30 12 *",
      "Pacific/Apia",
      "2011-01-01T00:00Z",
      ["2011-12-30T10:00Z", "2012-12-29T19:00Z"],
    ],
  ])
})

describe("a time that comes twice is due at the first of both, when hours are given:", () => {
  table([
    [
      "30 2 * * *",
      "Europe/Berlin",
      "2025-10-25T12:00Z",
      ["2025-10-26T00:30Z", "2025-10-27T01:30Z"],
    ],
    ["30 2 * * *", "Europe/Berlin", "2025-10-26T01:15Z", ["2025-10-27T01:30Z"]],
    [
      "30 2-3 * * *",
      "Europe/Berlin",
      "2025-10-25T23:00Z",
      ["2025-10-26T00:30Z", "2025-10-26T02:30Z"],
    ],
    [
      "*/30 2 * * *",
      "Europe/Berlin",
      "2025-10-26T00:00Z",
      ["2025-10-26T00:30Z", "2025-10-27T01:00Z"],
    ],
    [
      "30 1 * * *",
      "America/New_York",
      "2025-11-01T12:00Z",
      ["2025-11-02T05:30Z", "2025-11-03T06:30Z"],
    ],
    [
      "30 1 * * *",
      "Europe/London",
      "2025-10-25T12:00Z",
      ["2025-10-26T00:30Z", "2025-10-27T01:30Z"],
    ],
    [
      "30 23 * * *",
      "America/Sao_Paulo",
      "2018-02-17T12:00Z",
      ["2018-02-18T01:30Z", "2018-02-19T02:30Z"],
    ],
    [
      "30 23 * * *",
      "Africa/Cairo",
      "2023-10-26T12:00Z",
      ["2023-10-26T20:30Z", "2023-10-27T21:30Z"],
    ],
    ["30 23 * * *", "Asia/Tehran", "2022-09-21T12:00Z", ["2022-09-21T19:00Z", "2022-09-22T20:00Z"]],
    [
      "45 1 * * *",
      "Australia/Lord_Howe",
      "2025-04-05T00:00Z",
      ["2025-04-05T14:45Z", "2025-04-06T15:15Z"],
    ],
  ])
})

describe("a wildcard or a step among the hours follows elapsed time:", () => {
  const hourly = ["2025-03-30T00:00Z", "2025-03-30T01:00Z", "2025-03-30T02:00Z"]
  const twice = ["2025-10-26T00:30Z", "2025-10-26T01:00Z", "2025-10-26T01:30Z", "2025-10-26T02:00Z"]
  const lordHowe = ["2025-04-05T14:45Z", "2025-04-05T15:00Z", "2025-04-05T15:15Z"]
  table([
    ["0 * * * *", "Europe/Berlin", "2025-03-29T23:30Z", hourly],
    ["*/30 * * * *", "Europe/Berlin", "2025-10-26T00:00Z", twice],
    [
      "0 */2 * * *",
      "Europe/Berlin",
      "2025-03-29T22:30Z",
      ["2025-03-29T23:00Z", "2025-03-30T02:00Z"],
    ],
    [
      "0 0-22/2 * * *",
      "Europe/Berlin",
      "2025-10-26T00:00Z",
      ["2025-10-26T01:00Z", "2025-10-26T03:00Z"],
    ],
    [
      "5 1,*/2 * * *",
      "Europe/Berlin",
      "2025-10-26T00:05Z",
      ["2025-10-26T01:05Z", "2025-10-26T03:05Z"],
    ],
    ["*/15 * * * *", "Australia/Lord_Howe", "2025-04-05T14:30Z", lordHowe],
    ["0 * * * *", "Australia/Lord_Howe", "2025-10-04T15:00Z", ["2025-10-04T16:00Z"]],
    [
      "0 */6 * * *",
      "Pacific/Apia",
      "2011-12-30T04:00Z",
      ["2011-12-30T10:00Z", "2011-12-30T16:00Z"],
    ],
    ["0 * 30 12 *", "Pacific/Apia", "2011-01-01T00:00Z", ["2012-12-29T10:00Z"]],
    // The clock goes back into a day that had ended.
    [
      "30 * 17 2 *",
      "America/Sao_Paulo",
      "2018-02-18T01:30Z",
      ["2018-02-18T02:30Z", "2019-02-17T03:30Z"],
    ],
  ])
})

describe("what is no schedule is refused:", () => {
  const fiveFields = "it takes five fields"
  test.each<[expression: string, reason: string]>([
    ["", fiveFields],
    ["* * * *", fiveFields],
    ["0 * * * * *", fiveFields],
    ["0 0 9 * * 1 2026", fiveFields],
    ["@reboot", fiveFields],
    ["@daily @daily", fiveFields],
    ["60 * * * *", 'its minute has "60", which is not from 0 to 59'],
    ["-1 * * * *", 'its minute has "-1"'],
    ["1.5 * * * *", 'its minute has "1.5"'],
    ["1e1 * * * *", 'its minute has "1E1", which is not from 0 to 59'],
    ["1,,2 * * * *", 'its minute has ""'],
    ["*/0 * * * *", 'its minute has "*/0": a step is from 1 to 59'],
    ["*/60 * * * *", 'its minute has "*/60": a step is from 1 to 59'],
    ["5/10 * * * *", 'its minute has "5/10": a step wants "*" or a range'],
    ["*-5 * * * *", 'its minute has "*-5"'],
    ["JAN * * * *", 'its minute has "JAN", which is not from 0 to 59'],
    ["0 24 * * *", 'its hour has "24", which is not from 0 to 23'],
    ["0 22-2 * * *", 'its hour has "22-2": a range has to ascend'],
    ["0 0 0 * *", 'its day of the month has "0", which is not from 1 to 31'],
    ["0 0 L * *", 'its day of the month has "L", which is not from 1 to 31'],
    ["0 0 15W * *", 'its day of the month has "15W", which is not from 1 to 31'],
    ["0 0 * 13 *", 'its month has "13", which is not from 1 to 12'],
    ["0 0 * JANUARY *", 'its month has "JANUARY", which is not from 1 to 12'],
    ["0 0 * * 8", 'its day of the week has "8", which is not from 0 to 7'],
    ["0 0 * * MON#1", 'its day of the week has "MON#1"'],
    ["0 0 ? * MON", 'its day of the month has "?"'],
  ])("%s", (expression, reason) => {
    const parse = () => parseCron(expression, "UTC")
    expect(parse).toThrow(Error)
    expect(parse).toThrow(`The schedule "${expression}" is wrong: ${reason}`)
  })

  test.each(["", "Nowhere/Land", "Europe/Berlin ", "CEST"])("the time zone %j", (zone) => {
    expect(() => parseCron("0 9 * * *", zone)).toThrow(
      `The schedule "0 9 * * *" is wrong: there is no time zone "${zone}"`,
    )
  })
})
