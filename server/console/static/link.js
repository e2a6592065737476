// The way to the server: the token, requests, and the WebSocket of a session.

const KEY = "eyehand-token";

/** The token lives in this tab: pasted, or after # in the address, which is never sent. */
export const token = {
  get value() { return sessionStorage.getItem(KEY) ?? ""; },
  set value(text) { sessionStorage.setItem(KEY, text); },
  forget() { sessionStorage.removeItem(KEY); },
  takeFromAddress() {
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (!given) return;
    this.value = given;
    history.replaceState(null, "", location.pathname);
  },
};

/** An error of the server, or of the way to it. */
export class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

async function answer(method, path, body, lease) {
  const headers = { Authorization: `Bearer ${token.value}` };
  if (lease) headers["X-Eyehand-Lease"] = lease;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let reply;
  try {
    reply = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refused(0, "The server does not answer.");
  }
  if (reply.ok) return reply;
  const told = await reply.json().catch(() => null);
  throw new Refused(reply.status, told?.error?.message ?? `The server answered ${reply.status}.`);
}

export async function ask(method, path, body, lease) {
  const reply = await answer(method, path, body, lease);
  return reply.status === 204 ? null : reply.json();
}

export const askForBlob = async (path) => (await answer("GET", path)).blob();

/** The live view of one session; comes back by itself when it breaks off. */
export class Watch {
  constructor(id, { onEvent, onPicture, onLink }) {
    Object.assign(this, { id, onEvent, onPicture, onLink, over: false, wait: 500 });
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const url = `${scheme}://${location.host}/v1/sessions/${this.id}/watch`;
    this.onLink("connecting");
    this.socket = new WebSocket(url, ["eyehand", `eyehand.token.${token.value}`]);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => { this.wait = 500; this.onLink("live"); };
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.onEvent(JSON.parse(data));
      else this.show(data);
    };
    this.socket.onclose = () => {
      if (this.over) return;
      this.onLink("lost");
      this.again();
    };
  }

  again() {
    this.timer = setTimeout(async () => {
      try {
        await ask("GET", `/v1/sessions/${this.id}`);
        if (!this.over) this.open();
      } catch (error) {
        if (error.status) this.onLink("gone", error);
        else this.again();
      }
    }, this.wait);
    this.wait = Math.min(this.wait * 2, 8000);
  }

  async show(data) {
    const length = new DataView(data).getUint32(0);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    let at = 4 + length;
    const tiles = head.tiles.map(([left, top, width, height, bytes]) => {
      const blob = new Blob([new Uint8Array(data, at, bytes)], { type: "image/jpeg" });
      at += bytes;
      return createImageBitmap(blob).then((image) => ({ left, top, width, height, image }));
    });
    try {
      this.onPicture(head, await Promise.all(tiles));
    } finally {
      this.send({ type: "seen", number: head.number });
    }
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  close() {
    this.over = true;
    clearTimeout(this.timer);
    this.socket.close();
  }
}
