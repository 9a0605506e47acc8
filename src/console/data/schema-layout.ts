/*
 * Where collections stand in the diagram, and how the lines between them run: in columns, so that every relation leads to the
 * right, from the one that points to the one that is pointed at; what passes a column on its way has a lane of its own there,
 * and so runs behind no box. After Sugiyama, Tagawa and Toda (1981), for the tens of boxes that a schema has. No I/O.
 */

export interface Node {
  readonly id: string
  readonly height: number
}

/** A relation; `row` is how far below the top of its box it begins. */
export interface Edge {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly row: number
}

export interface Box {
  readonly x: number
  readonly y: number
  readonly height: number
}

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Layout {
  readonly width: number
  readonly height: number
  readonly boxes: ReadonlyMap<string, Box>
  /** Corners of each line, from its field to the head of the box that it points at. Straight between the two of a column. */
  readonly lines: ReadonlyMap<string, readonly Point[]>
}

export interface Measures {
  readonly boxWidth: number
  readonly gapX: number
  readonly gapY: number
  /** From the top of a box to the middle of its head. */
  readonly head: number
}

/** What stands in a column: a box, or the lane of a line that passes. */
interface Slot {
  readonly id: string
  readonly height: number
}

const laneHeight = 14

export function layOut(nodes: readonly Node[], edges: readonly Edge[], sizes: Measures): Layout {
  const known = new Set(nodes.map(({ id }) => id))
  const drawn = edges.filter(({ from, to }) => known.has(from) && known.has(to))
  const columnOf = columnsOf(nodes, drawn)
  const columns: Slot[][] = []
  for (const node of nodes) slotsAt(columns, columnOf.get(node.id) as number).push(node)
  const links: [string, string][] = []
  for (const edge of drawn) {
    for (const [one, next] of pairs(stopsOf(edge, columnOf, columns))) links.push([one, next])
  }
  order(columns, links)
  const places = place(columns, links, sizes.gapY)
  const boxes = new Map<string, Box>()
  const pitch = sizes.boxWidth + sizes.gapX
  for (const { id, height } of nodes) {
    const x = margin + (columnOf.get(id) as number) * pitch
    boxes.set(id, { x, y: places.get(id) as number, height })
  }
  const lines = new Map(
    drawn.map((edge) => [edge.id, cornersOf(edge, columnOf, boxes, places, sizes)]),
  )
  return {
    width: margin + columns.length * pitch - sizes.gapX + loopRoom,
    height: margin + Math.max(0, ...[...boxes.values()].map(({ y, height }) => y + height)),
    boxes,
    lines,
  }
}

/** For the stroke of the outermost boxes. */
const margin = 2
/** Right of a box, for what points at itself. */
const loopRoom = 24

const slotsAt = (columns: Slot[][], column: number): Slot[] => {
  while (columns.length <= column) columns.push([])
  return columns[column] as Slot[]
}

const pairs = <T>(items: readonly T[]): [T, T][] =>
  items.slice(1).map((item, i) => [items[i] as T, item])

/** Each box in a column left of all that it points at. Of relations that go round, one leads back. */
function columnsOf(nodes: readonly Node[], edges: readonly Edge[]): Map<string, number> {
  const targets = new Map(nodes.map(({ id }) => [id, [] as string[]]))
  for (const { from, to } of edges) if (from !== to) targets.get(from)?.push(to)
  const depths = new Map<string, number>()
  const under = new Set<string>()
  const depth = (id: string): number => {
    const found = depths.get(id)
    if (found !== undefined) return found
    under.add(id)
    let deepest = 0
    for (const to of targets.get(id) ?? []) {
      if (!under.has(to)) deepest = Math.max(deepest, depth(to) + 1)
    }
    under.delete(id)
    depths.set(id, deepest)
    return deepest
  }
  for (const { id } of nodes) depth(id)
  const last = Math.max(0, ...depths.values())
  return new Map(nodes.map(({ id }) => [id, last - (depths.get(id) as number)]))
}

const laneOf = (edge: Edge, column: number): string => `${edge.id} ${column}`

/** Where a line stops, from left to right; its lanes are put into their columns. */
function stopsOf(edge: Edge, columnOf: ReadonlyMap<string, number>, columns: Slot[][]): string[] {
  const [left, right] = endsOf(edge, columnOf)
  const stops = [left]
  const last = columnOf.get(right) as number
  for (let column = (columnOf.get(left) as number) + 1; column < last; column++) {
    const id = laneOf(edge, column)
    slotsAt(columns, column).push({ id, height: laneHeight })
    stops.push(id)
  }
  if (right !== left) stops.push(right)
  return stops
}

const endsOf = ({ from, to }: Edge, columnOf: ReadonlyMap<string, number>): [string, string] =>
  (columnOf.get(from) as number) <= (columnOf.get(to) as number) ? [from, to] : [to, from]

