// A first visit: the server doesn't know the viewer's zone yet. The page is fetched once more with it, before anything of
// it is laid out: that is why this stands ahead of all styles and is no module. Later pages don't have it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
document.cookie = `clew_zone=${zone}; path=/; max-age=31536000; samesite=lax`;
if (zone !== "UTC" && /(^|; )clew_zone=/.test(document.cookie)) location.reload();
