import * as z from "zod"
import { emailAddress, id, instant, next, roleName } from "./schema.ts"

const roles = z
  .array(roleName)
  .max(20)
  .meta({ description: "Of the deployment; none for an account alone.", examples: [["editor"]] })

export const newUserInvitation = z
  .strictObject({ email: emailAddress, roles })
  .meta({ description: "Whom to invite, and what they will be." })

export const userInvitation = z
  .object({
    id,
    email: z.string(),
    roles: z.array(z.string()),
    invitedBy: id,
    createdAt: instant,
    expiresAt: instant,
  })
  .meta({ description: "An invitation to the deployment that has not been answered." })

export const userInvitationPage = z.object({ items: z.array(userInvitation), next })
