// The app key of this tab. It stays in session storage: closing the tab signs
// out, and no other site can read it.

import { forgetAll } from "./flows/editor/history";
import { forgetPasted } from "./flows/editor/mapping/pasted";

const PLACE = "loopwright.app-key";

/** Returns the `Authorization` header of the person who is signed in. */
export function authorization(): string | null {
  const key = sessionStorage.getItem(PLACE);
  return key === null ? null : `AppKey ${key}`;
}

/** Remembers a key written as `id:secret`, or already in base64. */
export function signIn(key: string): void {
  const text = key.trim();
  sessionStorage.setItem(PLACE, text.includes(":") ? btoa(text) : text);
}

/** Forgets the key. */
export function signOut(): void {
  sessionStorage.removeItem(PLACE);
  forgetAll();
  forgetPasted();
}
