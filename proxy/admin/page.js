// Takes the page anew every few seconds, in place: where one has scrolled to and what one has
// marked stays. A gateway that does not answer is said to be so.
(() => {
	const EVERY = 5000;
	let busy = false;

	const engaged = () =>
		document.hidden || getSelection().type === "Range" ||
		document.activeElement?.closest("form");

	async function refresh() {
		if (busy || engaged())
			return;
		busy = true;
		try {
			const answer = await fetch(location.pathname, { cache: "no-store" });
			const text = await answer.text();
			// Only what is to be taken over: the rest has styles that belong to its own answer.
			const fresh = document.createElement("template");
			fresh.innerHTML = text.slice(text.indexOf("<main"), text.indexOf("</main>"));
			const live = fresh.content.firstChild;
			document.querySelector("#live").replaceWith(live);
			document.title = live.dataset.title;
			document.body.classList.remove("stale");
		} catch {
			document.body.classList.add("stale");
		} finally {
			busy = false;
		}
	}

	setInterval(refresh, EVERY);
	document.addEventListener("visibilitychange", refresh);
})();
