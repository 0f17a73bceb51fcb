"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const rows = [...document.querySelectorAll(".streams > tbody > tr")];
  const texts = rows.map((row) =>
    [0, 1, 2].map((place) => row.cells[place].textContent).join(" ").toLowerCase(),
  );

  const filter = () => {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const kind = $("show").value;
    let found = 0;
    rows.forEach((row, place) => {
      const fits =
        words.every((word) => texts[place].includes(word)) &&
        (!kind || row.classList.contains(kind));
      if (row.hidden === fits) row.hidden = !fits;
      found += fits;
    });
    const all = rows.length.toLocaleString("en");
    const noun = rows.length === 1 ? "stream" : "streams";
    $("found").value =
      found === rows.length ? `${all} ${noun}` : `${found.toLocaleString("en")} of ${all} ${noun}`;
    $("none").hidden = found > 0 || !rows.length;
  };
  $("search").addEventListener("input", filter);
  $("show").addEventListener("change", filter);
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  $("filter").hidden = false;
  filter();

  const hour = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const day = { weekday: "long", day: "numeric", month: "long", year: "numeric" };
  const isUtc = (time) => !time.getTimezoneOffset();
  const say = (time, form) => time.toLocaleString("en-GB", form);
  for (const cell of document.querySelectorAll("[data-opens]")) {
    const [opens, closes] = [new Date(cell.dataset.opens), new Date(cell.dataset.closes)];
    if (isUtc(opens)) continue;
    const same = opens.toDateString() === closes.toDateString();
    const form = { weekday: "short", ...hour };
    cell.textContent = `${say(opens, form)} \u2013 ${say(closes, same ? hour : form)}`;
    cell.parentElement.hidden = false;
  }
  for (const note of document.querySelectorAll("[data-local]")) {
    const time = new Date(note.dataset.local);
    if (isUtc(time)) continue;
    note.textContent = `${note.dataset.words} ${say(time, { ...day, ...hour })}.`;
    note.hidden = false;
  }

  const table = document.querySelector(".streams"); // some readers need it where rows are grids
  table.setAttribute("role", "table");
  for (const part of [table.tHead, table.tBodies[0]]) part.setAttribute("role", "rowgroup");
  for (const row of table.rows) {
    row.setAttribute("role", "row");
    const head = row.parentElement === table.tHead;
    for (const cell of row.cells) {
      const heading = head ? "columnheader" : "rowheader";
      cell.setAttribute("role", cell.tagName === "TH" ? heading : "cell");
    }
  }
})();
