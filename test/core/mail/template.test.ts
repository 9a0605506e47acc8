import fc from "fast-check"
import { expect, test } from "vitest"
import { z } from "zod"
import { catalogue } from "../../../src/core/mail/catalogue.ts"
import { button, code, heading, list, paragraph } from "../../../src/core/mail/content.ts"
import { localeFor } from "../../../src/core/mail/locale.ts"
import { oneLine } from "../../../src/core/mail/mail-text.ts"
import { mailTemplate, renderMail, samplesOf } from "../../../src/core/mail/template.ts"
import { everything, note } from "./cast.ts"

/** Entities back to characters, which is what a reader of HTML does with text and attributes. */
const decoded = (text: string): string =>
  text.replace(
    /&(?:amp|lt|gt|quot|#39);/g,
    (entity) =>
      ({ "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" })[entity] as string,
  )

/** What a parser that nobody here wrote sees: elements by name, and the text in some of them. */
async function parsed(html: string, selectors: readonly string[]) {
  const elements: string[] = []
  const attributes: string[] = []
  const texts: Record<string, string> = {}
  let rewriter = new HTMLRewriter().on("*", {
    element(element) {
      elements.push(element.tagName)
      const all = element.attributes as unknown as Iterable<[name: string, value: string]>
      for (const [name] of all) attributes.push(name)
    },
  })
  for (const selector of selectors) {
    texts[selector] = ""
    rewriter = rewriter
      .on(selector, {
        text(chunk) {
          texts[selector] += chunk.text
        },
      })
      .on(`${selector} br`, {
        element() {
          texts[selector] += "\n"
        },
      })
  }
  await rewriter.transform(new Response(html)).text()
  for (const selector of selectors) texts[selector] = decoded(texts[selector] as string)
  return { elements, attributes: new Set(attributes), texts }
}

const places = ["h1", "p.text:not(.code)", "li:first-child", "p.code", "td[bgcolor] a"] as const

/** A paragraph says it as it is, everything else in one line. */
const shownAt = (place: string, value: string) =>
  place === "p.text:not(.code)" ? value : oneLine(value)

const plain = await parsed(
  renderMail(everything, { text: "x", url: "https://example.com/" }, "en").html,
  places,
)

test("whatever the values are, the HTML shows exactly them, and has no other elements", async () => {
  const text = fc
    .oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "grapheme" }),
      fc
        .array(
          fc.constantFrom(
            "<",
            ">",
            '"',
            "'",
            "&",
            "&amp;",
            "&lt;",
            "<script>",
            "</td>",
            "--",
            "]]>",
            " ",
            "x",
            "<!--",
            "`",
            "=",
            "\\",
            "javascript:",
            "${",
            "&#60;",
          ),
        )
        .map((parts) => parts.join("")),
    )
    .map((value) =>
      value
        .replaceAll("\0", "")
        .toWellFormed()
        .replace(/\p{Cc}/gu, " "),
    )
    .map((value) => (value.trim() === "" ? "x" : value))
  await fc.assert(
    fc.asyncProperty(text, async (value) => {
      const rendered = renderMail(everything, { text: value, url: "https://example.com/" }, "en")
      const seen = await parsed(rendered.html, places)
      for (const place of places) expect(seen.texts[place]).toBe(shownAt(place, value))
      expect(seen.elements).toEqual(plain.elements)
      expect(seen.attributes).toEqual(plain.attributes)
      expect(rendered.subject).toBe(`Hello ${value}`)
      expect(rendered.text.split(oneLine(value)).length).toBeGreaterThan(5)
    }),
    { numRuns: 300 },
  )
})

test.each([
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `</td></tr></table><form action="https://evil.example">`,
  `' onmouseover='alert(1)`,
  `<a href="https://evil.example">click</a>`,
  `<!--`,
  `&lt;b&gt;`,
])("hostile and harmless: %s", async (value) => {
  const rendered = renderMail(everything, { text: value, url: "https://example.com/" }, "de")
  const seen = await parsed(rendered.html, places)
  expect(seen.elements).toEqual(plain.elements)
  expect(seen.attributes).toEqual(plain.attributes)
  for (const place of places) expect(seen.texts[place]).toBe(value)
  expect(rendered.text).toContain(value)
})

test("line breaks are kept, however they were written", async () => {
  const rendered = renderMail(note, { text: "one\r\ntwo\rthree\nfour" }, "en")
  expect(rendered.text).toContain("one\ntwo\nthree\nfour")
  const seen = await parsed(rendered.html, ["p.text"])
  expect(seen.texts["p.text"]).toBe("one\ntwo\nthree\nfour")
})

