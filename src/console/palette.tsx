import { Spotlight, type SpotlightActionData, spotlight } from "@mantine/spotlight"
import "@mantine/spotlight/styles.css"
import { useMantineColorScheme } from "@mantine/core"
import { useHotkeys } from "@mantine/hooks"
import { useQuery } from "@tanstack/react-query"
import { useEffect } from "react"
import { useLocation } from "wouter"
import { collectionsQuery } from "./data/collections.ts"
import { pages } from "./pages.ts"
import { useLanguage } from "./text.tsx"
import { isAdministrator, useUser } from "./user.tsx"

interface Props {
  readonly opened: boolean
  readonly onOpen: () => void
  readonly onClose: () => void
  readonly onSignOut: () => Promise<void>
}

/** Every page and what can be done from everywhere, by typing: Ctrl K or ⌘ K. `g` and a letter go to the main pages. */
export function Palette({ opened, onClose, onSignOut }: Props) {
  const { text, language, speak } = useLanguage()
  const [, go] = useLocation()
  const { setColorScheme } = useMantineColorScheme()
  const { data } = useQuery({ ...collectionsQuery, enabled: isAdministrator(useUser()) })
  useHotkeys([["mod+K", () => spotlight.open()]])
  useEffect(() => {
    if (opened) spotlight.open()
  }, [opened])
  const action = (id: string, label: string, onClick: () => void): SpotlightActionData => ({
    id,
    label,
    onClick,
  })
  const collections = data?.items ?? []
  const actions = [
    ...pages.flatMap(({ path, label }) =>
      label ? [action(path, label(text), () => go(path))] : [],
    ),
    ...collections.map(({ name }) =>
      action(`data ${name}`, `${text.nav.data}: ${name}`, () => go(`/data/${name}`)),
    ),
    ...collections
      .filter(({ readOnly }) => !readOnly)
      .map(({ name }) =>
        action(`new ${name}`, `${text.data.new}: ${name}`, () => go(`/data/${name}/new`)),
      ),
    ...collections
      .filter(({ readOnly }) => !readOnly)
      .map(({ name }) =>
        action(`import ${name}`, `${text.import.button}: ${name}`, () =>
          go(`/data/${name}/import`),
        ),
      ),
    action("account", text.nav.account, () => go("/account")),
    action("light", `${text.scheme.label}: ${text.scheme.light}`, () => setColorScheme("light")),
    action("dark", `${text.scheme.label}: ${text.scheme.dark}`, () => setColorScheme("dark")),
    action(
      "language",
      language === "en" ? "Deutsch" : "English",
      () => void speak(language === "en" ? "de" : "en"),
    ),
    action("out", text.nav.signOut, () => void onSignOut()),
  ]
  return (
    <Spotlight
      actions={actions}
      onSpotlightClose={onClose}
      nothingFound={text.nav.nothing}
      highlightQuery
      scrollable
      maxHeight={420}
      shortcut={null}
      searchProps={{ placeholder: text.nav.palette, "aria-label": text.nav.palette }}
    />
  )
}
