// Keeps the page for times without a network. The bundler fills in the names of all files.
// Names with a hash never change, so they come from the cache; index.html is asked for anew and
// comes from the cache only where the network does not answer.
const files = [/* files */];
const cacheName = "sandbar-/* version */";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(files)));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("sandbar-") && name !== cacheName;
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
    .then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match("./")));
  } else {
    event.respondWith(caches.match(request).then((hit) => hit || fetch(request)));
  }
});
