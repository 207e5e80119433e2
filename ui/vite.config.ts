import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// In development the UI's own server passes API calls on to the program.
export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    // The program's own pages, and those of its local workspace.
    rollupOptions: { input: ["index.html", "workspace.html"] },
  },
  server: {
    proxy: {
      "/api": "http://127.0.0.1:8080",
      "/health": "http://127.0.0.1:8080",
    },
  },
});
