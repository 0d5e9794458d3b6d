/**
 * A text field that grows with its text.
 * Owns: its height, set as a property: antd measures with a style attribute, which the page's policy forbids.
 */
import { type Ref, type TextareaHTMLAttributes, useImperativeHandle, useLayoutEffect, useRef } from "react";

const MAX_HEIGHT_PX = 220;

/** What X's Sender expects of its field. */
export interface TextAreaHandle {
  resizableTextArea: { textArea: HTMLTextAreaElement | null };
  nativeElement: HTMLTextAreaElement | null;
  focus: () => void;
  blur: () => void;
}

interface Props extends TextareaHTMLAttributes<HTMLTextAreaElement> {
  ref?: Ref<TextAreaHandle>;
  autoSize?: unknown;
  variant?: unknown;
}

export function GrowingTextArea({ ref, autoSize: _size, variant: _variant, autoFocus, ...props }: Props) {
  const field = useRef<HTMLTextAreaElement>(null);
  useImperativeHandle(ref, () => ({
    resizableTextArea: { textArea: field.current },
    nativeElement: field.current,
    focus: () => field.current?.focus(),
    blur: () => field.current?.blur(),
  }));
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text decides the height
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${Math.min(MAX_HEIGHT_PX, element.scrollHeight)}px`;
  }, [props.value]);
  useLayoutEffect(() => {
    const element = field.current;
    if (!autoFocus || !element) return;
    element.focus();
    element.setSelectionRange(element.value.length, element.value.length);
  }, [autoFocus]);
  return <textarea rows={1} {...props} ref={field} />;
}
