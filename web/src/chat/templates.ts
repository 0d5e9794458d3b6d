/**
 * Questions that people ask most, and the check of the standard analysis.
 * Owns: their wording (Chinese: the model is asked about Chinese posts), the promised length. Must not know: how they are sent.
 */
export type TemplateName = "analysis" | "describe" | "text" | "price" | "claims" | "mood";

/** The standard analysis asks for fewer characters than this. */
export const ANALYSIS_MAX_CHARS = 200;

export const TEMPLATES: readonly { name: TemplateName; prompt: string }[] = [
  {
    name: "analysis",
    prompt: `请分析这张图片：先描述画面，再写出图中所有文字，最后说明你的判断和理由。注意数字、金额和日期，不要写错。总共不超过${ANALYSIS_MAX_CHARS}字。`,
  },
  { name: "describe", prompt: "请描述画面：有什么人、物和场景，整体是什么风格？" },
  { name: "text", prompt: "请识别图中的文字，逐行写出，不要遗漏，不要改动。" },
  { name: "price", prompt: "图中有哪些价格、优惠、数量和日期？请用表格列出：内容、数值、原文。" },
  {
    name: "claims",
    prompt: "这是宣传内容吗？有没有夸大、绝对化或无法证实的说法？请引用原文，逐条说明理由。",
  },
  { name: "mood", prompt: "发布者表达了什么情绪？是正面、负面还是中性？请结合画面和文字说明依据。" },
];

export const ANALYSIS_PROMPT = TEMPLATES[0]?.prompt ?? "";

/** Count characters as a reader does: a Han character or a letter is one; blanks and Markdown's marks are none. */
export function countChars(text: string): number {
  return [...text.replace(/-{3,}/g, "").replace(/[\s*#`|>]/g, "")].length;
}
