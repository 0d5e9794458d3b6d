/** Starts the page. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { giveStylesNonce } from "./app/nonce";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/chat.css";
import "./styles/composer.css";
import "./styles/panels.css";

const meta = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]');
const nonce = meta?.content ?? "";

giveStylesNonce(nonce);

const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <StrictMode>
      <App nonce={nonce} />
    </StrictMode>,
  );
