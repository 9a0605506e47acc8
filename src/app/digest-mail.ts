import * as z from "zod"
import { heading, list, paragraph } from "../core/mail/content.ts"
import { mailTemplate } from "../core/mail/template.ts"

const related = z.record(z.string(), z.unknown()).nullable()
const review = z.object({
  stars: z.int(),
  expanded: z.record(z.string(), related).optional(),
})

/** What the club thought of films in a week: reviews as the API answers them. */
export const digestMail = mailTemplate("digest", {
  data: z.object({ items: z.array(review).readonly() }),
  sample: {
    items: [
      { stars: 5, expanded: { film: { title: "The Third Man" }, author: { name: "Anna" } } },
      { stars: 4, expanded: { film: { title: "Metropolis" }, author: null } },
    ],
  },
  messages: {
    en: {
      subject: "New at the film club",
      title: "New reviews of the week",
      invitation: "Tell the club what you have seen.",
      nobody: "a member",
      gone: "A film that has left",
    },
    de: {
      subject: "Neues aus dem Filmklub",
      title: "Neue Kritiken der Woche",
      invitation: "Erzählen Sie dem Klub, was Sie gesehen haben.",
      nobody: "ein Mitglied",
      gone: "Ein Film, der gegangen ist",
    },
  },
  content: (t, { items }) => ({
    subject: t.subject,
    blocks: [
      heading(t.title),
      list(
        items.map(
          ({ stars, expanded: { film, author } = {} }) =>
            `${film?.title ?? t.gone}: ${"★".repeat(stars)} (${author?.name ?? t.nobody})`,
        ),
      ),
      paragraph(t.invitation),
    ],
  }),
})
