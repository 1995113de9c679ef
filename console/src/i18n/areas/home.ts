import { area } from "@/i18n/area";

export const home = area({
  title: ["一个接口，用遍对话与视频模型", "Chat and video models through one API"],
  lead: [
    "一个密钥、一份预付余额；每一分钱都有据可查。",
    "One key, one prepaid balance, and every fen accounted for.",
  ],
  start: ["免费试用", "Try it"],
  browse: ["浏览模型", "Browse models"],
  readGuide: ["阅读指南", "Read the guide"],
  compatibleTitle: ["兼容 OpenAI", "OpenAI compatible"],
  compatible: [
    "换一个 base_url，现有代码与 SDK 照常工作。",
    "Change the base_url; your code and SDKs work as they are.",
  ],
  exactTitle: ["账目精确", "Exact to the last digit"],
  exact: [
    "先冻结，后结算；每条用量都附带计算过程与签名凭证。",
    "Held first, settled after; each record shows its arithmetic and has a signed receipt.",
  ],
  sandboxTitle: ["随附沙箱", "A sandbox with everything"],
  sandbox: [
    "测试密钥调用模拟服务，失败情形也能演练，不花一分钱。",
    "Test keys reach simulated providers, failures included, and cost nothing.",
  ],
  call: ["第一次调用", "The first call"],
  others: ["换个名称，其他模型也这样调用：", "Other models are called the same way:"],
  allModels: ["全部 {{count}} 个模型", "All {{count}} models"],
  hello: ["你好", "Hello"],
});
