// Adds the lines of the log to the page as they come.
"use strict";
const log = document.getElementById("log"), state = document.getElementById("state");
const most = 1000;
const source = new EventSource("/log/stream");
source.addEventListener("begin", () => {
  log.replaceChildren();
  state.textContent = "Live: lines appear as they are written.";
});
source.addEventListener("message", (event) => {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const line = document.createElement("p");
  line.textContent = event.data;
  log.append(line);
  while (log.childElementCount > most) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
});
source.addEventListener("error", () => {
  state.textContent = source.readyState === EventSource.CLOSED
    ? "The connection has ended. Load the page again."
    : "The connection was lost; it is tried again.";
});
