/*
 * Places on the earth, WGS 84, as a sphere: where a box lies, how far two points are apart, and in which band of latitude
 * an index looks for them. Pure.
 */

/**
 * Decimal degrees. Members have names, because no order of two numbers is safe: GeoJSON puts the longitude first, most
 * people and `geo:` URIs (RFC 5870) the latitude.
 */
export interface Point {
  readonly latitude: number
  readonly longitude: number
}

/** South is not north of north. Where west is east of east the box lies across the antimeridian. */
export interface Box {
  readonly south: number
  readonly west: number
  readonly north: number
  readonly east: number
}

/** The mean radius of the earth (IUGG), in metres. Distances are off by half a percent at most, as for any sphere. */
export const earthRadiusMetres = 6_371_008.8

export const radiansPerDegree = Math.PI / 180
export const halfRadiansPerDegree = radiansPerDegree / 2

/** Metres along the great circle, by the haversine formula, which is sound for near points. */
export function distanceMetres(from: Point, to: Point): number {
  const rise = Math.sin((from.latitude - to.latitude) * halfRadiansPerDegree)
  const turn = Math.sin((from.longitude - to.longitude) * halfRadiansPerDegree)
  const cosines =
    Math.cos(to.latitude * radiansPerDegree) * Math.cos(from.latitude * radiansPerDegree)
  const haversine = rise * rise + cosines * (turn * turn)
  return 2 * earthRadiusMetres * Math.asin(Math.min(1, Math.sqrt(haversine)))
}

/** A closed range of longitudes within -180 to 180. */
export type LongitudeRange = readonly [west: number, east: number]

/** The longitudes of a box. 180 and -180 are one meridian, so what ends at one of them takes the other in. */
export function longitudesOf({ west, east }: Pick<Box, "west" | "east">): LongitudeRange[] {
  if (west > east) {
    return [
      [west, 180],
      [-180, east],
    ]
  }
  const ranges: LongitudeRange[] = [[west, east]]
  if (east === 180 && west > -180) ranges.push([-180, -180])
  if (west === -180 && east < 180) ranges.push([180, 180])
  return ranges
}

export const isWithin = ({ latitude, longitude }: Point, box: Box): boolean =>
  latitude >= box.south &&
  latitude <= box.north &&
  longitudesOf(box).some(([west, east]) => longitude >= west && longitude <= east)

/** Degrees by which a box is wider than it has to be, so that no rounding leaves a point out. */
const margin = 1e-6

/**
 * A box that holds everything within so many metres of a point; null where that is all of the earth.
 *
 * @see http://janmatuschek.de/LatitudeLongitudeBoundingCoordinates
 */
export function boxAround({ latitude, longitude }: Point, metres: number): Box | null {
  const angle = Math.max(0, metres) / earthRadiusMetres
  if (!(angle < Math.PI)) return null
  const reach = angle / radiansPerDegree + margin
  const [south, north] = [latitude - reach, latitude + reach]
  // Around a pole lie all longitudes.
  if (south <= -90 || north >= 90) {
    return { south: Math.max(south, -90), west: -180, north: Math.min(north, 90), east: 180 }
  }
  const wide =
    Math.asin(Math.min(1, Math.sin(angle) / Math.cos(latitude * radiansPerDegree))) /
      radiansPerDegree +
    margin
  if (wide >= 180) return { south, west: -180, north, east: 180 }
  return { south, west: wrapped(longitude - wide), north, east: wrapped(longitude + wide) }
}

const wrapped = (longitude: number): number =>
  longitude < -180 ? longitude + 360 : longitude > 180 ? longitude - 360 : longitude

/**
 * Bands of latitude to a degree: 1.7 km high. The index of a point holds band and longitude, so a box is read as one range
 * of longitudes a band: what it reads beyond itself is a part of its first and last band. A plain index needs no
 * triggers, begins with the organisation, and outlives rebuilds and restores, where an R*Tree would hold all tenants in
 * one tree and be one more virtual table that `d1 export` refuses.
 */
export const bandsPerDegree = 64

/** 0 at the south pole, 11,520 at the north pole. */
export const bandOf = (latitude: number): number => Math.floor((latitude + 90) * bandsPerDegree)

/** The bands that a box touches, from south to north. */
export function bandsOf({ south, north }: Pick<Box, "south" | "north">): number[] {
  const first = bandOf(Math.max(south, -90))
  const count = bandOf(Math.min(north, 90)) - first + 1
  return Array.from({ length: Math.max(0, count) }, (_, n) => first + n)
}

/** Columns that are computed from the one that holds the point, for its index. */
export const bandColumn = (column: string): string => `${column}_band`
export const longitudeColumn = (column: string): string => `${column}_longitude`
