"use strict";
// Recomputes the ranking for other weights and requirements, by the method that Python puts in.
// Nothing is loaded or sent; without this script the page says the same, for the priorities as
// stated.
(() => {
  const byId = (id) => document.getElementById(id);
  const decision = JSON.parse(byId("trustser-decision").textContent);
  const { criteria, candidates } = decision;
  const names = criteria.map((criterion) => criterion.criterion);
  const aspects = [...new Set(criteria.map((criterion) => criterion.aspect))];
  const colors = byId("ranking-table").dataset.aspects.split(" ").map((aspect) => `f-${aspect}`);
  const titles = new Map(candidates.map((candidate) => [candidate.name, candidate.title]));
  const sliders = [...document.querySelectorAll("#explore input[type=range]")];
  const switches = [...document.querySelectorAll("#explore input[type=checkbox]")];

  const stated = () => ({
    raw: new Map(criteria.map((criterion) => [criterion.criterion, criterion.raw])),
    off: new Set(),
  });
  let setting = stated();

  // The arithmetic, step by step as in Python.

  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

  function weights(raw) {
    const total = sum(names.map((name) => raw.get(name)));
    return names.map((name) => (total > 0 ? raw.get(name) / total : 0));
  }

  const combine = /* the method */ null;

  function scores(weight) {
    const needed = names.filter((_, i) => weight[i] > 0);
    if (!needed.length) return new Map();
    const known = candidates.filter((one) => needed.every((name) => name in one.scores));
    const rows = known.map((one) => needed.map((name) => one.scores[name]));
    const values = combine(rows, weight.filter((share) => share > 0));
    return new Map(known.map((one, i) => [one.name, values[i]]));
  }

  function evaluate({ raw, off }) {
    const weight = weights(raw);
    const score = scores(weight);
    const results = candidates.map((candidate) => ({
      candidate,
      score: score.get(candidate.name) ?? null,
      eligible: score.has(candidate.name) &&
        !candidate.outcomes.some((one) => one.blocks && !off.has(one.requirement)),
      contributions: names.map((name, i) =>
        (name in candidate.scores ? weight[i] * candidate.scores[name] : null)),
    }));
    const group = (one) => (one.eligible ? 0 : one.score !== null ? 1 : 2);
    const byName = (a, b) => (a.candidate.name < b.candidate.name ? -1 : 1);
    results.sort((a, b) =>
      group(a) - group(b) || (b.score ?? 0) - (a.score ?? 0) || byName(a, b));
    return { weight, results };
  }

  // What is shown.

  const three = (number) => (number === null ? "unknown" : number.toFixed(3));
  const percent = (share) =>
    (share > 0 && share < 5e-4 ? "<\u00a00.1\u00a0%" : `${(100 * share).toFixed(1)}\u00a0%`);
  const rowOf = (table, candidate) =>
    document.querySelector(`#${table} tr[data-index="${candidates.indexOf(candidate)}"]`);

  function rect(attributes) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    Object.entries({ y: 0, height: "100%", ...attributes })
      .forEach(([key, value]) => node.setAttribute(key, value));
    return node;
  }

  // What is unknown or flagged ends the bar, hatched, as wide as it could contribute at most.
  function pieces({ candidate, contributions }, weight) {
    const shareOf = (aspect) => contributions
      .filter((share, i) => share !== null && criteria[i].aspect === aspect);
    const known = aspects.map((aspect, order) => [colors[order], aspect, shareOf(aspect)])
      .filter(([, , shares]) => shares.length)
      .map(([color, aspect, shares]) =>
        [color, sum(shares), `${aspect.replace("_", " ")} ${three(sum(shares))}`]);
    const lack = (i) => (contributions[i] === null ? "unknown"
      : candidate.guessed.includes(names[i]) ? "no better than guessing"
      : candidate.distrusted.includes(names[i]) ? "flagged" : "");
    const gaps = criteria.map(({ title }, i) => ["f-unknown", weight[i], `${title} ${lack(i)}`])
      .filter(([, width], i) => width > 0 && lack(i));
    return [...known, ...gaps];
  }

  function drawBar(bar, result, weight) {
    let start = 0;
    bar.replaceChildren();
    const parts = pieces(result, weight);
    parts.forEach(([color, share]) => {
      bar.append(rect({ class: color, x: `${100 * start}%`, width: `${100 * share}%` }));
      if (start > 0) bar.append(rect({ class: "edge", x: `${100 * start}%`, width: 1.5 }));
      start += share;
    });
    const said = parts.map(([, , words]) => words).join(", ");
    bar.setAttribute("aria-label", `Contributions of ${result.candidate.title}: ${said}`);
  }

  const STATES = {
    fail: "out: fails a requirement",
    unknown: "cannot be judged: what a requirement needs is unknown",
    none: "cannot be scored",
  };

  function blocked(candidate) {
    const states = candidate.outcomes
      .filter((one) => one.blocks && !setting.off.has(one.requirement)).map((one) => one.status);
    return states.includes("fail") ? "fail" : states.length ? "unknown" : "none";
  }

  function drawRow(result, position, weight) {
    const row = rowOf("ranking-table", result.candidate);
    const cell = (name) => row.querySelector(`[data-cell="${name}"]`);
    row.classList.toggle("chosen", position === 1);
    row.dataset.score = result.score ?? "";
    row.dataset.position = position ?? "";
    cell("place").textContent = position ?? "–";
    cell("place").classList.toggle("none", position === null);
    cell("first").classList.add("none");
    cell("score").textContent = three(result.score);
    cell("first").textContent = "–";
    cell("state").textContent = result.eligible ? ""
      : STATES[blocked(result.candidate)];
    drawBar(row.querySelector(".bar"), result, weight);
    row.parentNode.append(row);
  }

  function drawContributions(result, weight) {
    const row = rowOf("contributions-table", result.candidate);
    names.forEach((name, i) => {
      const cell = row.querySelector(`[data-criterion="${CSS.escape(name)}"]`);
      const share = result.contributions[i];
      cell.dataset.value = share ?? "";
      cell.replaceChildren(three(share));
      if (share === null) return;
      const small = document.createElement("small");
      const flagged = result.candidate.guessed.includes(name) ? ", no better than guessing"
        : result.candidate.distrusted.includes(name) ? ", flagged" : "";
      small.textContent = `${percent(weight[i])} × ${three(result.candidate.scores[name])}${flagged}`;
      cell.append(small);
    });
    row.querySelector("[data-sum]").textContent =
      three(result.score === null ? null : sum(result.contributions.map((share) => share ?? 0)));
    row.parentNode.append(row);
  }

  function drawWeights(weight) {
    criteria.forEach((criterion, i) => {
      const slider = sliders.find((one) => one.dataset.criterion === criterion.criterion);
      const value = setting.raw.get(criterion.criterion);
      slider.value = value;
      slider.setAttribute("aria-valuetext", `${value}, weight ${percent(weight[i])}`);
      slider.parentNode.querySelector("output").textContent = `${value} → ${percent(weight[i])}`;
      const head = document.querySelector(`#contributions-table th[data-criterion="${CSS.escape(names[i])}"] small`);
      head.textContent = `weight ${percent(weight[i])}`;
    });
    aspects.forEach((aspect) => {
      const share = sum(weight.filter((_, i) => criteria[i].aspect === aspect));
      document.querySelector(`[data-aspect-weight="${aspect}"]`).textContent = percent(share);
    });
    switches.forEach((one) => { one.checked = !setting.off.has(one.dataset.requirement); });
  }

  function drawVerdict(results, changed) {
    const first = results[0] && results[0].eligible ? results[0].candidate.name : null;
    const verdict = byId("verdict");
    verdict.classList.toggle("changed", changed);
    const choice = first === null ? "no candidate would be left" : `the choice would be ${titles.get(first)}`;
    const same = first === decision.choice ? ", as in the report" : "";
    verdict.textContent = !changed ? "These are the priorities and requirements as stated."
      : results.every((one) => one.score === null) ? "Nothing can be scored with these weights."
      : `With these settings ${choice}${same}. Scores and places below follow them; the rest of the report does not.`;
  }

  // The setting: in the page, and as a link.

  const isStated = () => setting.off.size === 0 &&
    criteria.every((criterion) => setting.raw.get(criterion.criterion) === criterion.raw);

  function fragment() {
    const parts = new URLSearchParams();
    criteria.forEach(({ criterion, raw }) => {
      if (setting.raw.get(criterion) !== raw) parts.append(`w.${criterion}`, setting.raw.get(criterion));
    });
    setting.off.forEach((id) => parts.append("off", id));
    return `#set&${parts}`;
  }

  function read(text) {
    if (!text.startsWith("#set&")) return false;
    const parts = new URLSearchParams(text.slice(5));
    setting = stated();
    sliders.forEach(({ dataset, max }) => {
      const value = Number.parseFloat(parts.get(`w.${dataset.criterion}`));
      if (value >= 0 && value <= Number(max)) setting.raw.set(dataset.criterion, value);
    });
    switches.forEach(({ dataset }) => {
      if (parts.getAll("off").includes(dataset.requirement)) setting.off.add(dataset.requirement);
    });
    return true;
  }

  // The scenario as set: what the page does not change is written already.

  const WORDS = new Map([[1, "low"], [3, "medium"], [9, "high"]]);
  const parts = byId("trustser-scenario") && JSON.parse(byId("trustser-scenario").textContent);

  function scenarioText() {
    // Without a requirement an aspect may stand for another criterion, so each is named then.
    const key = (name) => (setting.off.size ? name : parts.keys[name]);
    const priorities = names.map((name) => {
      const value = setting.raw.get(name);
      return `  ${key(name)}: ${WORDS.get(value) ?? value}\n`;
    });
    const groups = parts.groups.map(({ head, items }) => {
      const kept = items.filter(({ id }) => !setting.off.has(id));
      return kept.length ? head + kept.map(({ text }) => text).join("") : "";
    });
    return `${parts.head}priorities:\n${priorities.join("")}${groups.join("")}`;
  }

  function drawScenario() {
    if (!parts) return;
    const weighed = names.some((name) => setting.raw.get(name) > 0);
    byId("scenario-text").value = weighed ? scenarioText() : "";
    byId("copy-scenario").disabled = !weighed;
    byId("copied").textContent = "";
  }

  async function copyScenario() {
    const text = byId("scenario-text");
    let copied = true;
    try {
      await navigator.clipboard.writeText(text.value);
    } catch {
      byId("scenario-set").open = true;
      text.focus();
      text.select();
      copied = document.execCommand("copy");
    }
    byId("copied").textContent = copied ? "Copied."
      : "This browser does not let the page copy: the text below is selected, copy it by hand.";
  }

  if (parts) byId("copy-scenario").addEventListener("click", copyScenario);

  const original = ["ranking-table", "contributions-table", "legend"]
    .map((id) => [byId(id), byId(id).cloneNode(true)]);

  function restore() {
    original.forEach(([node, copy]) => node.replaceChildren(...copy.cloneNode(true).childNodes));
  }

  function show() {
    restore();
    const { weight, results } = evaluate(setting);
    const changed = !isStated();
    drawWeights(weight);
    drawVerdict(results, changed);
    drawScenario();
    if (changed) {
      results.forEach((result, i) => drawRow(result, result.eligible ? i + 1 : null, weight));
      results.forEach((result) => drawContributions(result, weight));
    }
    byId("setting-link").href = fragment();
    byId("reset").disabled = !changed;
  }

  function keep() {
    show();
    location.replace(fragment());
  }

  sliders.forEach((slider) => {
    slider.addEventListener("input", () => {
      setting.raw.set(slider.dataset.criterion, Number(slider.value));
      show();
    });
    slider.addEventListener("change", keep);
  });
  switches.forEach((one) => one.addEventListener("change", () => {
    setting.off[one.checked ? "delete" : "add"](one.dataset.requirement);
    keep();
  }));
  byId("reset").addEventListener("click", () => { setting = stated(); keep(); });
  // The address holds the setting, so that walking through the page must not write over it.
  const inside = document.querySelectorAll("nav a, a.cited");
  inside.forEach((link) => link.addEventListener("click", (event) => {
    const place = byId(decodeURIComponent(link.hash.slice(1)));
    const folded = place.closest("details");
    if (folded) folded.open = true;
    if (isStated()) return;
    event.preventDefault();
    const head = place.matches("section") ? place.querySelector("h2") : place;
    place.scrollIntoView();
    head.tabIndex = -1;
    head.focus({ preventScroll: true });
  }));
  window.addEventListener("hashchange", () => { if (read(location.hash)) show(); });

  byId("explore").hidden = false;
  if (read(location.hash)) byId("ranking").scrollIntoView();
  show();
})();
