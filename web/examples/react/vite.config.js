import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The package finds its files by their addresses beside it, which pre-bundling would move.
export default defineConfig({ plugins: [react()], optimizeDeps: { exclude: ["mien-expressions"] }, worker: { format: "es" } });
