/* Keys of the inbox: j k move, Enter opens, x selects, a and r choose, ? explains. Ignored while somebody types; can be off. */
"use strict";
(function () {
  var OFF = "baobei-keys-off";
  var box = document.getElementById("keys-on");
  function off() { try { return localStorage.getItem(OFF) === "1"; } catch (_) { return false; } }
  if (box) {
    box.checked = !off();
    box.addEventListener("change", function () {
      try { localStorage.setItem(OFF, box.checked ? "0" : "1"); } catch (_) { /* private window */ }
    });
  }
  function typing(target) {
    return target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName) ||
      (target.tagName === "INPUT" && !/^(radio|checkbox|submit|button)$/.test(target.type));
  }
  function links() { return Array.prototype.slice.call(document.querySelectorAll(".rows-of-inbox a")); }
  function move(step) {
    var all = links();
    var at = all.indexOf(document.activeElement);
    if (at < 0) { at = all.findIndex(function (link) { return link.hasAttribute("aria-current"); }); }
    var next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    if (next) { next.focus(); }
  }
  function choose(values) {
    var form = document.querySelector("#detail form");
    var radio = form && values.map(function (value) { return form.querySelector('input[name="choice"][value="' + value + '"]'); })
      .find(Boolean);
    if (radio) { radio.checked = true; radio.focus(); }
  }
  function tick() {
    var row = document.activeElement.closest && document.activeElement.closest(".rows-of-inbox li");
    var box = row && row.querySelector('input[name="task"]');
    if (box && !box.disabled) { box.checked = !box.checked; }
  }
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || off()) { return; }
    switch (event.key) {
      case "j": move(1); break;
      case "k": move(-1); break;
      case "a": choose(["approve", "forward", "agree", "clear", "confirm", "received"]); break;
      case "r": choose(["reject", "return", "disagree", "send_back"]); break;
      case "x": tick(); break;
      case "?": document.querySelector(".keys").toggleAttribute("open"); break;
      default: return;
    }
    event.preventDefault();
  });
})();
