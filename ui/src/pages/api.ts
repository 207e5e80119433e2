// Pages: what flows write for people.

import { json, type Of } from "../api/client";

export type PageOutline = Of<"PageOutline">;
export type WrittenPage = Of<"Page">;

const PAGES = "/api/v1/pages";
export const listPages = () => json<PageOutline[]>("GET", PAGES);
export const readPage = (page: string) => json<WrittenPage>("GET", `${PAGES}/${encodeURIComponent(page)}`);
export const removePage = (page: string) => json<void>("DELETE", `${PAGES}/${encodeURIComponent(page)}`);
