import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type Edge, type Layout, layOut, type Node } from "../../src/console/data/schema-layout.ts"

const sizes = { boxWidth: 200, gapX: 72, gapY: 24, head: 17 }

/** Any schema: relations that go round, that point at themselves, and several between the same two. */
const schema = fc.integer({ min: 1, max: 12 }).chain((count) => {
  const id = fc.integer({ min: 0, max: count - 1 }).map((n) => `c${n}`)
  return fc.record({
    nodes: fc
      .array(fc.integer({ min: 40, max: 200 }), { minLength: count, maxLength: count })
      .map((heights) => heights.map((height, n): Node => ({ id: `c${n}`, height }))),
    edges: fc
      .array(fc.record({ from: id, to: id, row: fc.integer({ min: 30, max: 39 }) }), {
        maxLength: 24,
      })
      .map((edges) => edges.map((edge, n): Edge => ({ id: `e${n}`, ...edge }))),
  })
})

const boxesOf = ({ boxes }: Layout) =>
  [...boxes].map(([id, { x, y, height }]) => ({
    ...{ id, left: x, top: y, right: x + sizes.boxWidth, bottom: y + height },
  }))

describe("the schema's layout", () => {
  test("no box covers another, and all lie within the picture", () => {
    fc.assert(
      fc.property(schema, ({ nodes, edges }) => {
        const layout = layOut(nodes, edges, sizes)
        const boxes = boxesOf(layout)
        expect(boxes).toHaveLength(nodes.length)
        for (const [i, one] of boxes.entries()) {
          expect(one.left).toBeGreaterThanOrEqual(0)
          expect(one.top).toBeGreaterThanOrEqual(0)
          expect(one.right).toBeLessThanOrEqual(layout.width)
          expect(one.bottom).toBeLessThanOrEqual(layout.height)
          for (const other of boxes.slice(i + 1)) {
            const apart =
              one.right < other.left ||
              other.right < one.left ||
              one.bottom < other.top ||
              other.bottom < one.top
            expect(apart, `${one.id} and ${other.id}`).toBe(true)
          }
        }
      }),
    )
  })

  test("a line runs from its field to the head of its target, and behind no box", () => {
    fc.assert(
      fc.property(schema, ({ nodes, edges }) => {
        const layout = layOut(nodes, edges, sizes)
        const boxes = boxesOf(layout)
        for (const { id, from, to, row } of edges) {
          const corners = layout.lines.get(id) ?? []
          const [start, end] = [corners[0], corners.at(-1)]
          expect(start?.y).toBeCloseTo((layout.boxes.get(from)?.y ?? 0) + row)
          expect(end?.y).toBeCloseTo((layout.boxes.get(to)?.y ?? 0) + sizes.head)
          for (const [i, corner] of corners.slice(1).entries()) {
            const before = corners[i] as typeof corner
            // What is bent between two corners stays within their rectangle.
            const [left, right] = [Math.min(before.x, corner.x), Math.max(before.x, corner.x)]
            const [top, bottom] = [Math.min(before.y, corner.y), Math.max(before.y, corner.y)]
            for (const box of boxes) {
              const covered =
                left < box.right && right > box.left && top < box.bottom && bottom > box.top
              const level = top === bottom && top > box.top && top < box.bottom
              const crossed = covered || (level && left < box.right && right > box.left)
              expect(crossed, `${id} and ${box.id}`).toBe(false)
            }
          }
        }
      }),
    )
  })

  test("what points stands left of what it points at", () => {
    const { boxes } = layOut(
      ["members", "films", "reviews", "votes"].map((id) => ({ id, height: 60 })),
      [
        ["reviews", "films"],
        ["reviews", "members"],
        ["votes", "reviews"],
        ["votes", "members"],
      ].map(([from = "", to = ""], n) => ({ id: `e${n}`, from, to, row: 39 })),
      sizes,
    )
    const x = (id: string) => boxes.get(id)?.x ?? Number.NaN
    expect(x("votes")).toBeLessThan(x("reviews"))
    expect(x("reviews")).toBeLessThan(x("films"))
    expect(x("films")).toBe(x("members"))
  })
})
