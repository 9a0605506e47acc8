import { z } from "zod"
import { heading, list, paragraph } from "../core/mail/content.ts"
import { mailTemplate } from "../core/mail/template.ts"

const review = z.object({ film: z.string(), author: z.string().nullable(), stars: z.int() })

/** What the club thought of films in a week. */
export const digestMail = mailTemplate("digest", {
  data: z.object({ reviews: z.array(review) }),
  sample: {
    reviews: [
      { film: "The Third Man", author: "Anna", stars: 5 },
      { film: "Metropolis", author: null, stars: 4 },
    ],
  },
  messages: {
    en: {
      subject: ({ reviews }) => `${reviews.length} new at the film club`,
      title: "New reviews of the week",
      invitation: "Tell the club what you have seen.",
      nobody: "a member",
    },
    de: {
      subject: ({ reviews }) => `${reviews.length} Mal Neues aus dem Filmklub`,
      title: "Neue Kritiken der Woche",
      invitation: "Erzählen Sie dem Klub, was Sie gesehen haben.",
      nobody: "ein Mitglied",
    },
  },
  content: (t, { reviews }) => ({
    subject: t.subject,
    blocks: [
      heading(t.title),
      list(
        reviews.map(
          ({ film, author, stars }) => `${film}: ${"★".repeat(stars)} (${author ?? t.nobody})`,
        ),
      ),
      paragraph(t.invitation),
    ],
  }),
})
