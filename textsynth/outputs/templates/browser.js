"use strict";
// The browser of records. Text of records only ever becomes text nodes: nothing here parses HTML.
(() => {
  const data = JSON.parse(document.getElementById("records-data").textContent);
  const AT_ONCE = 50;
  const $ = (id) => document.getElementById(id);
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const bdi = (text) => make("bdi", "", text);
  const plain = ([, pieces]) => pieces.map((piece) => (typeof piece === "string" ? piece : piece[0])).join("");
  const rows = data.records.map((record) => ({
    ...record,
    haystack: [record.id, record.reason, ...record.facts.map((f) => f[1]), ...record.texts.map(plain)]
      .join("\n").toLowerCase(),
  }));
  const query = $("search"), state = $("state"), reason = $("reason"), list = $("list"), more = $("more");
  let found = [], shown = 0;

  const SIGNS = {  // of each kind of mark, for the line below the text: what is marked so, and what that means
    stated: ["fact", "stands in the text"],
    shared: ["shared with a seed", ""],
    contradicted: ["words", "contradict a fact"],
    unsupported: ["words", "no fact supports"],
  };

  function marked(pieces, record) {
    const out = make("bdi");
    for (const piece of pieces) {
      if (typeof piece === "string") { out.append(piece); continue; }
      const [text, kinds, facts] = piece, mark = make("mark", kinds, text), has = kinds.split(" ");
      mark.title = [
        ...facts.map((at) => record.facts[at].slice(0, 2).join(": ").slice(0, 200)),
        ...has.filter((kind) => kind === "contradicted" || kind === "unsupported").map((kind) => SIGNS[kind][1]),
        ...(has.includes("shared") ? [`shared with a seed: ${record.shared} words`] : []),
      ].join("; ");
      link(mark, facts);
      out.append(mark);
    }
    return out;
  }

  function link(element, facts) {
    if (!facts.length) return;
    element.dataset.facts = facts.join(" ");
    element.tabIndex = 0;
  }

  // Pointing at a fact, or reaching it with Tab, lights where it stands, and the other way round; Enter goes there.
  function light(body) {
    const parts = [...body.querySelectorAll("[data-facts]")];
    const facts = (element) => element?.closest("[data-facts]")?.dataset.facts.split(" ") ?? [];
    const same = (part, some) => facts(part).some((at) => some.includes(at));
    const show = (element) => { for (const part of parts) part.classList.toggle("lit", same(part, facts(element))); };
    for (const name of ["mouseover", "focusin"]) body.addEventListener(name, (event) => show(event.target));
    for (const name of ["mouseout", "focusout"]) body.addEventListener(name, (event) => show(event.relatedTarget));
    body.addEventListener("keydown", (event) => {
      const here = event.target, some = facts(here);
      if (event.key === "Enter" && some.length)
        parts.find((part) => (part.tagName === "MARK") !== (here.tagName === "MARK") && same(part, some))?.focus();
    });
  }

  function factsOf(record, inText) {
    const list = make("dl", "facts");
    let pair;
    record.facts.forEach(([name, line, source, wrong], at) => {
      if (!pair || name !== record.facts[at - 1][0]) {
        pair = make("div");
        const term = make("dt");
        term.append(bdi(name));
        pair.append(term);
        list.append(pair);
      }
      const value = make("dd", wrong ?? "");
      value.append(inText.has(at) && !wrong ? make("mark", "stated", line) : bdi(line));
      if (wrong) value.append(" ", make("strong", "wrong", wrong === "missing" ? "missing in the text" : wrong));
      if (source === "copied") value.append(" ", make("span", "copied", "copied from a seed"));
      if (source === "perturbed") value.append(" ", make("span", "copied", "altered from a seed"));
      if (inText.has(at)) link(value, [at]);
      pair.append(value);
    });
    return list;
  }

  function legend(record, kinds) {
    const list = make("ul", "signs");
    for (const [kind, [word, means]] of Object.entries(SIGNS)) {
      if (!kinds.has(kind)) continue;
      const item = make("li");
      item.append(make("mark", /stated|shared/.test(kind) ? kind : `${kind} end`, word), kind === "shared" ? `: ${record.shared} words` : ` ${means}`);
      list.append(item);
    }
    return list;
  }

  function open(item, record) {
    if (item.querySelector(".opened")) return;
    const body = make("div", "opened"), beside = make("div", "beside"), told = make("div");
    const marks = record.texts.flatMap(([, pieces]) => pieces.filter((piece) => typeof piece !== "string"));
    const inText = new Set(marks.flatMap(([, , facts]) => facts));
    const said = record.facts.filter(([, , , wrong], at) => inText.has(at) && !wrong).length;
    const kinds = new Set(marks.flatMap(([, some]) => some.split(" ")));
    if (record.facts.length) {
      const facts = make("div");
      facts.append(factsOf(record, inText));
      if (record.texts.length) facts.append(make("p", "soft",
        `${said} of ${record.facts.length} facts stand in the text${record.located ? "" : " word for word"}.`));
      beside.append(facts);
    }
    for (const [name, pieces, cut] of record.texts) {
      const part = make("p", "text");
      part.dir = "auto";
      if (record.texts.length > 1) { const label = make("span", "name"); label.append(bdi(name)); part.append(label); }
      part.append(marked(pieces, record));
      told.append(part);
      if (cut) told.append(make("p", "soft", `Cut here: it has ${cut.toLocaleString("en")} characters.`));
    }
    if (kinds.size) told.append(legend(record, kinds));
    if (record.hidden) told.append(make("p", "soft",
      "Its text is not shown: no leakage gate accepted it, so it may hold text of a seed."));
    beside.append(told);
    body.append(beside, verdicts(record));
    if (record.lineage) { const pre = make("pre"); pre.append(bdi(record.lineage)); body.append(pre); }
    light(body);
    item.append(body);
  }

  function verdicts(record) {
    const table = make("table"), head = make("tr");
    for (const name of ["Filter", "Verdict", "Scores", "Nearest"]) { const th = make("th", "", name); th.scope = "col"; head.append(th); }
    table.append(make("thead"), make("tbody"));
    table.tHead.append(head);
    for (const cells of record.verdicts) {
      const line = make("tr");
      for (const cell of cells) { const td = make("td"); td.append(bdi(cell)); line.append(td); }
      table.tBodies[0].append(line);
    }
    return table;
  }

  function row(record) {
    const item = make("details", "row"), summary = make("summary");
    const verdict = record.state === "accepted" ? "accepted" : record.state === "surplus" ? "surplus" : record.reason;
    summary.append(make("code", "", record.id), make("span", `tag ${record.state}`, verdict));
    const start = record.texts.length ? plain(record.texts[0]) : record.facts.map((f) => f[1]).join(" · ");
    const snippet = make("span", "snippet");
    snippet.append(bdi(start ? start.slice(0, 160) : record.hidden ? "text not shown" : ""));
    summary.append(snippet);
    item.append(summary);
    item.addEventListener("toggle", () => { if (item.open) open(item, record); });
    return item;
  }

  function page() {
    const next = found.slice(shown, shown + AT_ONCE);
    list.append(...next.map(row));
    shown += next.length;
    more.hidden = shown >= found.length;
    more.textContent = `Show ${Math.min(AT_ONCE, found.length - shown)} more of ${(found.length - shown).toLocaleString("en")}`;
  }

  function filter() {
    const words = query.value.toLowerCase().trim();
    found = rows.filter((record) => (!state.value || record.state === state.value)
      && (!reason.value || record.reason === reason.value) && record.haystack.includes(words));
    list.replaceChildren();
    shown = 0;
    page();
    $("count").textContent = found.length === 1 ? "1 record" : `${found.length.toLocaleString("en")} records`;
  }

  for (const name of [...new Set(rows.map((record) => record.reason).filter(Boolean))].sort()) {
    const option = make("option", "", name);
    option.value = name;
    reason.append(option);
  }
  for (const control of [query, state, reason]) control.addEventListener("input", filter);
  more.addEventListener("click", () => { const at = shown; page(); list.children[at]?.firstChild.focus(); });
  list.addEventListener("keydown", (event) => {  // arrows walk the list; Enter and Space open, as in any details
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target.tagName !== "SUMMARY") return;
    const all = [...list.querySelectorAll("summary")];
    const next = all[all.indexOf(event.target) + step];
    if (next) { next.focus(); event.preventDefault(); }
  });
  document.documentElement.classList.add("scripted");
  filter();
})();
