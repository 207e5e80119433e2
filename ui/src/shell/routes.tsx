// Every page and its address. A page is loaded when it is first opened.

import { lazy, type ComponentType, type LazyExoticComponent } from "react";

export interface Route {
  /** As wouter reads it. */
  path: string;
  page: LazyExoticComponent<ComponentType>;
}

export const ROUTES: Route[] = [
  { path: "/flows", page: lazy(() => import("../flows/FlowsPage")) },
  { path: "/flows/:flow", page: lazy(() => import("../flows/EditorPage")) },
  { path: "/flows/:flow/run", page: lazy(() => import("../runs/RunFlowPage")) },
  { path: "/flows/:flow/incomplete", page: lazy(() => import("../runs/IncompletePage")) },
  { path: "/runs", page: lazy(() => import("../runs/RunsPage")) },
  { path: "/runs/:run", page: lazy(() => import("../runs/RunPage")) },
  { path: "/inbox", page: lazy(() => import("../tasks/InboxPage")) },
  { path: "/inbox/:task", page: lazy(() => import("../tasks/TaskPage")) },
  { path: "/connections", page: lazy(() => import("../connections/ConnectionsPage")) },
  { path: "/connections/:connection", page: lazy(() => import("../connections/ConnectionPage")) },
  { path: "/webhooks", page: lazy(() => import("../hooks/HooksPage")) },
  { path: "/pools", page: lazy(() => import("../pools/PoolsPage")) },
  { path: "/pools/:pool", page: lazy(() => import("../pools/PoolPage")) },
  { path: "/pools/:pool/tables/:table", page: lazy(() => import("../pools/TablePage")) },
  { path: "/pools/:pool/push-jobs/:job", page: lazy(() => import("../pools/PushJobPage")) },
  { path: "/pools/:pool/data-jobs/:job", page: lazy(() => import("../pools/DataJobPage")) },
  { path: "/app-keys", page: lazy(() => import("../pools/AppKeysPage")) },
  { path: "/subscriptions", page: lazy(() => import("../subscriptions/SubscriptionsPage")) },
  { path: "/subscriptions/:id", page: lazy(() => import("../subscriptions/SubscriptionPage")) },
  { path: "/models", page: lazy(() => import("../models/ModelsPage")) },
  { path: "/models/:model", page: lazy(() => import("../models/ModelPage")) },
  { path: "/models/:model/triggers/:trigger", page: lazy(() => import("../models/TriggerPage")) },
  { path: "/models/:model/cases/:case", page: lazy(() => import("../models/CasePage")) },
];

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

