import { createTheme, type MantineColorsTuple } from "@mantine/core"

/** The green of the hills in the icon; white on its seventh shade passes WCAG AA. */
const fir: MantineColorsTuple = [
  "#e9f6f0",
  "#d5e9e0",
  "#abd3c1",
  "#7dbb9f",
  "#57a783",
  "#3f9b71",
  "#2f8a62",
  "#1c6b4b",
  "#135c3f",
  "#064a31",
]

/** Long lists of options scroll as lists: an area within would be one that no key reaches. */
const scrollingList = {
  defaultProps: { withScrollArea: false },
  styles: { options: { maxHeight: 220, overflowY: "auto" } },
} as const

export const theme = createTheme({
  components: {
    // Wide tables are scrolled by keys too.
    TableScrollContainer: {
      defaultProps: { scrollAreaProps: { viewportProps: { tabIndex: 0 } } },
    },
    Autocomplete: scrollingList,
    Select: scrollingList,
    MultiSelect: scrollingList,
    TagsInput: scrollingList,
    // Roles, states and choices are shown as they are written, and whole.
    Badge: { defaultProps: { tt: "none" }, styles: { root: { minWidth: "fit-content" } } },
    NavLink: { styles: { root: { borderRadius: "var(--mantine-radius-md)" } } },
    Modal: { styles: { title: { fontWeight: 600 } } },
    Drawer: { styles: { title: { fontWeight: 600 } } },
  },
  primaryColor: "fir",
  colors: { fir },
  primaryShade: 7,
  autoContrast: true,
  defaultRadius: "md",
  fontFamily: 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "Cascadia Code", "Liberation Mono", Menlo, monospace',
  cursorType: "pointer",
  respectReducedMotion: true,
})
