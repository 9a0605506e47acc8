import { createTheme, MantineThemeProvider } from "@mantine/core"
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react"
import type { Messages } from "./messages-en.ts"

export type Language = "en" | "de"
/** Each viewer loads their own. */
const catalogues: Record<Language, () => Promise<Messages>> = {
  en: async () => (await import("./messages-en.ts")).en,
  de: async () => (await import("./messages-de.ts")).de,
}
const key = "hinterland console language"

interface Text extends Spoken {
  speak(language: Language): Promise<void>
}

const TextContext = createContext<Text | null>(null)

interface Spoken {
  readonly language: Language
  readonly text: Messages
}

/** The language that was chosen here, else the browser's, else English. */
export async function loadLanguage(): Promise<Spoken> {
  const language = initialLanguage()
  return { language, text: await catalogues[language]() }
}

export function TextProvider({ first, children }: { first: Spoken; children: ReactNode }) {
  const [spoken, setSpoken] = useState(first)
  useEffect(() => {
    document.documentElement.lang = spoken.language
  }, [spoken.language])
  const value = useMemo<Text>(
    () => ({
      ...spoken,
      async speak(language) {
        const text = await catalogues[language]()
        localStorage.setItem(key, language)
        setSpoken({ language, text })
      },
    }),
    [spoken],
  )
  const theme = useMemo(() => namedButtons(spoken.text.close), [spoken.text.close])
  return (
    <TextContext value={value}>
      <MantineThemeProvider theme={theme}>{children}</MantineThemeProvider>
    </TextContext>
  )
}

/** The library's own buttons that show a cross and no word, named in the viewer's language. */
function namedButtons(close: string) {
  const named = { defaultProps: { closeButtonProps: { "aria-label": close } } }
  return createTheme({
    components: {
      Modal: named,
      Drawer: named,
      Alert: { defaultProps: { closeButtonLabel: close } },
    },
  })
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
