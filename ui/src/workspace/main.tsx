import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";

import "@fontsource-variable/inter/wght.css";

import { Workspace } from "./Workspace";
import "../style.css";
import "./workspace.css";

const queries = new QueryClient({
  defaultOptions: { queries: { retry: false, refetchOnWindowFocus: true } },
});

const root = document.getElementById("root");
if (root === null) throw new Error("workspace.html has no #root");

createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Workspace />
    </QueryClientProvider>
  </StrictMode>,
);
