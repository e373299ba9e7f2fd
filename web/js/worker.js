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

// What is thrown outside a promise reaches the page as an error event, which replaces this worker.
const fail = (error) => setTimeout(() => { throw error; });

function load(module) {
  init({ module_or_path: module }).then(() => {
    ready = true;
    for (const text of early.splice(0)) plan(receive(text));
  }).catch(fail);
}

self.onmessage = ({ data }) => {
  if (data instanceof WebAssembly.Module) load(data);
  else if (ready) plan(receive(data));
  else early.push(data);
};
