import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { call, type Person, signedIn } from "../../support/people.ts"
import { list, listPath, type Page, query, read, refused } from "./cast.ts"
import { insert, only, walk } from "./pages.ts"

let alice: Person
beforeAll(async () => {
  alice = await signedIn("alice")
})

describe("a walk by cursor", () => {
  test("shows each unchanged record exactly once, while others come, change and go", async () => {
    let run = 0
    const action = fc.record({
      kind: fc.constantFrom("insert", "change", "delete"),
      row: fc.nat(39),
      words: fc.option(fc.nat(3)),
      title: fc.constantFrom("a", "b", "c"),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(action, { maxLength: 4 }), { minLength: 10, maxLength: 10 }),
        fc.constantFrom("", "words", "-words", "title,-words", "-score,title", "-id"),
        fc.integer({ min: 3, max: 9 }),
        async (rounds, sort, limit) => {
          const mark = `walk${++run}`
          await insert(
            alice,
            mark,
            Array.from({ length: 40 }, (_, n) => ({
              title: "abc"[n % 3],
              words: n % 5 ? n % 3 : null,
              score: n % 2 ? null : n % 4,
            })),
          )
          const rows = (await list(null, "articles", { filter: only(mark), limit: "200" })).items
          const touched = new Set<string>()
          let round = 0
          const found = await walk(
            { filter: only(mark), limit: `${limit}`, fields: "id", ...(sort && { sort }) },
            async () => {
              for (const { kind, row, words, title } of rounds[round++] ?? []) {
                const id = rows[row]?.id as string
                if (kind === "insert") await insert(alice, mark, [{ title, words }])
                else if (row % 2 === 0) {
                  touched.add(id)
                  await (kind === "change"
                    ? query("UPDATE articles SET words = ?, title = ?, score = ? WHERE id = ?", [
                        words,
                        title,
                        words,
                        id,
                      ])
                    : query("DELETE FROM articles WHERE id = ?", [id]))
                }
              }
            },
          )
          const untouched = rows.map(({ id }) => id).filter((id) => !touched.has(id))
          const seen = found.map(({ id }) => id).filter((id) => untouched.includes(id))
          expect(seen.toSorted()).toEqual(untouched.toSorted())
        },
      ),
      { numRuns: 25 },
    )
  })

  test("carries on through Link: rel=next, which ends where next is null", async () => {
    await insert(
      alice,
      "links",
      Array.from({ length: 5 }, () => ({})),
    )
    let path: string | null = listPath("articles", {
      filter: only("links"),
      limit: "2",
      fields: "id",
    })
    const sizes: number[] = []
    while (path) {
      const answer = await call(null, "GET", path)
      const link: string | undefined = /<([^>]+)>; rel="next"/.exec(
        answer.headers.get("link") ?? "",
      )?.[1]
      const page = await read<Page>(answer, 200)
      expect(page.next === null).toBe(link === undefined)
      sizes.push(page.items.length)
      path = link ?? null
    }
    expect(sizes).toEqual([2, 2, 1])
  })

  test("belongs to its query: another sort, filter, search or collection refuses it", async () => {
    await insert(
      alice,
      "bound",
      Array.from({ length: 5 }, (_, n) => ({ body: "bound words", words: n })),
    )
    const base = { filter: only("bound"), sort: "words", limit: "2" }
    const { next } = await list(null, "articles", base)
    const cursor = next as string
    await list(null, "articles", {
      ...base,
      limit: "100",
      fields: "id",
      expand: "tags",
      count: "exact",
      cursor,
    })
    await list(alice, "articles", { ...base, cursor })
    const others: Record<string, string>[] = [
      { ...base, sort: "-words" },
      { ...base, sort: "words,id" },
      { filter: base.filter },
      { ...base, filter: `${base.filter} && true` },
      { sort: base.sort },
      { ...base, search: "bound" },
    ]
    for (const other of others) {
      const { errors } = await refused(
        call(null, "GET", listPath("articles", { ...other, cursor })),
        400,
      )
      expect(errors?.[0]?.path).toBe("query.cursor")
    }
    await refused(call(null, "GET", listPath("comments", { sort: "stars", cursor })), 400)
  })

  test("that was made up is refused, or leads nowhere: never an error", async () => {
    const base = { sort: "title,-words", limit: "2" }
    await insert(
      alice,
      "forged",
      Array.from({ length: 5 }, () => ({})),
    )
    const { next } = await list(null, "articles", base)
    const text = (part: string) => atob(part.replaceAll("-", "+").replaceAll("_", "/"))
    const [digest] = JSON.parse(text(next as string)) as [string]
    const encode = (json: string) =>
      btoa(unescape(encodeURIComponent(json)))
        .replaceAll("+", "-")
        .replaceAll("/", "_")
        .replace(/=+$/, "")
    const inside = [
      '"x", 1, "id"',
      '1, "x", "id"',
      'null, null, "id"',
      '1e999, -1e999, "id"',
      '"\\u0000", 1, "id"',
      '"\\ud800", 1, "id"',
      '"x", 1',
      '"x", 1, 2',
      '"x", 1, "id", 3',
      '"x", {}, "id"',
      '"x", true, "id"',
      `"${"x".repeat(5_000)}", 1, "id"`,
    ]
    const cursors = [
      ...inside.map((rest) => encode(`["${digest}", ${rest}]`)),
      "",
      "x",
      "%00",
      "💥",
      encode("null"),
      encode("{}"),
      encode("[]"),
      `${next}x`,
      (next as string).slice(0, -3),
    ]
    for (const cursor of cursors) {
      const answer = await call(null, "GET", listPath("articles", { ...base, cursor }))
      const body = await answer.text()
      expect([200, 400], `${cursor}: ${body}`).toContain(answer.status)
      if (answer.status === 400) expect(body).toContain("query.cursor")
    }
  })
})
