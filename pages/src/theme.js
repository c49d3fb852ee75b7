"use strict";
/* A text of others as every page shows it: what nobody sees, and what turns the order of what is read, as an escape.
   JSON.parse takes it as its second argument. */
const visible = (_, text) => typeof text !== "string" ? text : text.replace(
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu,
  it => "\\u{" + it.codePointAt(0).toString(16) + "}");
/* Dark, light, or as the system has it; remembered where the browser allows it. */
function themeButton(button, redraw) {
  const root = document.documentElement;
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const tell = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", dark() ? "Use light colours" : "Use dark colours"); };
  try { const kept = localStorage.getItem("theme"); if (kept) root.dataset.theme = kept; } catch (_) { /* a page from a file may not remember */ }
  tell();
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch (_) { /* as above */ }
    tell(); redraw();
  });
}
