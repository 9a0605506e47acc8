/** A number from `from` to `to`, the next of a film's own sequence. */
export type Chance = (from: number, to: number) => number

/** One shape of a drawing of 200 by 300: an SVG element's name and its attributes. */
export type Shape = readonly [string, Readonly<Record<string, string | number>>]

type Motif = (chance: Chance, first: string, second: string) => Shape[]

const circle = (cx: number, cy: number, r: number, fill: string): Shape => [
  "circle",
  { cx, cy, r, fill },
]
const path = (d: string, fill: string, opacity = 1): Shape => ["path", { d, fill, opacity }]
const count = <T>(n: number, make: (i: number) => T): T[] =>
  Array.from({ length: n }, (_, i) => make(i))
const whole = (chance: Chance, from: number, to: number) => Math.floor(chance(from, to + 1))

/** A sun over a striped sea. */
const sun: Motif = (chance, first, second) => {
  const horizon = chance(110, 150)
  const lines = whole(chance, 4, 7)
  return [
    circle(chance(50, 150), horizon - chance(5, 45), chance(38, 64), second),
    ...count(lines, (i) => {
      const y = horizon + i * 13
      return path(`M0 ${y}h200v${11 - i * 1.4}H0z`, first)
    }),
  ]
}

/** Rings around a corner, as of an amphitheatre. */
const rings: Motif = (chance, first, second) => {
  const right = chance(0, 1) > 0.5
  const rim = chance(150, 190)
  return count(5, (i) => circle(right ? 200 : 0, 0, rim - i * 34, i % 2 ? second : first))
}

/** Slanting bars, as rain or light through blinds. */
const bars: Motif = (chance, first, second) => {
  const slant = chance(-90, 90)
  const width = chance(9, 22)
  return count(9, (i) => {
    const x = i * 34 - 60 + chance(-8, 8)
    const length = chance(90, 185)
    const lean = (slant * length) / 185
    return path(
      `M${x} 0h${width}l${lean} ${length}h${-width}z`,
      chance(0, 1) > 0.3 ? first : second,
      0.9,
    )
  })
}

/** Quarter circles in a grid, each turned its own way. */
const tiles: Motif = (chance, first, second) => {
  const side = 50
  const turns = ["M0 0h50a50 50 0 0 1-50 50z", "M50 0v50a50 50 0 0 1-50-50z"]
  turns.push("M50 50h-50a50 50 0 0 1 50-50z", "M0 50v-50a50 50 0 0 1 50 50z", "M0 0h50v50h-50z")
  return count(16, (i): Shape => {
    const d = turns[whole(chance, 0, turns.length - 1)] as string
    const x = (i % 4) * side
    const y = Math.floor(i / 4) * side - 12
    const fill = ["none", first, first, second][whole(chance, 0, 3)] as string
    // The stroke closes the seams between neighbours.
    return ["path", { d, fill, stroke: fill, "stroke-width": 1, transform: `translate(${x} ${y})` }]
  })
}

/** Hills, one behind another. */
const hills: Motif = (chance, first, second) => {
  const moon = circle(chance(35, 165), chance(30, 60), chance(12, 24), second)
  return [
    moon,
    ...count(4, (i) => {
      const y = 80 + i * 28
      const rise = chance(14, 42)
      const x = chance(40, 160)
      return path(
        `M0 ${y}Q${x / 2} ${y - rise} ${x} ${y}T200 ${y}V${y + 26 - i * 3}Q${x} ${y - rise + 34} 0 ${y + 24}z`,
        i % 3 === 1 ? second : first,
        0.95 - i * 0.13,
      )
    }),
  ]
}

/** Dots that dwindle away from one place. */
const dots: Motif = (chance, first, second) => {
  const fromX = chance(20, 180)
  const fromY = chance(10, 120)
  const odd = whole(chance, 0, 89)
  return count(90, (i) => {
    const x = (i % 9) * 22 + 12
    const y = Math.floor(i / 9) * 20 + 6
    const r = Math.max(1, 10.5 - Math.hypot(x - fromX, y - fromY) / 15)
    return circle(x, y, r, i === odd ? second : first)
  })
}

/** The projector's beam. */
const beam: Motif = (chance, first, second) => {
  const left = chance(0, 1) > 0.5
  const x = left ? chance(10, 40) : chance(160, 190)
  const y = chance(22, 60)
  const away = left ? 210 : -10
  return [
    path(`M${x} ${y}L${away} ${chance(60, 95)}V${chance(165, 195)}z`, first, 0.85),
    path(`M${x} ${y}L${away} ${chance(105, 118)}V${chance(130, 150)}z`, second, 0.9),
    circle(x, y, chance(13, 20), second),
    circle(x, y, 6, first),
  ]
}

/** Two moons that eclipse each other. */
const eclipse: Motif = (chance, first, second) => {
  const x = chance(75, 125)
  const y = chance(75, 105)
  const r = chance(50, 68)
  return [
    circle(x, y, r, second),
    circle(x + chance(-34, 34), y + chance(-26, 26), r - chance(2, 14), first),
    ...count(3, (i) => path(`M0 ${y + r + 12 + i * 9}h200v2.5H0z`, second, 0.8)),
  ]
}

export const motifs: readonly Motif[] = [sun, rings, bars, tiles, hills, dots, beam, eclipse]
