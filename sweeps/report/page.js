"use strict";
// What moves on the page: charts are drawn when they come near, tables are sorted by their headings.

const SHOWN = 25;
document.documentElement.classList.add("scripted");

function sortable(holder) {
  const body = holder.querySelector("tbody");
  const heads = [...holder.querySelectorAll("th")];
  const kept = holder.querySelector("script");
  let rows = kept
    ? JSON.parse(kept.textContent)
    : [...body.rows].map((row) => [...row.cells].map((cell) => cell.textContent));
  let most = kept ? SHOWN : Infinity;

  function show() {
    body.replaceChildren(
      ...rows.slice(0, most).map((row) => {
        const line = document.createElement("tr");
        row.forEach((text, place) => {
          const cell = line.insertCell();
          cell.textContent = text;
          cell.className = heads[place].className;
        });
        return line;
      })
    );
  }

  // A number by its size, "12.5 [11, 14]" by its first; what has none comes last, either way.
  const size = (text) => {
    const plain = text.replaceAll(",", "").replace("−", "-");
    return /^[-+]?inf/.test(plain) ? Infinity * (plain[0] === "-" ? -1 : 1) : parseFloat(plain);
  };

  function sort(place) {
    const head = heads[place];
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sign = down ? -1 : 1;
    const word = head.classList.contains("word");
    rows.sort((a, b) => {
      if (word) return sign * a[place].localeCompare(b[place], "en", { numeric: true });
      const [x, y] = [size(a[place]), size(b[place])];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return x === y ? 0 : sign * (x < y ? -1 : 1);
    });
    show();
  }

  heads.forEach((head, place) => {
    head.querySelector("button").addEventListener("click", () => sort(place));
  });
  const all = holder.querySelector("button.all");
  if (all) {
    all.hidden = false;
    all.addEventListener("click", () => {
      most = Infinity;
      show();
      all.remove();
      holder.querySelector(".some").remove();
    });
  }
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const config = {
  responsive: true,
  displaylogo: false,
  displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false,
  modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
};

// Colours of the figures that a dark page would swallow, as they are there.
const PALE = [["#0072B2", "#4AA3E0"], ["#666666", "#9AA5B0"], ["#000000", "#E8EDF2"]];

let onPaper = false; // while it is printed

function coloured(layout) {
  const style = getComputedStyle(document.documentElement);
  const line = style.getPropertyValue("--line");
  layout.font.color = style.getPropertyValue("--ink");
  layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
  layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: style.getPropertyValue("--faint"), activecolor: layout.font.color };
  layout.hoverlabel = { bgcolor: style.getPropertyValue("--card"), font: { color: layout.font.color } };
  for (const note of layout.annotations || []) if (note.bgcolor) note.bgcolor = style.getPropertyValue("--paper");
  for (const axis of [layout.xaxis, layout.yaxis]) Object.assign(axis, { gridcolor: line, linecolor: line });
  return layout;
}

function draw(figure) {
  const chart = figure.querySelector(".chart");
  let text = figure.querySelector("script").textContent;
  if (dark.matches && !onPaper) for (const [deep, pale] of PALE) text = text.replaceAll(deep, pale);
  const { data, layout } = JSON.parse(text);
  Plotly.newPlot(chart, data, coloured(layout), config);
}

async function loadPlotly(packed) {
  const bytes = Uint8Array.from(atob(packed.textContent), (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(plain).text();
  document.head.append(script);
}

// In a browser that cannot unpack it, as without JavaScript.
function showImages() {
  document.querySelectorAll("figure").forEach((figure) => {
    figure.querySelector(".box").remove();
    const image = figure.querySelector("noscript");
    image.outerHTML = image.textContent;
  });
}

function drawWhenNear() {
  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries.filter((one) => one.isIntersecting)) {
        near.unobserve(entry.target);
        draw(entry.target);
      }
    },
    { rootMargin: "400px" }
  );
  document.querySelectorAll("figure").forEach((figure) => near.observe(figure));
  const drawn = () => document.querySelectorAll(".js-plotly-plot");
  dark.addEventListener("change", () => drawn().forEach((chart) => draw(chart.closest("figure"))));
  // Paper is white, as narrow as page.css says, and nobody scrolls it.
  addEventListener("beforeprint", () => {
    onPaper = true;
    document.documentElement.classList.add("paper");
    document.querySelectorAll("figure").forEach(draw);
  });
  addEventListener("afterprint", () => {
    onPaper = false;
    document.documentElement.classList.remove("paper");
    drawn().forEach((chart) => draw(chart.closest("figure")));
  });
}

addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
[...document.querySelectorAll(".table")].filter((holder) => holder.querySelector("button")).forEach(sortable);
const packed = document.getElementById("plotly");
if (packed) loadPlotly(packed).then(drawWhenNear, showImages);
