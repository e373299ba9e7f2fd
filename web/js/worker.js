// The worker's event loop. The engine says when it wants to be called; between two slices of work
// messages get their turn. The first engine may be the starter; once it has shown a prompt the page
// is asked for the whole one, which goes on with its session.
import initStarter, * as starter from "gen/starter/starter.js";
import initEngine, * as whole from "gen/engine/engine.js";

const turn = new MessageChannel();
let timer = 0;
let turnAsked = false;
let engine = null;
let asked = false;
const early = [];

function plan(delay) {
  clearTimeout(timer);
  if (delay > 0) timer = setTimeout(() => plan(engine.wake()), delay);
  else if (delay === 0 && !turnAsked) {
    turnAsked = true;
    turn.port2.postMessage(0);
  }
  const settled = engine === starter && !asked ? starter.settled() : -1;
  if (settled >= 0) {
    asked = true;
    setTimeout(() => postMessage('{"Whole":{}}'), settled); // index.html listens
  }
}
turn.port1.onmessage = () => {
  turnAsked = false;
  plan(engine.wake());
};

// What is thrown outside a promise reaches the page as an error event, which replaces this worker.
const fail = (error) => setTimeout(() => { throw error; });

function load(program, init, module) {
  init({ module_or_path: module }).then(() => {
    if (engine === whole) return; // the starter came too late
    const left = engine === starter ? starter.hand_over() : null;
    engine = program;
    if (left) plan(engine.take_over(left));
    for (const text of early.splice(0)) plan(engine.receive(text));
  }).catch(fail);
}

self.onmessage = ({ data }) => {
  if (data.starter) load(starter, initStarter, data.starter);
  else if (data.whole) load(whole, initEngine, data.whole);
  else if (engine) plan(engine.receive(data));
  else early.push(data);
};
