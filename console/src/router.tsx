import { createBrowserRouter, type RouteObject } from "react-router";
import { loadTexts } from "@/i18n";
import { ErrorPage, NotFoundPage } from "@/shell/ErrorPage";
import { RequireSession } from "@/shell/RequireSession";
import { Shell } from "@/shell/Shell";
import { HomePage } from "@/pages/HomePage";
import { Skeleton } from "@/ui/Card";

/** A page that is loaded when it is first opened. */
function page(path: string, load: () => Promise<{ Page: React.ComponentType }>): RouteObject {
  return {
    path,
    lazy: async () => {
      const [{ Page }] = await Promise.all([load(), loadTexts()]);
      return { Component: Page };
    },
  };
}

export const router = createBrowserRouter([
  {
    element: <Shell />,
    hydrateFallbackElement: <Skeleton className="h-14 w-full" />,
    errorElement: <ErrorPage />,
    children: [
      { index: true, element: <HomePage /> },
      page("/sign-in", () => import("@/pages/SignInPage")),
      page("/models", () => import("@/pages/ModelsPage")),
      page("/models/:llmid", () => import("@/pages/ModelPage")),
      page("/guide", () => import("@/pages/GuidePage")),
      page("/reference", () => import("@/pages/ReferencePage")),
      {
        element: <RequireSession />, // what only who is signed in can see
        children: [
          page("/playground/chat", () => import("@/pages/ChatPage")),
          page("/playground/video", () => import("@/pages/VideoPage")),
          page("/keys", () => import("@/pages/KeysPage")),
          page("/finance", () => import("@/pages/FinancePage")),
          page("/finance/orders", () => import("@/pages/OrdersPage")),
          page("/finance/orders/:id", () => import("@/pages/OrderPage")),
          page("/finance/statements", () => import("@/pages/StatementsPage")),
          page("/finance/statements/:month", () => import("@/pages/StatementPage")),
          page("/settings", () => import("@/pages/SettingsPage")),
          page("/usage", () => import("@/pages/UsagePage")),
          page("/usage/:id", () => import("@/pages/UsageRecordPage")),
          page("/tasks", () => import("@/pages/TasksPage")),
          page("/tasks/:id", () => import("@/pages/TaskPage")),
        ],
      },
      { path: "*", element: <NotFoundPage /> },
    ],
  },
]);
