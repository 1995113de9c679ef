import { createBrowserRouter, type RouteObject } from "react-router";
import { loadOtherTexts, loadTexts, startTexts } from "@/i18n";
import type { OwnArea } from "@/i18n/parts";
import { ErrorPage, NotFoundPage } from "@/shell/ErrorPage";
import { loadPart, prefetch } from "@/shell/loading";
import { RequireSession } from "@/shell/RequireSession";
import { Shell } from "@/shell/Shell";
import { Skeleton } from "@/ui/Card";

type Load = () => Promise<{ Page: React.ComponentType }>;

const parts: (() => Promise<unknown>)[] = [loadOtherTexts];

/** A page that is loaded when it is first opened, with the areas of texts of its own; the first page has none but those of the frame. */
function page(path: string, load: Load, own: readonly OwnArea[] | null): RouteObject {
  const texts = () => (own ? loadTexts(own) : startTexts());
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
  page("/", () => import("@/pages/HomePage"), null),
  page("/sign-in", () => import("@/pages/SignInPage"), []),
  page("/models", () => import("@/pages/ModelsPage"), ["models"]),
  page("/models/:llmid", () => import("@/pages/ModelPage"), ["models"]),
  page("/guide", () => import("@/pages/GuidePage"), ["guide", "models"]),
  page("/reference", () => import("@/pages/ReferencePage"), ["guide", "models", "playground", "reference"]),
  {
    element: <RequireSession />, // what only who is signed in can see
    children: [
      page("/playground/chat", () => import("@/pages/ChatPage"), ["chat", "models", "playground"]),
      page("/playground/video", () => import("@/pages/VideoPage"), ["models", "playground", "video"]),
      page("/keys", () => import("@/pages/KeysPage"), ["keys"]),
      page("/finance", () => import("@/pages/FinancePage"), ["finance"]),
      page("/finance/orders", () => import("@/pages/OrdersPage"), ["finance"]),
      page("/finance/orders/:id", () => import("@/pages/OrderPage"), ["finance"]),
      page("/finance/statements", () => import("@/pages/StatementsPage"), ["finance"]),
      page("/finance/statements/:month", () => import("@/pages/StatementPage"), ["finance"]),
      page("/settings", () => import("@/pages/SettingsPage"), ["settings"]),
      page("/usage", () => import("@/pages/UsagePage"), ["usage"]),
      page("/usage/:id", () => import("@/pages/UsageRecordPage"), ["usage"]),
      page("/tasks", () => import("@/pages/TasksPage"), ["tasks"]),
      page("/tasks/:id", () => import("@/pages/TaskPage"), ["tasks", "usage"]),
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
