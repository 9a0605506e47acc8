import { raw } from "../../platform/sql.ts"
import type { Operand } from "./checked.ts"
import {
  type Box,
  bandColumn,
  bandsOf,
  earthRadiusMetres,
  halfRadiansPerDegree,
  longitudeColumn,
  longitudesOf,
  type Point,
  radiansPerDegree,
} from "./geo.ts"
import { every, parameter, some, subquery, type Term, term } from "./terms.ts"
import type { RowSource } from "./types.ts"

const latitudeOf = (point: Term): Term => term`json_extract(${point}, '$.latitude')`
const longitudeOf = (point: Term): Term => term`json_extract(${point}, '$.longitude')`

/** `distanceMetres`, step by step the same; null where there is no point. */
export function distanceToSql(point: Term, { latitude, longitude }: Point): Term {
  const half = raw(`* ${halfRadiansPerDegree}`)
  const squared = (angle: Term): Term => {
    const sine = term`sin(${angle})`
    return term`(${sine} * ${sine})`
  }
  const rise = squared(term`(${latitudeOf(point)} - ${latitude}) ${half}`)
  const turn = squared(term`(${longitudeOf(point)} - ${longitude}) ${half}`)
  const cosine = term`cos(${latitudeOf(point)} * ${raw(String(radiansPerDegree))})`
  const cosines = term`(${Math.cos(latitude * radiansPerDegree)} * ${cosine})`
  const haversine = term`${rise} + ${term`(${cosines} * ${turn})`}`
  const sine = term`min(1, ${term`sqrt(${haversine})`})`
  return term`${raw(String(2 * earthRadiusMetres))} * ${term`asin(${sine})`}`
}

/** Whether a point lies in a box. */
export function withinToSql(point: Term, box: Box): Term {
  const latitude = term`${latitudeOf(point)} BETWEEN ${box.south} AND ${box.north}`
  const longitudes = longitudesOf(box).map(
    ([west, east]) => term`${longitudeOf(point)} BETWEEN ${west} AND ${east}`,
  )
  return every([latitude, some(longitudes)])
}

/**
 * What the index of a point narrows the rows of a box down to; null where there is no index to ask: behind a relation,
 * behind a rule of the field, in a row that is not the table's own, or where one row is looked at anyway.
 */
export function narrowing(point: Operand, box: Box, row: RowSource, oneRow: boolean): Term | null {
  const bare =
    point.kind === "path" && point.root === "row" && point.steps.length === 0 && row.stored === true
  if (!bare || oneRow || !point.field.indexed || point.fieldRule !== true) return null
  const bands = parameter(JSON.stringify(bandsOf(box)))
  const inBands = term`${row.column(bandColumn(point.field.column))} IN ${subquery`(SELECT value FROM json_each(${bands}))`}`
  const longitude = row.column(longitudeColumn(point.field.column))
  // Each range stands beside its bands, so that SQLite can seek both.
  return some(
    longitudesOf(box).map(([west, east]) =>
      every([inBands, term`${longitude} BETWEEN ${west} AND ${east}`]),
    ),
  )
}
