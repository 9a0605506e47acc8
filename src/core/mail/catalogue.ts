import type { Locale } from "./locale.ts"

interface CoreMessages {
  readonly automatic: string
  readonly buttonHint: string
  readonly unsubscribe: string
  readonly unsubscribeTitle: string
  readonly unsubscribeQuestion: (list: string) => string
  readonly unsubscribeButton: string
  readonly unsubscribedTitle: string
  readonly unsubscribed: (list: string) => string
}

/** The core's own words. A language without one of them does not compile. */
export const catalogue: Readonly<Record<Locale, CoreMessages>> = {
  en: {
    automatic: "This message was sent automatically.",
    buttonHint: "If the button does not work, open this address:",
    unsubscribe: "Unsubscribe from these messages",
    unsubscribeTitle: "Unsubscribe",
    unsubscribeQuestion: (list) => `Do you want to receive no more messages of “${list}”?`,
    unsubscribeButton: "Unsubscribe",
    unsubscribedTitle: "You have unsubscribed",
    unsubscribed: (list) => `We will send you no more messages of “${list}”.`,
  },
  de: {
    automatic: "Diese Nachricht wurde automatisch verschickt.",
    buttonHint: "Falls der Knopf nicht geht, öffnen Sie diese Adresse:",
    unsubscribe: "Diese Nachrichten abbestellen",
    unsubscribeTitle: "Abbestellen",
    unsubscribeQuestion: (list) => `Möchten Sie keine Nachrichten von „${list}“ mehr erhalten?`,
    unsubscribeButton: "Abbestellen",
    unsubscribedTitle: "Sie haben abbestellt",
    unsubscribed: (list) => `Wir schicken Ihnen keine Nachrichten von „${list}“ mehr.`,
  },
}
