"use strict";
// Saves a copy of this page as it was loaded, with the entries of the sign-off set in its markup.
// Nothing is sent; without this script the entries can be printed, or written by hand on paper.
(() => {
  // Taken before any other script changes the page, so that `trustser verify` knows it again.
  const loaded = document.documentElement.cloneNode(true);
  const save = document.getElementById("sign-off-save");

  function enter(field) {
    const copy = loaded.querySelector(`#${field.id}`);
    if (field.localName === "textarea") copy.textContent = field.value;
    else if (field.type === "radio") copy.toggleAttribute("checked", field.checked);
    else copy.setAttribute("value", field.value);
  }

  function fileName() {
    const last = decodeURIComponent(location.pathname.split("/").pop());
    return `${last.replace(/(-signed)?\.html?$/i, "") || "report"}-signed.html`;
  }

  save.addEventListener("click", () => {
    document.querySelectorAll("[data-entry]").forEach(enter);
    const page = new Blob([`<!doctype html>\n${loaded.outerHTML}\n`], { type: "text/html" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(page);
    link.download = fileName();
    link.click();
    URL.revokeObjectURL(link.href);
    document.getElementById("sign-off-state").textContent = `Saved as ${link.download}.`;
  });
  document.getElementById("sign-off-actions").hidden = false;
})();
