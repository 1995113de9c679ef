import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router/dom";
import { queries } from "@/api/queries";
import { followTabs } from "@/api/session";
import { startTexts } from "@/i18n";
import { router } from "@/router";
import "@/styles.css";

const root = document.getElementById("root");
if (!root) throw new Error("the page has no place for the console");
await startTexts();
followTabs();
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
