//! The page's program.

use sandbar_core::session::protocol::{Input, Output};
use sandbar_web::{
    engine_host::EngineHost,
    protocol::{FromEngine, ToEngine},
};
use yew::prelude::*;

struct App {
    host: EngineHost,
    lines: Vec<String>,
}

impl Component for App {
    type Message = FromEngine;
    type Properties = ();

    fn create(ctx: &Context<Self>) -> Self {
        let host = EngineHost::start(ctx.link().callback(|m| m));
        host.send(ToEngine::Init {
            seed: 1,
            start_ms: js_sys::Date::now() as u64,
            journal: None,
            resume_ms: 0,
        });
        let place = String::new();
        host.send(ToEngine::Input(Input::TerminalOpen { id: 1, place, cols: 80, rows: 24 }));
        App { host, lines: Vec::new() }
    }

    fn update(&mut self, _: &Context<Self>, message: FromEngine) -> bool {
        match message {
            FromEngine::Outputs(outputs) => {
                for output in outputs {
                    if let Output::Terminal { data, .. } = output {
                        self.lines.push(data);
                    }
                }
            }
            other => self.lines.push(format!("{other:?}")),
        }
        true
    }

    fn view(&self, _: &Context<Self>) -> Html {
        let host = self.host.clone();
        let onclick = Callback::from(move |_| host.send(ToEngine::StepNextEvent));
        html! {
            <main>
                <button {onclick}>{ "Next event" }</button>
                <pre id="terminal">{ self.lines.concat() }</pre>
            </main>
        }
    }
}

fn main() {
    yew::Renderer::<App>::new().render();
}
