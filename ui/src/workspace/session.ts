// The token of this tab. It stays in session storage: closing the tab signs
// out, and no other site can read it.

const PLACE = "loopwright.workspace-token";

/** Returns the `Authorization` header of the person who is signed in. */
export function authorization(): string | null {
  const token = sessionStorage.getItem(PLACE);
  return token === null ? null : `Bearer ${token}`;
}

/** Remembers a token of the workspace. */
export function keepToken(token: string): void {
  sessionStorage.setItem(PLACE, token);
}

/** Forgets the token. */
export function signOut(): void {
  sessionStorage.removeItem(PLACE);
}
