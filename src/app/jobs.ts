import { digest } from "./digest.ts"
import { digestMail } from "./digest-mail.ts"

/** What this deployment does later. A job that is not listed here does not run. */
export const jobs = [] as const

/** Jobs by the clock. */
export const schedules = [digest] as const

/** Kinds of mail that it sends, for http://127.0.0.1:8787/mail/preview. */
export const templates = [digestMail] as const