test("only a paragraph has lines: no name or title begins one of its own", async () => {
  const text = "Ann\r\n\r\nYou have won\u2028a\u0085prize\tnow\u001b"
  const line = "Ann You have won a prize now"
  const { subject, ...rendered } = renderMail(lined, { text }, "en")
  expect(subject).toBe("Lines")
  expect(rendered.text).toContain(
    `${line}\n\n- ${line}\n- ${line}\n\n    ${line}\n\n${line}:\nhttps://`,
  )
  const seen = await parsed(rendered.html, ["h1", "li:first-child", "p.code", "td[bgcolor] a"])
  for (const shown of Object.values(seen.texts)) expect(shown).toBe(line)
})

const lined = mailTemplate("lined", {
  data: z.object({ text: z.string() }),
  sample: { text: "Ann" },
  messages: { en: { subject: "Lines" }, de: { subject: "Zeilen" } },
  content: (t, { text }) => ({
    subject: t.subject,
    blocks: [heading(text), list([text, text]), code(text), button(text, "https://example.com/")],
  }),
})

test("a mail has a subject", () => {
  const data = z.object({})
  const messages = { en: {}, de: {} }
  const content = () => ({ subject: "", blocks: [paragraph("x")] })
  const silent = mailTemplate("silent", { data, sample: {}, messages, content })
  expect(() => renderMail(silent, {}, "en")).toThrow("subject")
})

test.each([
  ["javascript:alert(1)", null],
  ["JaVaScRiPt:alert(1)", null],
  ["\u0001javascript:alert(1)", null],
  ["java\nscript:alert(1)", null],
  ["data:text/html,<script>alert(1)</script>", null],
  ["vbscript:x", null],
  ["file:///etc/passwd", null],
  ["//evil.example", null],
  ["not an address", null],
  ["", null],
  ['https://example.com/"onmouseover="x', "https://example.com/%22onmouseover=%22x"],
  ["https://example.com/a\r\nb?c=<d>&e='f'", "https://example.com/ab?c=%3Cd%3E&e=%27f%27"],
  ["http://localhost:8787/?token=a+b", "http://localhost:8787/?token=a+b"],
])("a button to %j", (url, expected) => {
  const make = () => renderMail(everything, { text: "x", url }, "en")
  if (expected === null) {
    expect(() => button("x", url)).toThrow("http and https only")
    expect(make).toThrow()
  } else {
    const { html, text } = make()
    expect(decoded(/<a href="([^"]*)"/.exec(html)?.[1] ?? "")).toBe(expected)
    expect(text).toContain(`\n${expected}\n`)
  }
})

test.each([
  ["de", "de"],
  ["de-AT", "de"],
  ["DE_ch", "de"],
  ["en-GB", "en"],
  ["fr", "en"],
  ["", "en"],
  ["deutsch", "en"],
  [null, "en"],
  [undefined, "en"],
])("the language for %j is %s", (tag, locale) => {
  expect(localeFor(tag)).toBe(locale)
})

test("each language says the same in its own words", async () => {
  expect(Object.keys(catalogue.de)).toEqual(Object.keys(catalogue.en))
  const [en, de] = samplesOf(everything)
  expect([en?.subject, de?.subject]).toEqual(["Hello Ann", "Hallo Ann"])
  expect(en?.html).toContain('<html lang="en">')
  expect(de?.html).toContain('<html lang="de">')
  expect(de?.text).toContain("Guten Tag")
  expect(de?.text).toContain(catalogue.de.automatic)
  for (const [key, words] of Object.entries(catalogue.en)) {
    const german = catalogue.de[key as keyof typeof catalogue.de]
    expect(String(german), key).not.toBe(String(words))
  }
})

test("the types demand every language, every key, and the right data", () => {
  const data = z.object({ name: z.string() })
  const content = () => ({ subject: "", blocks: [paragraph("")] })
  mailTemplate("incomplete", {
    data,
    sample: { name: "" },
    // @ts-expect-error `bye` is missing in German.
    messages: { en: { hello: "Hello", bye: "Bye" }, de: { hello: "Hallo" } },
    content,
  })
  // @ts-expect-error there is no German at all.
  mailTemplate("monolingual", { data, sample: { name: "" }, messages: { en: {} }, content })
  // @ts-expect-error the sample is not the data.
  mailTemplate("odd", { data, sample: { nom: "" }, messages: { en: {}, de: {} }, content })
  // @ts-expect-error nor is this.
  expect(() => renderMail(note, { text: 3 }, "en")).toThrow()
})

test("data of another shape are refused when the mail is made", () => {
  expect(() => renderMail(note, {} as { text: string }, "en")).toThrow(/text/)
})
