import { area } from "@/i18n/area";

export const guide = area({
  contents: ["目录", "Contents"],
  language: ["语言", "Language"],
  answer: ["应答", "Answer"],
  table: ["表格", "Table"],
  modelId: ["模型 ID", "Model ID"],
  provider: ["供应商", "Provider"],
  models: ["模型名称", "Model"],
  price: ["价格", "Price"],
  reference: ["接口参考", "Reference"],
});
