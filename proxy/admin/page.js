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
			const fresh = new DOMParser().parseFromString(text, "text/html");
			document.querySelector("#live").replaceWith(fresh.querySelector("#live"));
			document.title = fresh.title;
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
