/** Sizes of images: `GET /files/{id}?preset=poster`. In one format, so that shared caches may keep them. */
export const imagePresets = {
  thumb: { width: 320, height: 480, fit: "cover", format: "webp" },
  poster: { width: 640, height: 960, format: "webp" },
} as const
