import type { OwnPage } from "../console/pages.ts"

/** Pages of this product in the console at /console/, under "Product" in its menu. */
export const pages: readonly OwnPage[] = [
  {
    path: "/club",
    label: { en: "The club's month", de: "Der Monat des Klubs" },
    load: () => import("./console-club.tsx"),
  },
]
