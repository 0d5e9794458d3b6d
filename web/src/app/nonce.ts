/**
 * The page's policy lets in only styles with the answer's nonce. Ant Design passes it on almost everywhere; its scroll
 * lock does not, so every style element that our own scripts make gets it here.
 */
export function giveStylesNonce(nonce: string): void {
  const create = document.createElement.bind(document);
  const withNonce = (name: string, options?: ElementCreationOptions): HTMLElement => {
    const element = create(name, options);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  };
  document.createElement = withNonce as typeof document.createElement;
}
