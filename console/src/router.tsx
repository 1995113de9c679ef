import { createBrowserRouter, type RouteObject } from "react-router";
import { loadOtherTexts, loadTexts, startTexts } from "@/i18n";
import { ErrorPage, NotFoundPage } from "@/shell/ErrorPage";
import { loadPart, prefetch } from "@/shell/loading";
import { RequireSession } from "@/shell/RequireSession";
import { Shell } from "@/shell/Shell";
import { Skeleton } from "@/ui/Card";

type Load = () => Promise<{ Page: React.ComponentType }>;

const parts: (() => Promise<unknown>)[] = [loadOtherTexts];

/** A page that is loaded when it is first opened, with the texts that it needs beyond those of the frame. */
function page(path: string, load: Load, texts: () => Promise<unknown> = loadTexts): RouteObject {
  parts.push(load);
  return {
    path,
    lazy: async () => {
      const [{ Page }] = await loadPart(() => Promise.all([load(), texts()]), () => !router.state.initialized);
      return { Component: Page };
    },
  };
}

/** What fails is told where the page would be; the frame stays, and with it the way to the other pages. */
const pages: RouteObject[] = [
  page("/", () => import("@/pages/HomePage"), startTexts),
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
];

export const router = createBrowserRouter([
  {
    element: <Shell />,
    hydrateFallbackElement: <Skeleton className="h-14 w-full" />,
    errorElement: <ErrorPage />,
    children: [{ errorElement: <ErrorPage />, children: pages }],
  },
]);

const unsubscribe = router.subscribe(begin);

/** Once the first page is there, the others are fetched. */
function begin(): void {
  if (!router.state.initialized) return;
  unsubscribe();
  prefetch([...parts, () => import("@/ui/Markdown"), () => import("@/shell/EndedDialog"), () => import("@/shell/UserMenu")]);
}

begin();