/** Neighbours beside each other, so that few lines cross: each slot towards the middle of those that it is linked to. */
function order(columns: Slot[][], links: readonly (readonly [string, string])[]): void {
  for (let round = 0; round < 8; round++) {
    const leftwards = round % 2 === 0
    const sequence = leftwards ? [...columns].reverse() : columns
    for (const column of sequence) {
      const ranks = new Map(
        columns.flatMap((slots) => slots.map(({ id }, i) => [id, (i + 0.5) / slots.length])),
      )
      const wish = new Map(
        column.map(({ id }) => {
          const near = links.flatMap(([left, right]) =>
            leftwards ? (left === id ? [right] : []) : right === id ? [left] : [],
          )
          const sum = near.reduce((sum, other) => sum + (ranks.get(other) as number), 0)
          return [id, near.length > 0 ? sum / near.length : (ranks.get(id) as number)]
        }),
      )
      column.sort((a, b) => (wish.get(a.id) as number) - (wish.get(b.id) as number))
    }
  }
}

/** The top of every slot: those of a column below each other, and then as near to their neighbours as that allows. */
function place(
  columns: readonly (readonly Slot[])[],
  links: readonly (readonly [string, string])[],
  gap: number,
): ReadonlyMap<string, number> {
  const tops = new Map<string, number>()
  const heights = new Map<string, number>()
  for (const column of columns) {
    let y = margin
    for (const { id, height } of column) {
      tops.set(id, y)
      heights.set(id, height)
      y += height + gap
    }
  }
  const middle = (id: string) => (tops.get(id) as number) + (heights.get(id) as number) / 2
  for (let round = 0; round < 6; round++) {
    for (const column of round % 2 === 0 ? columns : [...columns].reverse()) {
      const wishes = column.map(({ id, height }) => {
        const near = links.flatMap(([left, right]) =>
          left === id ? [right] : right === id ? [left] : [],
        )
        if (near.length === 0) return tops.get(id) as number
        return near.reduce((sum, other) => sum + middle(other), 0) / near.length - height / 2
      })
      spread(column, wishes, gap).forEach((y, i) => {
        tops.set((column[i] as Slot).id, y)
      })
    }
  }
  const highest = Math.min(...tops.values())
  for (const [id, y] of tops) tops.set(id, y - highest + margin)
  return tops
}

/** Tops in their order and apart, each run of those that touch at the mean of what its members wish. */
function spread(column: readonly Slot[], wishes: readonly number[], gap: number): number[] {
  const runs: { first: number; offsets: number[]; sum: number; length: number }[] = []
  column.forEach(({ height }, i) => {
    let run = { first: i, offsets: [0], sum: wishes[i] as number, length: height + gap }
    for (let above = runs.at(-1); above; above = runs.at(-1)) {
      const top = above.sum / above.offsets.length
      if (top + above.length <= run.sum / run.offsets.length) break
      const shift = above.length
      runs.pop()
      run = {
        first: above.first,
        offsets: [...above.offsets, ...run.offsets.map((offset) => offset + shift)],
        sum: above.sum + run.sum - shift * run.offsets.length,
        length: above.length + run.length,
      }
    }
    runs.push(run)
  })
  return runs.flatMap(({ offsets, sum }) => offsets.map((it) => sum / offsets.length + it))
}

/** From the field to the head of its target: out of one side, along the lanes, into the other side. */
function cornersOf(
  edge: Edge,
  columnOf: ReadonlyMap<string, number>,
  boxes: ReadonlyMap<string, Box>,
  places: ReadonlyMap<string, number>,
  { boxWidth, gapX, head }: Measures,
): Point[] {
  const from = boxes.get(edge.from) as Box
  const to = boxes.get(edge.to) as Box
  const start = from.y + edge.row
  const end = to.y + head
  if (edge.from === edge.to) {
    // Down beside itself.
    const x = from.x + boxWidth
    return [
      { x, y: start },
      { x: x + 16, y: start },
      { x: x + 16, y: end },
      { x, y: end },
    ]
  }
  const [a, b] = [columnOf.get(edge.from) as number, columnOf.get(edge.to) as number]
  const step = a < b ? 1 : -1
  const corners: Point[] = [{ x: a < b ? from.x + boxWidth : from.x, y: start }]
  for (let column = a + step; column !== b; column += step) {
    const x = margin + column * (boxWidth + gapX)
    const y = (places.get(laneOf(edge, column)) as number) + laneHeight / 2
    const sides = [
      { x, y },
      { x: x + boxWidth, y },
    ]
    corners.push(...(step > 0 ? sides : sides.reverse()))
  }
  corners.push({ x: a < b ? to.x : to.x + boxWidth, y: end })
  return corners
}
