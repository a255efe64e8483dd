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
  const rows = data.records.map((record) => ({
    ...record,
    haystack: [record.id, record.reason, ...record.facts.map((f) => f[1]), ...record.texts.map((t) => t[1])]
      .join("\n").toLowerCase(),
  }));
  const query = $("search"), state = $("state"), reason = $("reason"), list = $("list"), more = $("more");
  let found = [], shown = 0;

  // Where facts stand in a text, word for word; of two that overlap, the earlier, then the longer.
  function spans(text, facts) {
    const places = [];
    for (const [name, value] of facts) {
      if (!value || value.length > 300) continue;
      const literal = value.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
      const pattern = new RegExp(`(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])`, "giu");
      for (const match of text.matchAll(pattern)) places.push([match.index, match.index + match[0].length, name]);
    }
    places.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
    return places;
  }

  function marked(text, places) {
    const out = make("bdi");
    let at = 0;
    for (const [start, end, name] of places) {
      if (start < at) continue;
      out.append(text.slice(at, start));
      const mark = make("mark", "", text.slice(start, end));
      mark.title = name;
      out.append(mark);
      at = end;
    }
    out.append(text.slice(at));
    return out;
  }

  function open(item, record) {
    if (item.querySelector(".opened")) return;
    const body = make("div", "opened");
    const places = record.texts.map(([, text]) => spans(text, record.facts));
    const said = new Set(places.flat().map((place) => place[2]));
    if (record.facts.length) {
      const facts = make("dl", "facts");
      for (const [name, value, source] of record.facts) {
        const pair = make("div"), term = make("dt"), value_ = make("dd");
        term.append(bdi(name));
        value_.append(said.has(name) ? make("mark", "", value) : bdi(value));
        if (source === "perturbed") value_.append(" ", make("span", "copied", "altered from a seed"));
        if (source === "copied") value_.append(" ", make("span", "copied", "copied from a seed"));
        pair.append(term, value_);
        facts.append(pair);
      }
      body.append(facts);
      if (record.texts.length) body.append(make("p", "soft",
        `${said.size} of ${record.facts.length} facts stand in the text word for word.`));
    }
    record.texts.forEach(([name, text, cut], at) => {
      const part = make("p", "text");
      part.dir = "auto";
      if (record.texts.length > 1) { const label = make("span", "name"); label.append(bdi(name)); part.append(label); }
      part.append(marked(text, places[at]));
      body.append(part);
      if (cut) body.append(make("p", "soft", `Cut here: it has ${cut.toLocaleString("en")} characters.`));
    });
    if (record.hidden) body.append(make("p", "soft",
      "Its text is not shown: no leakage gate accepted it, so it may hold text of a seed."));
    const table = make("table"), head = make("tr");
    for (const name of ["Filter", "Verdict", "Scores", "Nearest"]) { const th = make("th", "", name); th.scope = "col"; head.append(th); }
    table.append(make("thead"), make("tbody"));
    table.tHead.append(head);
    for (const [filter, verdict, scores, nearest] of record.verdicts) {
      const line = make("tr");
      for (const cell of [filter, verdict, scores, nearest]) { const td = make("td"); td.append(bdi(cell)); line.append(td); }
      table.tBodies[0].append(line);
    }
    body.append(table);
    if (record.lineage) { const pre = make("pre"); pre.append(bdi(record.lineage)); body.append(pre); }
    item.append(body);
  }

  function row(record) {
    const item = make("details", "row"), summary = make("summary");
    const verdict = record.state === "accepted" ? "accepted" : record.state === "surplus" ? "surplus" : record.reason;
    summary.append(make("code", "", record.id), make("span", `tag ${record.state}`, verdict));
    const start = record.texts.length ? record.texts[0][1] : record.facts.map((f) => f[1]).join(" · ");
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
