/** Every place of the console; links are made here only. */

const q = encodeURIComponent;

export const paths = {
  home: () => "/",
  signIn: (next?: string) => (next ? `/sign-in?next=${q(next)}` : "/sign-in"),
  models: () => "/models",
  model: (id: string) => `/models/${q(id)}`,
  chat: (model?: string) => (model ? `/playground/chat?model=${q(model)}` : "/playground/chat"),
  video: (model?: string) => (model ? `/playground/video?model=${q(model)}` : "/playground/video"),
  keys: () => "/keys",
  finance: () => "/finance",
  orders: () => "/finance/orders",
  order: (id: string) => `/finance/orders/${q(id)}`,
  statements: () => "/finance/statements",
  statement: (month: string) => `/finance/statements/${q(month)}`,
  usage: () => "/usage",
  usageRecord: (id: string) => `/usage/${q(id)}`,
  tasks: () => "/tasks",
  task: (id: string) => `/tasks/${q(id)}`,
  settings: () => "/settings",
  guide: () => "/guide",
  reference: () => "/reference",
} as const;
