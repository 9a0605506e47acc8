import { expect, test } from "vitest"
import { call, signedIn } from "../../support/people.ts"

test.each([
  [2, 200],
  [12, 400],
  [28, 400],
])(
  "%i quantifiers in each other are answered or refused, never an error of ours",
  async (depth, status) => {
    const alice = await signedIn(`alice${depth}`)
    let filter = 'text != "x"'
    for (let i = 0; i < depth; i++) filter = `any(article.comments, ${filter})`
    const path = `/records/comments?filter=${encodeURIComponent(filter)}`
    const response = await call(alice, "GET", path)
    expect(response.status).toBe(status)
    if (status === 200) return
    const { code, errors } = (await response.json()) as {
      code: string
      errors: { path: string; code: string }[]
    }
    expect(code).toBe("invalid_expression")
    expect(errors[0]).toMatchObject({ path: "query.filter", code: "too_complex" })
  },
)
