import { area } from "@/i18n/area";

export const common = area({
  loading: ["加载中…", "Loading…"],
  retry: ["重试", "Try again"],
  cancel: ["取消", "Cancel"],
  close: ["关闭", "Close"],
  save: ["保存", "Save"],
  copy: ["复制", "Copy"],
  copied: ["已复制", "Copied"],
  copyByHand: ["浏览器不允许自动复制，文本已选中，请手动复制（Ctrl+C）。", "The browser does not let us copy. The text is selected: copy it yourself (Ctrl+C)."],
  more: ["加载更多", "Load more"],
  optional: ["选填", "optional"],
  offline: ["没有网络连接，或服务器没有应答。", "There is no network, or the server does not answer."],
  waitSeconds: ["请在 {{seconds}} 秒后再试。", "Try again in {{seconds}} s."],
  requestId: ["请求编号", "Request id"],
  fault: ["这里出了问题。", "Something went wrong here."],
  notFound: ["没有这个页面", "There is no such page"],
  notFoundHint: ["地址可能有误，或内容已被删除。", "The address may be wrong, or what was here is gone."],
  toHome: ["返回首页", "Go to the home page"],
  live: ["正式", "Live"],
  test: ["测试", "Test"],
});
