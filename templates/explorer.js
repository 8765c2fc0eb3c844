"use strict";
(async () => {
  const element = (id) => document.getElementById(id);
  const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
  const number = (value) => Number(value).toLocaleString("en");

  // Data is unpacked when it is about to be shown; the last pieces are kept.
  const kept = new Map();
  async function unpack(id) {
    if (kept.has(id)) return kept.get(id);
    const bytes = Uint8Array.from(atob(element(id).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const data = JSON.parse(await new Response(stream).text());
    kept.set(id, data);
    if (kept.size > 12) kept.delete(kept.keys().next().value);
    return data;
  }

  const index = await unpack("index");
  const listing = await unpack("listing");
  const functions = index.functions;
  const counts = new Map();
  for (let i = 0; index.counts && i < index.counts.length; i += 2) counts.set(index.counts[i], index.counts[i + 1]);
  const hasProfile = index.counts !== null;
  let most = 1;
  for (const count of counts.values()) most = Math.max(most, count);
  const count = (pc) => counts.get(pc) ?? 0;
  const heat = (value, of = most) => value ? Math.min(9, Math.max(1, Math.round(9 * Math.log1p(value) / Math.log1p(of)))) : 0;

  // What functions are called, who calls them, and which one has a pc.
  const byEntry = new Map();
  functions.forEach((f, i) => {
    f.index = i;
    f.title = f.name ?? `function at ${f.function}`;
    f.isPiece = f.entry !== f.function;
    if (f.isPiece) f.title += `, piece at ${f.entry}`;
    f.callers = [];
    f.executed = 0;
    byEntry.set(f.entry, i);
    if (hasProfile) for (const block of listing[i]) for (const insn of block.insns) f.executed += count(insn.pc);
  });
  functions.forEach((f, i) => f.callees.forEach((callee) => functions[callee].callers.push(i)));
  const mostExecuted = functions.reduce((value, f) => Math.max(value, f.executed), 1);
  function holder(pc) {
    return functions.findIndex((f) => {
      for (let i = 0; i < f.ranges.length; i += 2) if (f.ranges[i] <= pc && pc < f.ranges[i + 1]) return true;
      return false;
    });
  }

  // A list of which only the lines in sight are in the document.
  class Lines {
    constructor(place, height, draw) {
      Object.assign(this, { place, height, draw, rows: [], first: 0, last: 0 });
      this.room = document.createElement("div");
      this.room.style.cssText = "position:absolute;width:1px;top:0;left:0";
      this.body = document.createElement("div");
      place.replaceChildren(this.room, this.body);
      place.addEventListener("scroll", () => this.show());
      new ResizeObserver(() => this.show()).observe(place);
    }
    set(rows) {
      this.rows = rows;
      this.room.style.height = `${rows.length * this.height}px`;
      this.show(true);
    }
    show(always) {
      const first = Math.max(0, Math.floor(this.place.scrollTop / this.height) - 20);
      const last = Math.min(this.rows.length, first + Math.ceil(this.place.clientHeight / this.height) + 40);
      if (!always && first === this.first && last === this.last) return;
      [this.first, this.last] = [first, last];
      let html = "";
      for (let i = first; i < last; i++) html += this.draw(this.rows[i], i * this.height);
      this.body.innerHTML = html;
    }
    restyle(names) {
      for (let i = this.first; i < this.last; i++) this.body.children[i - this.first].className = names(this.rows[i]);
    }
    reveal(row, below) {
      if (row < 0) return;
      const top = row * this.height;
      this.place.scrollTop = Math.max(0, top - (below ?? this.place.clientHeight / 3));
      this.show(true);
    }
  }

  const state = { f: 0, pc: null, q: "", view: "code", columns: [], order: "pc" };
  let hovered = null;

  // The columns: their lines, and how wide they are beside each other.
  const columns = [
    { id: "sbpf", name: index.program.title, weight: hasProfile ? 1.35 : 1.1 },
    { id: "checks", name: "Meter and memory checks", weight: 1.35 },
    ...index.columns.map((column) => ({ ...column, weight: column.id === "clif" ? 1.15 : 1 })),
  ];
  const usual = innerWidth >= 1900 ? columns.map((c) => c.id) : columns.slice(0, 4).map((c) => c.id);
  state.columns = usual;

  function coloured(text) {
    const at = text.indexOf(";");
    const [code, comment] = at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at)];
    let html = escape(code)
      .replace(/(^\s*(?:[0-9a-f]+:\s+)?)([a-z_][\w.]*)(?=\s|$)/, "$1<b>$2</b>")
      .replace(/(^\s*v\d+ = )([a-z_][\w.]*)/, "$1<b>$2</b>")
      .replace(/([\s,[#+-])(-?(?:0x[0-9a-f_]+|\d+))\b/g, "$1<em>$2</em>");
    if (comment) html += `<s>${escape(comment)}</s>`;
    return html;
  }

  function classes(row) {
    let names = "line";
    if (row.block) names += " block";
    if (row.pc === null || row.pc < 0) return names;
    if (!row.block && row.pc === state.pc) names += " chosen";
    else if (!row.block && row.pc === hovered) names += " hover";
    else if (row.at !== undefined && row.at === relatedTo) names += " related";
    return names;
  }
  let relatedTo = null;

  function line(row, top, withCount) {
    const hasPc = row.pc !== null && row.pc >= 0;
    let html = `<div class="${classes(row)}" style="top:${top}px"${hasPc ? ` data-pc="${row.pc}"` : ""}${row.title ? ` title="${escape(row.title)}"` : ""}>`;
    if (hasProfile && withCount) html += `<span class="count heat${hasPc ? heat(count(row.pc)) : 0}">${hasPc && !row.block ? number(count(row.pc)) : ""}</span>`;
    else if (hasProfile) html += `<span class="strip heat${hasPc ? heat(count(row.pc)) : 0}"></span>`;
    html += `<span class="pc">${row.shown ?? ""}</span><code>${row.block ? escape(row.text) : coloured(row.text)}</code></div>`;
    return html;
  }

  function sbpfRows(blocks) {
    const rows = [];
    for (const block of blocks) {
      const edges = block.edges.map(([to, kind]) => (kind === "next" ? `${to}` : `${kind} ${to}`)).join(", ");
      rows.push({ block: true, pc: block.start, text: `block ${block.start}  cost ${block.cost}${edges ? `  → ${edges}` : ""}`, title: `live at the start: ${block.live}` });
      for (const insn of block.insns) rows.push({ pc: insn.pc, shown: insn.pc, text: insn.source, title: insn.bytes.replace(/(..)(?=.)/g, "$1 "), at: insn.checked_at ?? undefined });
    }
    return rows;
  }
  function checkRows(blocks) {
    const rows = [];
    for (const block of blocks) {
      const facts = [];
      if (block.needed !== null) facts.push(`checkpoint: meter ≥ ${block.needed}`);
      if (block.settles) facts.push(`pays ${block.carried + block.cost}`);
      else facts.push("paid later");
      if (block.in_loop !== null) facts.push(`loop ${block.in_loop}`);
      rows.push({ block: true, pc: block.start, text: facts.join("  ·  "), title: block.carried ? `${block.carried} of it carried from before` : "" });
      for (const insn of block.insns) rows.push({ pc: insn.pc, shown: insn.pc, text: insn.text + (insn.check ? `   ; ${insn.check}` : ""), title: insn.check ?? "", at: insn.checked_at ?? undefined });
    }
    return rows;
  }
  function codeRows(column, indent) {
    const texts = column.text.split("\n").map((text) => (text.startsWith(indent) ? text.slice(indent.length) : text));
    let before = null;
    return column.pcs.map((pc, i) => {
      const row = { pc: pc < 0 ? null : pc, shown: pc >= 0 && pc !== before ? pc : "", text: texts[i] };
      before = pc;
      return row;
    });
  }

  // Where in a column a pc is: at the comment that names it, or else at its first line.
  function find(column, pc) {
    if (!column.places) {
      column.places = new Map();
      column.lines.rows.forEach((row, i) => {
        if (row.pc === null || row.block) return;
        const isNamed = row.text.trimStart().startsWith(`; ${row.pc}:`);
        if (isNamed && !column.places.get(row.pc)?.isNamed) column.places.set(row.pc, { i, isNamed });
        else if (!column.places.has(row.pc)) column.places.set(row.pc, { i, isNamed });
      });
    }
    return column.places.get(pc)?.i ?? -1;
  }

  let shownFunction = -1;
  let shownColumns = "";
  async function showCode() {
    const place = element("columns");
    const chosen = columns.filter((column) => state.columns.includes(column.id));
    const key = chosen.map((column) => column.id).join();
    if (key !== shownColumns) {
      shownColumns = key;
      shownFunction = -1;
      place.style.gridTemplateColumns = chosen.map((column) => `minmax(${Math.round(column.weight * 205)}px, ${column.weight}fr)`).join(" ");
      place.replaceChildren(...chosen.map((column) => {
        const box = document.createElement("div");
        box.className = "column";
        box.id = `column-${column.id}`;
        box.innerHTML = `<h2></h2><div class="lines" tabindex="0"></div>`;
        column.lines = new Lines(box.lastChild, 18, (row, top) => line(row, top, column.id === "sbpf"));
        return box;
      }));
      const [left, right] = ["sbpf", "checks"].map((id) => chosen.find((column) => column.id === id)?.lines.place);
      if (left && right) for (const [from, to] of [[left, right], [right, left]]) {
        from.addEventListener("scroll", () => { if (to.scrollTop !== from.scrollTop) to.scrollTop = from.scrollTop; });
      }
    }
    if (shownFunction !== state.f) {
      const wanted = state.f;
      const code = await unpack(`code${wanted}`);
      if (wanted !== state.f) return;
      shownFunction = wanted;
      const f = functions[wanted];
      for (const column of chosen) {
        const at = index.columns.findIndex((other) => other.id === column.id);
        const rows = column.id === "sbpf" ? sbpfRows(listing[wanted]) : column.id === "checks" ? checkRows(listing[wanted]) : codeRows(code[at], column.id === "clif" ? "    " : "  ");
        const bytes = at >= 1 ? f.bytes[at - 1] : undefined;
        element(`column-${column.id}`).firstChild.innerHTML = `${escape(column.name)}<small>${bytes !== undefined ? `${number(bytes)} bytes` : `${number(rows.length)} lines`}</small>`;
        column.places = null;
        column.lines.place.scrollTop = 0;
        column.lines.set(rows);
      }
    }
    for (const column of chosen) column.lines.show(true);
  }

  function revealPc(pc, except, below) {
    for (const column of columns) {
      if (!column.lines || column.id === except || !state.columns.includes(column.id)) continue;
      column.lines.reveal(find(column, pc), below);
    }
  }

  const link = (f) => `<a href="#${fragment({ f, pc: null, q: "" })}" title="${escape(f >= 0 ? functions[f].title : "")}">${escape(functions[f].title)}</a>`;
  function showHead() {
    const f = functions[state.f];
    const facts = [`pc ${f.entry}`, `${number(f.instructions)} instructions`, `${number(listing[state.f].length)} blocks`];
    index.columns.slice(1).forEach((column, i) => { if (f.bytes[i] !== undefined) facts.push(`${column.name} ${number(f.bytes[i])} bytes`); });
    if (hasProfile) facts.push(`${number(f.executed)} executed`);
    const toggles = state.view !== "code" ? "" : `<div class="toggles">${columns.map((column) => `<button data-column="${column.id}" class="${state.columns.includes(column.id) ? "on" : ""}">${escape(column.id === "checks" ? "Checks" : column.id === "clif" ? "CLIF" : column.name)}</button>`).join("")}</div>`;
    const row = (name, list) => (list.length ? `<div class="links"><span>${name}</span>${list.slice(0, 40).map(link).join("")}${list.length > 40 ? `and ${list.length - 40} more` : ""}</div>` : "");
    element("function").innerHTML = `${toggles}<h1>${escape(f.title)}</h1><div class="facts">${facts.join(" · ")}</div>${row("called by", f.callers)}${row("calls", f.callees)}`;
  }

  const views = { code: "Code", flow: "Control flow", calls: "Calls", ...(functions.length > 1 && index.call_graph ? { program: "All calls" } : {}) };
  function showViews() {
    element("views").innerHTML = Object.entries(views).map(([id, name]) => `<button data-view="${id}" class="${state.view === id ? "on" : ""}">${name}</button>`).join("");
    element("columns").hidden = state.view !== "code";
    element("graph").hidden = state.view === "code";
  }
  async function showGraph() {
    const [wanted, view] = [state.f, state.view];
    const graphs = await unpack(`graphs${wanted}`);
    if (wanted !== state.f || view !== state.view) return;
    const svg = view === "program" ? index.call_graph : view === "calls" ? graphs.calls : graphs.flow;
    const place = element("graph");
    const option = view === "flow" ? `--function ${functions[wanted].entry}` : "--call-graph";
    place.innerHTML = svg ? `<div class="tools"><button>${place.classList.contains("fit") ? "Full size" : "Fit width"}</button></div>${svg}`
      : `<p>This graph is too large for the page. The command draws it: <code>sbpf-cranelift graph … ${option}</code></p>`;
    place.querySelector(".main")?.scrollIntoView({ block: "center", inline: "center" });
  }

  const lists = new Lines(element("functions"), 24, (i, top) => {
    const f = functions[i];
    const figure = state.order === "executed" ? number(f.executed) : state.order === "bytes" ? `${number(f.bytes[0] ?? 0)} B` : number(f.instructions);
    const strip = hasProfile ? `<span class="strip heat${heat(f.executed, mostExecuted)}"></span>` : "";
    return `<div class="line${i === state.f ? " chosen" : ""}" style="top:${top}px" data-f="${i}" title="${escape(f.title)}">${strip}<span class="name${f.isPiece ? " piece" : ""}">${escape(f.isPiece ? `piece at ${f.entry}` : f.title)}</span><span class="figure">${figure}</span></div>`;
  });
  const orders = {
    pc: ["pc", (a, b) => a.function - b.function || a.isPiece - b.isPiece || a.entry - b.entry],
    name: ["name", (a, b) => a.title.localeCompare(b.title)],
    instructions: ["instructions", (a, b) => b.instructions - a.instructions],
    bytes: ["bytes", (a, b) => (b.bytes[0] ?? 0) - (a.bytes[0] ?? 0)],
    callers: ["callers", (a, b) => b.callers.length - a.callers.length],
    ...(hasProfile ? { executed: ["executed", (a, b) => b.executed - a.executed] } : {}),
  };
  let shownOrder = "";
  function showFunctions() {
    if (shownOrder !== state.order) {
      shownOrder = state.order;
      element("order").value = state.order;
      lists.set(functions.map((f) => f.index).sort((a, b) => orders[state.order][1](functions[a], functions[b])));
    }
    const at = lists.rows.indexOf(state.f);
    const [top, bottom] = [lists.place.scrollTop, lists.place.scrollTop + lists.place.clientHeight];
    if (at * 24 < top || at * 24 + 24 > bottom) lists.reveal(at);
    lists.show(true);
  }

  // The search: a pc, names of functions, words of instructions.
  const inOrder = functions.map((f) => f.index).sort((a, b) => functions[a].entry - functions[b].entry);
  const MOST_RESULTS = 200;
  function results(query) {
    const found = [];
    let total = 0;
    const words = query.trim().toLowerCase();
    if (!words) return { found, total };
    const add = (entry) => { total += 1; if (found.length < MOST_RESULTS) found.push(entry); };
    if (/^(0x[0-9a-f]+|\d+)$/.test(words)) {
      const pc = Number(words);
      const f = holder(pc);
      if (f >= 0) add({ f, pc, text: listing[f].flatMap((block) => block.insns).find((insn) => insn.pc === pc)?.source ?? "" });
    }
    for (const i of inOrder) if (functions[i].title.toLowerCase().includes(words)) add({ f: i, pc: functions[i].entry, text: functions[i].title, isFunction: true });
    inOrder.forEach((f) => {
      for (const block of listing[f]) for (const insn of block.insns) {
        if (insn.source.toLowerCase().includes(words) || insn.text.toLowerCase().includes(words)) add({ f, pc: insn.pc, text: insn.source });
      }
    });
    return { found, total };
  }
  function showResults(isOpen) {
    const place = element("results");
    if (element("search").value !== state.q) element("search").value = state.q;
    place.hidden = !isOpen || !state.q.trim();
    if (place.hidden) return;
    const { found, total } = results(state.q);
    place.innerHTML = found.map((entry, i) => `<a class="${i ? "" : "first"}" href="#${fragment({ f: entry.f, pc: entry.isFunction ? null : entry.pc })}"><span class="pc">${entry.pc}</span><code>${entry.isFunction ? `<b>${escape(entry.text)}</b>` : coloured(entry.text)}</code><span class="where">${entry.isFunction ? "function" : escape(functions[entry.f].title)}</span></a>`).join("")
      + (found.length ? (total > found.length ? `<p>and ${number(total - found.length)} more</p>` : "") : "<p>Nothing has that in it.</p>");
  }

  // What is shown is in the address.
  function fragment(changes = {}) {
    const { f, pc, q, view, columns: shown, order } = { ...state, ...changes };
    const unique = functions[f].name && !functions[f].isPiece && functions.filter((other) => other.name === functions[f].name && !other.isPiece).length === 1;
    const parts = [`f=${unique && !/^\d/.test(functions[f].name) ? encodeURIComponent(functions[f].name) : functions[f].entry}`];
    if (pc !== null) parts.push(`pc=${pc}`);
    if (q) parts.push(`q=${encodeURIComponent(q)}`);
    if (view !== "code") parts.push(`view=${view}`);
    if (shown.join() !== usual.join()) parts.push(`columns=${shown.join()}`);
    if (order !== "pc") parts.push(`order=${order}`);
    return parts.join("&");
  }
  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const name = given.get("f");
    const pc = given.get("pc");
    state.pc = pc !== null && /^\d+$/.test(pc) ? Number(pc) : null;
    let f = -1;
    if (name !== null) f = /^\d+$/.test(name) ? byEntry.get(Number(name)) ?? holder(Number(name)) : functions.findIndex((other) => other.name === name && !other.isPiece);
    if (f < 0 && state.pc !== null) f = holder(state.pc);
    if (f < 0) f = holder(index.program.entry);
    state.f = Math.max(0, f);
    state.q = given.get("q") ?? "";
    state.view = views[given.get("view")] ? given.get("view") : "code";
    state.order = orders[given.get("order")] ? given.get("order") : "pc";
    const shown = given.get("columns")?.split(",");
    state.columns = shown ? columns.map((column) => column.id).filter((id) => shown.includes(id)) : usual;
  }
  async function show({ reveals = true, opens = false } = {}) {
    delete document.body.dataset.ready;
    showViews();
    showHead();
    showFunctions();
    showResults(opens);
    relatedTo = related(state.pc);
    if (state.view === "code") {
      await showCode();
      if (reveals && state.pc !== null) revealPc(state.pc);
    } else {
      await showGraph();
    }
    document.title = `${functions[state.f].title} – ${index.program.name}`;
    document.body.dataset.ready = "";
  }
  function go(changes, options) {
    const isOther = changes.f !== undefined && changes.f !== state.f;
    Object.assign(state, changes);
    history[isOther ? "pushState" : "replaceState"](null, "", `#${fragment()}`);
    return show(options);
  }
  function related(pc) {
    if (pc === null) return null;
    for (const block of listing[state.f]) for (const insn of block.insns) if (insn.pc === pc) return insn.checked_at ?? null;
    return null;
  }

  // What the mouse and the keys do.
  element("columns").addEventListener("mouseover", (event) => {
    const pc = Number(event.target.closest("[data-pc]")?.dataset.pc ?? NaN);
    if (Number.isNaN(pc) || pc === hovered) return;
    hovered = pc;
    relatedTo = related(pc) ?? related(state.pc);
    for (const column of columns) if (column.lines && state.columns.includes(column.id)) column.lines.restyle(classes);
  });
  element("columns").addEventListener("click", (event) => {
    const target = event.target.closest("[data-pc]");
    if (!target || getSelection().toString()) return;
    const pc = Number(target.dataset.pc);
    const place = target.closest(".lines");
    const below = target.offsetTop - place.scrollTop;
    const id = target.closest(".column").id.slice("column-".length);
    go({ pc }, { reveals: false }).then(() => revealPc(pc, id, below));
  });
  element("functions").addEventListener("click", (event) => {
    const f = event.target.closest("[data-f]")?.dataset.f;
    if (f !== undefined) go({ f: Number(f), pc: null });
  });
  element("function").addEventListener("click", (event) => {
    const id = event.target.closest("[data-column]")?.dataset.column;
    if (!id) return;
    const shown = columns.map((column) => column.id).filter((other) => state.columns.includes(other) !== (other === id));
    if (shown.length) go({ columns: shown });
  });
  element("views").addEventListener("click", (event) => {
    const view = event.target.dataset.view;
    if (view) go({ view });
  });
  element("graph").addEventListener("click", (event) => {
    if (event.target.closest(".tools button")) { element("graph").classList.toggle("fit"); showGraph(); return; }
    const pc = Number(event.target.closest("[data-pc]")?.dataset.pc ?? NaN);
    if (Number.isNaN(pc)) return;
    const f = state.view === "flow" ? holder(pc) : byEntry.get(pc) ?? -1;
    if (f < 0) return;
    if (state.view === "flow") go({ f, pc: f === state.f ? pc : null, view: f === state.f ? "code" : "flow" });
    else go({ f, pc: null });
  });
  let waiting = 0;
  element("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => go({ q: element("search").value }, { reveals: false, opens: true }), 90);
  });
  element("search").addEventListener("focus", () => showResults(true));
  element("search").addEventListener("keydown", (event) => {
    if (event.key === "Escape") { element("results").hidden = true; element("search").blur(); }
    if (event.key === "Enter") {
      clearTimeout(waiting);
      state.q = element("search").value;
      const first = results(state.q).found[0];
      if (first) { element("search").blur(); go({ f: first.f, pc: first.isFunction ? null : first.pc, view: "code" }); }
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== element("search")) { event.preventDefault(); element("search").select(); }
  });
  document.addEventListener("click", (event) => { if (!event.target.closest(".search")) element("results").hidden = true; });
  element("order").innerHTML = Object.entries(orders).map(([id, [name]]) => `<option value="${id}">${name}</option>`).join("");
  element("order").addEventListener("change", () => go({ order: element("order").value }, { reveals: false }));
  addEventListener("hashchange", () => { read(); show(); });
  addEventListener("popstate", () => { read(); show(); });

  const { program } = index;
  element("program").textContent = program.name.split("/").pop();
  element("about").textContent = `${program.title} · ${number(program.slots)} slots · ${number(functions.length)} functions${hasProfile ? " · with a profile" : ""}`;
  read();
  await show({ opens: Boolean(state.q) });
})();
