import { expect, it } from "vitest";
import { paths } from "@/paths";

it("says where everything is", () => {
  const shown = Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, path("a b/c")]));
  expect(shown).toMatchInlineSnapshot(`
    {
      "chat": "/playground/chat?model=a%20b%2Fc",
      "finance": "/finance",
      "guide": "/guide",
      "home": "/",
      "keys": "/keys",
      "model": "/models/a%20b%2Fc",
      "models": "/models",
      "order": "/finance/orders/a%20b%2Fc",
      "orders": "/finance/orders",
      "reference": "/reference",
      "settings": "/settings",
      "signIn": "/sign-in?next=a%20b%2Fc",
      "statement": "/finance/statements/a%20b%2Fc",
      "statements": "/finance/statements",
      "task": "/tasks/a%20b%2Fc",
      "tasks": "/tasks",
      "usage": "/usage",
      "usageRecord": "/usage/a%20b%2Fc",
      "video": "/playground/video?model=a%20b%2Fc",
    }
  `);
});
