/* Looks while somebody types: a moment after the last key, one look at a time. Without it the button does the same. */
"use strict";
(() => {
  const PAUSE = 400; /* milliseconds without a key */
  const OURS = ["csrf", "form_key"]; /* of whoever is signed in; there is no token then */
  const form = document.getElementById("check");
  const result = document.getElementById("result");
  const searching = document.getElementById("searching"); /* a live region */
  const token = document.getElementById("f-token");
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given && token) {
    token.value = given;
    document.getElementById("signed-in").open = false;
    history.replaceState(null, "", location.pathname + location.search); /* the token stays in no address */
  }
  let timer = 0;
  let running = null;

  const worth = (name, value) =>
    name === "uscc" ? [15, 18].includes(value.length) : name !== "token" && [...value].length >= 2;

  async function look() {
    const typed = new FormData(form);
    const filled = [...typed].filter(([name, value]) => worth(name, value.trim()));
    if (running) running.abort();
    if (!filled.some(([name]) => !OURS.includes(name)) || (token && !token.value)) {
      result.replaceChildren();
      searching.textContent = "";
      return;
    }
    const mine = running = new AbortController();
    searching.textContent = searching.dataset.words;
    const body = new URLSearchParams([...filled, ...(token ? [["token", token.value]] : [])]);
    try {
      const answer = await fetch(form.action, {
        method: "POST", body, signal: running.signal, headers: { "X-Part": "result" }, referrerPolicy: "same-origin",
      });
      result.innerHTML = await answer.text(); /* made by the server, which escapes whatever people have written */
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      if (running === mine) searching.textContent = "";
    }
  }

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE);
  });
  form.addEventListener("submit", (event) => {
    if (event.submitter?.hasAttribute("formaction")) return; /* the other language */
    event.preventDefault();
    clearTimeout(timer);
    look();
  });
})();
