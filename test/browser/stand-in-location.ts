/*
 * Imported before what of the console is read outside of a browser: it asks for both when it is loaded. The tests look at
 * its list of pages, and call nothing.
 */
Object.assign(globalThis, {
  location: new URL("http://127.0.0.1/"),
  localStorage: { getItem: () => null, setItem() {}, removeItem() {} },
})
