// Every page and its address. A page is loaded when it is first opened.

import { later, type Later } from "../kit/Later";

export interface Route {
  /** As wouter reads it. */
  path: string;
  page: Later<object>;
}

export const ROUTES: Route[] = [
  { path: "/flows", page: later(() => import("../flows/FlowsPage")) },
  { path: "/flows/:flow", page: later(() => import("../flows/EditorPage")) },
  { path: "/flows/:flow/run", page: later(() => import("../runs/RunFlowPage")) },
  { path: "/flows/:flow/incomplete", page: later(() => import("../runs/IncompletePage")) },
  { path: "/runs", page: later(() => import("../runs/RunsPage")) },
  { path: "/runs/:run", page: later(() => import("../runs/RunPage")) },
  { path: "/inbox", page: later(() => import("../tasks/InboxPage")) },
  { path: "/inbox/:task", page: later(() => import("../tasks/TaskPage")) },
  { path: "/connections", page: later(() => import("../connections/ConnectionsPage")) },
  { path: "/connections/:connection", page: later(() => import("../connections/ConnectionPage")) },
  { path: "/webhooks", page: later(() => import("../hooks/HooksPage")) },
  { path: "/pools", page: later(() => import("../pools/PoolsPage")) },
  { path: "/pools/:pool", page: later(() => import("../pools/PoolPage")) },
  { path: "/pools/:pool/tables/:table", page: later(() => import("../pools/TablePage")) },
  { path: "/pools/:pool/push-jobs/:job", page: later(() => import("../pools/PushJobPage")) },
  { path: "/pools/:pool/data-jobs/:job", page: later(() => import("../pools/DataJobPage")) },
  { path: "/pages", page: later(() => import("../pages/PagesPage")) },
  { path: "/pages/:page", page: later(() => import("../pages/WrittenPage")) },
  { path: "/app-keys", page: later(() => import("../pools/AppKeysPage")) },
  { path: "/subscriptions", page: later(() => import("../subscriptions/SubscriptionsPage")) },
  { path: "/subscriptions/:id", page: later(() => import("../subscriptions/SubscriptionPage")) },
  { path: "/models", page: later(() => import("../models/ModelsPage")) },
  { path: "/models/:model", page: later(() => import("../models/ModelPage")) },
  { path: "/models/:model/triggers/:trigger", page: later(() => import("../models/TriggerPage")) },
  { path: "/models/:model/cases/:case", page: later(() => import("../models/CasePage")) },
];

/** What the rail at the left leads to. */
export const PLACES: { name: string; to: string; icon: string }[] = [
  { name: "Home", to: "/", icon: "home" },
  { name: "Flows", to: "/flows", icon: "flows" },
  { name: "Runs", to: "/runs", icon: "runs" },
  { name: "Tasks", to: "/inbox", icon: "tasks" },
  { name: "Pages", to: "/pages", icon: "pages" },
  { name: "Data pools", to: "/pools", icon: "pools" },
  { name: "Knowledge models", to: "/models", icon: "models" },
  { name: "Subscriptions", to: "/subscriptions", icon: "subscriptions" },
  { name: "Connections", to: "/connections", icon: "connections" },
];

