"use strict";
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
