"use strict";
// Tables whose rows lie beside them as JSON: sorted, filtered, shown page by page, saved as CSV.

const PAGE = 50, PRINTED = 200;
const words = new Intl.Collator("en", { numeric: true });
const count = (n) => n.toLocaleString("en");

// As parts.py shows a value.
function shown(value) {
  if (value === null) return "";
  if (typeof value !== "number") return value;
  if (Number.isSafeInteger(value)) return String(value);
  const [digits, power] = value.toExponential(4).split("e").map(Number);
  if (power >= -4 && power < 5) return String(Number(value.toPrecision(5)));
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

// Numbers before words; what is missing comes last whichever way is sorted.
function order(values, rows, sign) {
  const kind = (value) => (typeof value === "number" ? 0 : 1);
  return rows.toSorted((one, other) => {
    const a = values[one], b = values[other];
    if (a === null || b === null) return (a === null) - (b === null) || one - other;
    return sign * (kind(a) - kind(b) || (kind(a) ? words.compare(a, b) : a - b)) || one - other;
  });
}

// As tuning/trial_table.py writes it: a spreadsheet would run a text that begins like a formula.
function csv(data) {
  const cell = (value) => {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    const text = value.replace(/\r\n?/g, "\n");
    const safe = /^[=+\-@\t\n]/.test(text) ? "'" + text : text;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const rows = [data.names, ...data.columns[0].map((_, row) => data.columns.map((values) => values[row]))];
  return rows.map((row) => row.map(cell).join(",") + "\n").join("");
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function save(data) {
  const link = element("a", { href: URL.createObjectURL(new Blob([csv(data)], { type: "text/csv" })), download: data.file });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function revive(table) {
  const data = JSON.parse(document.getElementById(table.dataset.records).textContent);
  const everything = data.columns[0].map((_, row) => row);
  const heads = [...table.tHead.rows[0].cells];
  const states = data.columns[data.filter];
  let rows = everything, page = 0, size = PAGE, sorted = 0, sign = 1, state = "";

  const status = element("output", {});
  const before = element("button", { type: "button", textContent: "previous", onclick: () => show(page - 1) });
  const after = element("button", { type: "button", textContent: "next", onclick: () => show(page + 1) });
  const choice = element("select", {}, new Option(`all (${count(everything.length)})`, ""));
  for (const name of new Set(states))
    choice.append(new Option(`${name} (${count(states.filter((other) => other === name).length)})`, name));
  choice.onchange = () => { state = choice.value; arrange(); };
  const file = element("button", { type: "button", textContent: `save all as ${data.file}`, onclick: () => save(data) });
  const label = element("label", {}, data.heads[data.filter] + " ", choice);
  table.closest(".scroll").before(element("div", { className: "tools" }, label, before, after, status, file));

  function show(number) {
    page = number;
    const last = Math.min(rows.length, (page + 1) * size), visible = rows.slice(page * size, last);
    table.tBodies[0].replaceChildren(...visible.map((row) => element("tr", {}, ...data.columns.map((values, i) =>
      element("td", { className: heads[i].className, textContent: shown(values[row]) })))));
    before.disabled = page === 0;
    after.disabled = last === rows.length;
    const which = visible.length < rows.length ? `${count(page * size + 1)} to ${count(last)} of ` : "";
    status.textContent = `${which}${count(rows.length)} rows, by ${data.heads[sorted]}, ${sign > 0 ? "ascending" : "descending"}`;
  }

  function arrange() {
    rows = order(data.columns[sorted], everything.filter((row) => !state || states[row] === state), sign);
    heads.forEach((head, i) => i === sorted
      ? head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending") : head.removeAttribute("aria-sort"));
    show(0);
  }

  const buttons = heads.map((head, i) => element("button", { type: "button", textContent: head.textContent, onclick: () => {
    sign = sorted === i ? -sign : 1;
    sorted = i;
    arrange();
  } }));
  heads.forEach((head, i) => head.replaceChildren(buttons[i]));
  addEventListener("beforeprint", () => {
    heads.forEach((head, i) => head.replaceChildren(data.heads[i])); // chromium repeats no head with buttons in it
    size = PRINTED;
    show(0);
  });
  addEventListener("afterprint", () => {
    heads.forEach((head, i) => head.replaceChildren(buttons[i]));
    size = PAGE;
    show(0);
  });
  arrange();
}

document.querySelectorAll("table[data-records]").forEach(revive);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
