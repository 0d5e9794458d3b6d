/** Ids that the frame knows without loading the page of 分析. */
export const POST_TEXT_ID = "post-text";
/** Where the skip link leads while a report is shown. */
export const REPORT_ID = "report";
