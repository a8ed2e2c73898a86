// Before anything is painted: the theme that was chosen here, if any. It stands apart
// from the modules because they run after the first paint.
try {
  const kept = localStorage.getItem("errand.theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
} catch { /* storage is off: the system's theme holds */ }
