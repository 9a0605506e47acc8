import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react"
import { de } from "./messages-de.ts"
import { en, type Messages } from "./messages-en.ts"

export type Language = "en" | "de"
const catalogues: Record<Language, Messages> = { en, de }
const key = "hinterland console language"

interface Text {
  readonly language: Language
  readonly text: Messages
  speak(language: Language): void
}

const TextContext = createContext<Text | null>(null)

/** The language that was chosen here, else the browser's, else English. */
export function TextProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(initialLanguage)
  useEffect(() => {
    document.documentElement.lang = language
  }, [language])
  const value = useMemo<Text>(
    () => ({
      language,
      text: catalogues[language],
      speak(next) {
        localStorage.setItem(key, next)
        setLanguage(next)
      },
    }),
    [language],
  )
  return <TextContext value={value}>{children}</TextContext>
}

export function useText(): Messages {
  return useLanguage().text
}

export function useLanguage(): Text {
  const text = useContext(TextContext)
  if (!text) throw new Error("useText needs a TextProvider above it")
  return text
}

const isLanguage = (text: string | null | undefined): text is Language =>
  text === "en" || text === "de"

function initialLanguage(): Language {
  const chosen = localStorage.getItem(key)
  if (isLanguage(chosen)) return chosen
  const spoken = navigator.languages.map((tag) => tag.slice(0, 2)).find(isLanguage)
  return spoken ?? "en"
}
