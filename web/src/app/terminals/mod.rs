//! The middle of the page: terminals with their tabs, side by side if wanted, and the editor's tabs.

pub mod state;
pub mod xterm;

use std::rc::Rc;

use web_sys::{HtmlElement, HtmlInputElement};
use yew::prelude::*;

use super::clock::tip;
use super::dom::{focus, icon};
use super::editor::EditorPane;
use super::layout::{Axis, Splitter};
use super::topics::{Topic, use_page, use_topic};
use xterm::Emulator;

/// The panel.
#[function_component]
pub fn TerminalPanel() -> Html {
    let page = use_topic(Topic::Terminals);
    let _ = use_topic(Topic::Editor);
    let ui = use_topic(Topic::Ui).ui.borrow().clone();
    let editing = page.editor.borrow().shown.is_some();
    let terminals = page.terminals.borrow();
    let split = terminals.panes.1.is_some();
    {
        let page = page.clone();
        use_effect_with((split, editing), move |_| page.terminals_fit());
    }
    let onblur = {
        let page = page.clone();
        move |_| page.terminal_blurred()
    };
    html! {
        <div class="terminals-inner">
            <TabRow/>
            if terminals.find.is_some() { <FindLine/> }
            <div class={classes!("panes", split.then_some("split"), editing.then_some("hidden"))} style={format!("--split:{}%", ui.split)} onfocusout={onblur}>
                <>{ for terminals.tabs.iter().map(|tab| {
                    let side = if terminals.panes.0 == tab.id { "left" } else if terminals.panes.1 == Some(tab.id) { "right" } else { "away" };
                    let active = terminals.active() == tab.id;
                    html! {
                        <Pane key={tab.id} id={tab.id} {side} {active} title={tab.title()} running={tab.running.clone().filter(|_| tab.lasting)}/>
                    }
                }) }</>
                if split { <Splitter axis={Axis::Split}/> }
            </div>
            <EditorPane/>
        </div>
    }
}

#[function_component]
fn TabRow() -> Html {
    let page = use_topic(Topic::Terminals);
    let _ = use_topic(Topic::Editor);
    let terminals = page.terminals.borrow();
    let editor = page.editor.borrow();
    let editing = editor.shown.is_some();
    html! {
        <header class="panel-head tab-row">
            <div class="tabs" role="tablist" aria-label="Terminals and files">
                { for terminals.tabs.iter().map(|tab| {
                    let id = tab.id;
                    let shown = !editing && (terminals.panes.0 == id || terminals.panes.1 == Some(id));
                    let (select, close) = (page.clone(), page.clone());
                    let title = tab.title();
                    let running = tab.running.as_deref().filter(|_| tab.lasting);
                    html! {
                        <span class={classes!("tab", shown.then_some("on"), (!editing && terminals.active() == id).then_some("active"))} key={id}>
                            <button role="tab" aria-selected={shown.to_string()} onclick={move |_| select.select_terminal(id)}
                                title={running.map_or_else(|| format!("Terminal {id} on {title}"), |r| format!("{r} is running on {title}"))}>
                                if running.is_some() { <span class="runs" aria-label="running"/> } else { { icon("terminal") } }
                                <span class="cut">{ &title }</span>
                                if terminals.tabs.len() > 1 { <span class="muted num">{ id }</span> }
                            </button>
                            <button class="tab-close" aria-label={format!("Close terminal {id}")} title="Close" onclick={move |_| close.close_terminal(id)}>{ icon("close") }</button>
                        </span>
                    }
                }) }
                { for editor.files.iter().map(|file| {
                    let shown = editor.shown.as_deref() == Some(file.path.as_str());
                    let (select, close, path, closed) = (page.clone(), page.clone(), file.path.clone(), file.path.clone());
                    html! {
                        <span class={classes!("tab", shown.then_some("on active"))} key={file.path.clone()}>
                            <button role="tab" aria-selected={shown.to_string()} title={file.path.clone()} onclick={move |_| select.show_file(&path)}>
                                { icon("file") }<span class="cut">{ file.name() }</span>
                                if file.dirty { <span class="unsaved" title="Not saved">{ "●" }<span class="sr">{ "not saved" }</span></span> }
                            </button>
                            <button class="tab-close" aria-label={format!("Close {}", file.name())} title="Close" onclick={move |_| close.close_file(&closed)}>{ icon("close") }</button>
                        </span>
                    }
                }) }
            </div>
            <TabTools/>
        </header>
    }
}

