// The worker's event loop. The engine says when it wants to be called; between two slices of work
// messages get their turn.
import init, { receive, wake } from "gen/engine/engine.js";

const turn = new MessageChannel();
let timer = 0;
let turnAsked = false;
let ready = false;
const early = [];

function plan(delay) {
  clearTimeout(timer);
  if (delay > 0) timer = setTimeout(() => plan(wake()), delay);
  else if (delay === 0 && !turnAsked) {
    turnAsked = true;
    turn.port2.postMessage(0);
  }
}
turn.port1.onmessage = () => {
  turnAsked = false;
  plan(wake());
};

self.onmessage = async ({ data }) => {
  if (data instanceof WebAssembly.Module) {
    await init({ module_or_path: data });
    ready = true;
    for (const text of early.splice(0)) plan(receive(text));
  } else if (ready) plan(receive(data));
  else early.push(data);
};
