/** Sizes of images: `GET /files/{id}?preset=poster`. */
export const imagePresets = {
  thumb: { width: 160, height: 240, fit: "cover" },
  poster: { width: 640, height: 960 },
} as const
