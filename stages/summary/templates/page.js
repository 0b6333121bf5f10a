"use strict";

const EMBED = { renderer: "svg", actions: false, ast: true, defaultStyle: false, tooltip: { disableDefaultStyle: true } };

async function drawCharts() {
  for (const figure of document.querySelectorAll("figure.chart")) {
    const spec = JSON.parse(figure.querySelector("script.spec").textContent);
    const result = await vegaEmbed(figure.querySelector(".plot"), spec, EMBED);
    figure.view = result.view;
  }
  document.documentElement.dataset.charts = "drawn";
}

function enlarge() {
  const dialog = document.querySelector("dialog");
  const large = dialog.querySelector("img");
  const words = dialog.querySelector("p");
  let row = [];
  let place = 0;

  function show(next) {
    place = (next + row.length) % row.length;
    const picture = row[place].querySelector("img");
    large.src = picture.src;
    large.alt = picture.alt;
    words.textContent = picture.alt;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".picture");
    if (!button) return;
    row = [...button.parentElement.children];
    show(row.indexOf(button));
    dialog.showModal();
  });
  large.addEventListener("click", () => dialog.close());
  dialog.querySelector("[value=back]").addEventListener("click", () => show(place - 1));
  dialog.querySelector("[value=on]").addEventListener("click", () => show(place + 1));
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(place - 1);
    if (event.key === "ArrowRight") show(place + 1);
  });
  dialog.addEventListener("close", () => row[place].focus());
}

function listen() {
  const players = [...document.querySelectorAll(".clip audio")];
  for (const player of players) {
    const clip = player.parentElement;
    const drawn = clip.querySelector(".drawn");
    const follow = () => {
      clip.style.setProperty("--at", player.currentTime);
      if (!player.paused) requestAnimationFrame(follow);
    };
    player.addEventListener("play", () => {
      for (const other of players) if (other !== player) other.pause();
      clip.classList.add("playing");
      follow();
    });
    player.addEventListener("seeked", follow);
    player.addEventListener("ended", () => clip.classList.remove("playing"));
    drawn.addEventListener("click", (event) => {
      const axis = Number(getComputedStyle(drawn.querySelector(".playhead")).getPropertyValue("--axis"));
      player.currentTime = Math.min((axis * event.offsetX) / drawn.clientWidth, player.duration || 0);
      player.play().catch(() => {});
    });
  }
}

function unfoldTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") target.open = true;
}

function unfoldForPrint() {
  const folded = new Set();
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll(".provenance:not([open]), .more:not([open])")) {
      folded.add(details);
      details.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
    folded.clear();
  });
}

enlarge();
listen();
unfoldForPrint();
unfoldTarget();
addEventListener("hashchange", unfoldTarget);
drawCharts();
