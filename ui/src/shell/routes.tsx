// Every page and its address. A page is loaded when it is first opened.

import { type ComponentType, type LazyExoticComponent } from "react";

export interface Route {
  /** As wouter reads it. */
  path: string;
  page: LazyExoticComponent<ComponentType>;
}

export const ROUTES: Route[] = [];

/** What the rail at the left leads to. */
export const PLACES: { name: string; to: string; icon: string }[] = [
  { name: "Home", to: "/", icon: "home" },
  { name: "Flows", to: "/flows", icon: "flows" },
  { name: "Runs", to: "/runs", icon: "runs" },
  { name: "Tasks", to: "/inbox", icon: "tasks" },
  { name: "Data pools", to: "/pools", icon: "pools" },
  { name: "Knowledge models", to: "/models", icon: "models" },
  { name: "Subscriptions", to: "/subscriptions", icon: "subscriptions" },
  { name: "Connections", to: "/connections", icon: "connections" },
];