#[function_component]
fn TabTools() -> Html {
    let page = use_page();
    let tools = ["new-terminal", "split-terminal", "find"];
    html! {
        <div class="tab-tools">
            { for super::commands::COMMANDS.iter().filter(|c| tools.contains(&c.id)).map(|c| {
                let page = page.clone();
                html! {
                    <button class="quiet" aria-label={c.title} title={tip(c.title, c.keys)} onclick={move |_| (c.run)(&page)}>{ icon(c.icon) }</button>
                }
            }) }
        </div>
    }
}

#[function_component]
fn FindLine() -> Html {
    let page = use_page();
    use_effect_with((), |()| focus("find"));
    let missed = use_state(|| false);
    let search = {
        let (page, missed) = (page.clone(), missed.clone());
        move |input: HtmlInputElement, back: bool| {
            let query = input.value();
            let found = page.find_in_terminal(&query, back);
            missed.set(!found && !query.is_empty());
        }
    };
    let oninput = {
        let search = search.clone();
        move |e: InputEvent| search(e.target_unchecked_into(), false)
    };
    let onkeydown = {
        let page = page.clone();
        move |e: KeyboardEvent| match e.key().as_str() {
            "Enter" => search(e.target_unchecked_into(), e.shift_key()),
            "Escape" => page.toggle_find(),
            _ => {}
        }
    };
    let close = move |_: MouseEvent| page.toggle_find();
    html! {
        <div class="find-line" role="search">
            { icon("search") }
            <input id="find" type="text" aria-label="Search in the terminal" placeholder="Search in the terminal" {oninput} {onkeydown} spellcheck="false" autocomplete="off"/>
            <span class="muted" aria-live="polite">{ if *missed { "Not found" } else { "Enter: next · Shift-Enter: the one before" } }</span>
            <button class="quiet" aria-label="Close search" onclick={close}>{ icon("close") }</button>
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct PaneProps {
    id: u32,
    side: &'static str,
    active: bool,
    title: String,
    running: Option<String>,
}

#[function_component]
fn Pane(props: &PaneProps) -> Html {
    let page = use_page();
    let host = use_node_ref();
    let emulator = use_mut_ref(|| None::<Rc<Emulator>>);
    let id = props.id;
    {
        let (page, host, emulator) = (page.clone(), host.clone(), emulator.clone());
        let label = format!("Terminal {id} on {}", props.title);
        use_effect_with((), move |()| {
            if let Some(element) = host.cast::<HtmlElement>() {
                let opened = Rc::new(Emulator::open(&page, id, &element, &label));
                *emulator.borrow_mut() = Some(opened.clone());
                page.terminal_mounted(id, opened);
            }
        });
    }
    {
        let (emulator, active) = (emulator.clone(), props.active);
        use_effect_with(props.side, move |side| {
            if let Some(emulator) = emulator.borrow().as_ref().filter(|_| *side != "away") {
                emulator.fit();
                if active {
                    emulator.focus();
                }
            }
        });
    }
    let end = props.running.as_deref().map(how_to_end);
    html! {
        <div class={classes!("pane", props.side, props.active.then_some("active"))} role="region" aria-label={format!("Terminal {id} on {}", props.title)}>
            <div class="xterm-host" ref={host}/>
            if let (Some(running), Some((words, keys))) = (props.running.clone(), end) {
                <p class="running" role="status">
                    <span class="runs" aria-hidden="true"/><code class="cut" title={running.clone()}>{ &running }</code><span>{ "is running." }</span>
                    <span class="bar-gap"/>
                    <button class="link" title="Sends these keys" onclick={move |_| {
                        page.terminal_typed(id, keys.to_owned());
                        page.focus_terminal();
                    }}><kbd>{ words }</kbd>{ " ends it" }</button>
                </p>
            }
        </div>
    }
}

/// How a command is ended: the keys as shown, and as sent.
fn how_to_end(command: &str) -> (&'static str, &'static str) {
    let first = command.split_whitespace().next().unwrap_or_default();
    match first.rsplit('/').next().unwrap_or(first) {
        "vi" | "vim" | "nvim" => (":q!", "\u{1b}:q!\r"),
        "nano" | "pico" => ("Ctrl-X", "\u{18}"),
        "less" | "more" | "man" | "top" | "htop" => ("q", "q"),
        "sh" | "bash" | "ssh" | "su" => ("exit", "exit\r"),
        "cat" | "python" | "python3" => ("Ctrl-D", "\u{4}"),
        _ => ("Ctrl-C", "\u{3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::how_to_end;

    #[test]
    fn each_kind_of_program_has_its_way_out() {
        assert_eq!(how_to_end("watch kubectl get pods").0, "Ctrl-C");
        assert_eq!(how_to_end("/usr/bin/vim pod.yaml").1, "\u{1b}:q!\r");
    }
}
