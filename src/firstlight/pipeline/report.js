// Tips of plots, and Escape to leave an enlarged picture.
(function () {
  var tip = document.getElementById('tip');
  function show(event) {
    var told = event.target.closest('[data-tip]');
    if (!told) { tip.className = ''; return; }
    tip.textContent = told.getAttribute('data-tip');
    tip.className = 'on';
    var width = tip.offsetWidth, height = tip.offsetHeight;
    var x = Math.min(Math.max(event.clientX - width / 2, 8), innerWidth - width - 8);
    var y = event.clientY - height - 16;
    tip.style.left = x + 'px';
    tip.style.top = (y < 8 ? event.clientY + 18 : y) + 'px';
  }
  document.addEventListener('pointermove', show);
  document.addEventListener('pointerdown', show);
  document.addEventListener('keydown', function (event) {
    if (event.key === 'Escape' && location.hash.indexOf('#view-') === 0) location.hash = '#stack-' + location.hash.slice(6);
  });
})();
