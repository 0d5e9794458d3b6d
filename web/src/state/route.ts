/** Which place of the page is open, as the address says. Owns: the fragment. Must not know: what is shown there. */
import { createStore } from "./store";

export type Route = { name: "chat"; id: string | null } | { name: "analyse" } | { name: "system" };

/** Read a fragment: `#/c/<id>`, `#/analyse`, `#/system`, anything else is a new chat. */
export function routeOf(hash: string): Route {
  const parts = hash.replace(/^#\/?/, "").split("/");
  if (parts[0] === "system" || parts[0] === "analyse") return { name: parts[0] };
  const id = parts[0] === "c" ? parts[1] : undefined;
  return { name: "chat", id: id && /^[\w-]+$/.test(id) ? id : null };
}

export function hashOf(route: Route): string {
  if (route.name !== "chat") return `#/${route.name}`;
  return route.id === null ? "#/" : `#/c/${route.id}`;
}

export const routeStore = createStore<{ route: Route }>({ route: routeOf(location.hash) });

window.addEventListener("hashchange", () => routeStore.set({ route: routeOf(location.hash) }));

/** Go to a place; `replace` leaves no step back to the one before. */
export function go(route: Route, replace = false): void {
  if (location.hash === hashOf(route)) return;
  if (replace) history.replaceState(null, "", hashOf(route));
  else history.pushState(null, "", hashOf(route));
  routeStore.set({ route });
}
