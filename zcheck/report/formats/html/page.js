(function () {
  "use strict";
  var form = document.getElementById("filter");
  var find = document.getElementById("find");
  var shown = document.getElementById("shown");
  var boxes = Array.prototype.slice.call(form.querySelectorAll("input[type=checkbox]"));
  var rows = Array.prototype.slice.call(document.querySelectorAll("#list tr"));
  function apply() {
    var wanted = boxes.filter(function (box) { return box.checked; }).map(function (box) { return box.value; });
    var text = find.value.toLowerCase();
    var count = 0;
    rows.forEach(function (row) {
      var visible = wanted.indexOf(row.dataset.outcome) >= 0 && row.textContent.toLowerCase().indexOf(text) >= 0;
      row.hidden = !visible;
      count += visible ? 1 : 0;
    });
    shown.textContent = count + " of " + rows.length + " checks";
  }
  form.addEventListener("input", apply);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  window.addEventListener("hashchange", function () {
    var row = document.getElementById(location.hash.slice(1));
    if (row && row.hidden) {
      row.hidden = false;
      row.scrollIntoView();
    }
  });
  form.hidden = false;
  apply();
})();
