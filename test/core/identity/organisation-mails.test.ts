import { expect, test } from "vitest"
import {
  invitationMail,
  organisationTemplates,
} from "../../../src/core/identity/organisation-mails.ts"
import { renderMail, samplesOf } from "../../../src/core/mail/template.ts"

test.each(organisationTemplates.map((template) => [template.name, template] as const))(
  "%s says something else in each language, and whose organisation it is",
  (_, template) => {
    const [english, german] = samplesOf(template)
    expect(english?.text).not.toBe(german?.text)
    for (const mail of [english, german]) expect(mail?.text).toContain("Film club")
  },
)

test("the name of an organisation is text, whatever a stranger typed", () => {
  const { html, subject } = renderMail(
    invitationMail,
    {
      organisation: '<a href="https://evil.test">Click</a>',
      url: "https://a.test/#hiv_x",
      days: 7,
    },
    "en",
  )
  expect(html).not.toContain('<a href="https://evil.test"')
  expect(html).toContain("&lt;a href=")
  expect(html.match(/https:\/\/a\.test\/#hiv_x/g)?.length).toBeGreaterThan(0)
  expect(subject).toBe('Invitation to “<a href="https://evil.test">Click</a>”')
})
