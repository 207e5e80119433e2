import react from "@vitejs/plugin-react";
import { defineConfig, loadEnv } from "vite";

// In development the UI's own server passes API calls on to the program.
const PASSED_ON = ["/api", "/health", "/intelligence", "/integration", "/hooks"];

export default defineConfig(({ mode }) => {
  const program = loadEnv(mode, ".", "LOOPWRIGHT_")["LOOPWRIGHT_ADDRESS"] ?? "http://127.0.0.1:8080";
  return {
    plugins: [react()],
    build: {
      target: "es2022",
      sourcemap: false,
      assetsInlineLimit: 0,
      // The program's own pages, and those of its local workspace.
      rollupOptions: { input: ["index.html", "workspace.html"] },
    },
    server: { proxy: Object.fromEntries(PASSED_ON.map((path) => [path, program])) },
  };
});
