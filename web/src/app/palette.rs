//! The command palette: commands, objects and lessons by a few letters, and the help sheet.

use sandbar_core::session::protocol::ObjectRef;
use web_sys::{HtmlInputElement, KeyboardEvent};
use yew::prelude::*;

use super::commands::{COMMANDS, run};
use super::dom::{focus, icon};
use super::page::Page;
use super::topics::{Topic, use_topic};
use super::ui::Overlay;

/// How many finds are shown.
const SHOWN: usize = 40;

/// What choosing a find does.
#[derive(Clone, PartialEq)]
enum Choice {
    Command(&'static str),
    Object(ObjectRef),
    Lesson(String),
}

#[derive(Clone, PartialEq)]
struct Find {
    icon: &'static str,
    title: String,
    beside: String,
    choice: Choice,
}

/// Whether all words of `query` occur in `text`, in any order; the rank is lower for an earlier place.
fn rank(query: &[String], text: &str) -> Option<usize> {
    let text = text.to_lowercase();
    query.iter().try_fold(0, |sum, word| text.find(word.as_str()).map(|at| sum + at))
}

fn finds(page: &Page, query: &str) -> Vec<Find> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<(usize, Find)> = Vec::new();
    let mut offer = |weight: usize, find: Find| {
        if let Some(rank) = rank(&words, &format!("{} {}", find.title, find.beside)) {
            // A name typed in full is what is meant, not what begins with it.
            let whole = find.title.eq_ignore_ascii_case(query.trim());
            found.push((if whole { 0 } else { 1 + weight + rank }, find));
        }
    };
    for c in COMMANDS {
        let find = Find {
            icon: c.icon,
            title: c.title.into(),
            beside: c.keys.into(),
            choice: Choice::Command(c.id),
        };
        offer(0, find);
    }
    for entry in &page.lesson.borrow().view.catalogue {
        let choice = Choice::Lesson(entry.id.clone());
        let beside = format!("lesson · {} of {} steps", entry.done.0, entry.done.1);
        offer(20, Find { icon: "lesson", title: entry.title.clone(), beside, choice });
    }
    if !words.is_empty() {
        for (object, status) in page.cluster.borrow().objects() {
            let beside = format!("{} {} · {status}", object.resource, object.namespace);
            let title = object.name.clone();
            offer(10, Find { icon: "cluster", title, beside, choice: Choice::Object(object) });
        }
    }
    if !words.is_empty() {
        found.sort_by_key(|f| f.0);
    }
    found.into_iter().map(|f| f.1).take(SHOWN).collect()
}

fn choose(page: &Page, choice: &Choice) {
    page.close_overlay();
    match choice {
        Choice::Command(id) => run(page, id),
        Choice::Object(object) => page.open_detail(object.clone()),
        Choice::Lesson(id) => page.open_lesson(id),
    }
}

/// The palette.
#[function_component]
pub fn Palette() -> Html {
    let page = use_topic(Topic::Ui);
    let query = use_state(String::new);
    let at = use_state(|| 0usize);
    use_effect_with((), |()| focus("palette-input"));
    let found = finds(&page, &query);
    let at_now = (*at).min(found.len().saturating_sub(1));
    let oninput = {
        let (query, at) = (query.clone(), at.clone());
        move |e: InputEvent| {
            query.set(e.target_unchecked_into::<HtmlInputElement>().value());
            at.set(0);
        }
    };
    let onkeydown = {
        let (page, at, found) = (page.clone(), at.clone(), found.clone());
        move |e: KeyboardEvent| match e.key().as_str() {
            "ArrowDown" => {
                e.prevent_default();
                at.set((at_now + 1) % found.len().max(1));
            }
            "ArrowUp" => {
                e.prevent_default();
                at.set((at_now + found.len().max(1) - 1) % found.len().max(1));
            }
            "Enter" => {
                e.prevent_default();
                if let Some(find) = found.get(at_now) {
                    choose(&page, &find.choice);
                }
            }
            // The list is reached with the arrows; the keyboard stays in the dialog.
            "Tab" => e.prevent_default(),
            _ => {}
        }
    };
    let close = {
        let page = page.clone();
        move |_| page.close_overlay()
    };
    html! {
        <div class="veil" onclick={close}>
            <div class="palette" role="dialog" aria-modal="true" aria-label="Command palette" onclick={|e: MouseEvent| e.stop_propagation()}>
                <input id="palette-input" type="text" role="combobox" aria-expanded="true" aria-controls="palette-list"
                    aria-activedescendant={format!("find-{at_now}")} aria-label="Find a command, an object or a lesson"
                    placeholder="Find a command, an object or a lesson" autocomplete="off" spellcheck="false"
                    value={(*query).clone()} {oninput} {onkeydown}/>
                <ul id="palette-list" role="listbox" aria-label="Found">
                    { for found.iter().enumerate().map(|(i, find)| {
                        let (page, choice) = (page.clone(), find.choice.clone());
                        html! {
                            <li id={format!("find-{i}")} role="option" aria-selected={(i == at_now).to_string()}
                                class={(i == at_now).then_some("on")} onclick={move |_| choose(&page, &choice)}>
                                { icon(find.icon) }<span class="find-title">{ &find.title }</span><span class="find-beside">{ &find.beside }</span>
                            </li>
                        }
                    }) }
                    if found.is_empty() {
                        <li class="none">{ "Nothing is called that." }</li>
                    }
                </ul>
                <p class="palette-foot">{ "↑ ↓ choose · Enter does it · Esc closes · Ctrl-K again sends Ctrl-K to the terminal" }</p>
            </div>
        </div>
    }
}

/// Keys, and ways out.
#[function_component]
pub fn Help() -> Html {
    let page = use_topic(Topic::Ui);
    use_effect_with((), |()| focus("help-close"));
    let close = {
        let page = page.clone();
        move |_| page.toggle_overlay(Overlay::Help)
    };
    html! {
        <div class="veil" onclick={close.clone()}>
            <div class="sheet" role="dialog" aria-modal="true" aria-label="Help" onclick={|e: MouseEvent| e.stop_propagation()}>
                <header><h2>{ "Help" }</h2><button id="help-close" class="quiet" aria-label="Close" onclick={close}>{ icon("close") }</button></header>
                <div class="sheet-columns">
                    <section>
                        <h3>{ "Where you are" }</h3>
                        <p>{ "A computer with a terminal, and a Kubernetes cluster you can start on it. All of it is simulated in this tab: nothing you do leaves it, and nothing can be damaged." }</p>
                        <h3>{ "Ways out" }</h3>
                        <ul>
                            <li><kbd>{ "Ctrl-C" }</kbd>{ " ends a command that keeps running." }</li>
                            <li><kbd>{ "exit" }</kbd>{ " leaves a shell inside a container." }</li>
                            <li><kbd>{ "q" }</kbd>{ " leaves a pager, " }<kbd>{ ":q!" }</kbd>{ " leaves vi." }</li>
                            <li><code>{ "minikube delete" }</code>{ " removes the cluster; " }<code>{ "minikube start" }</code>{ " makes a new one." }</li>
                        </ul>
                        <h3>{ "In terminals" }</h3>
                        <ul>
                            <li>{ "Selecting copies. " }<kbd>{ "Ctrl-V" }</kbd>{ " pastes." }</li>
                            <li><kbd>{ "Tab" }</kbd>{ " completes, " }<kbd>{ "Ctrl-R" }</kbd>{ " searches what you typed before." }</li>
                            <li>{ "Names of pods and addresses can be clicked." }</li>
                        </ul>
                    </section>
                    <section>
                        <h3>{ "Keys of this page" }</h3>
                        <dl>{ for COMMANDS.iter().filter(|c| !c.keys.is_empty()).map(|c| html! {
                            <div><dt><kbd>{ c.keys }</kbd></dt><dd>{ c.title }</dd></div>
                        }) }</dl>
                    </section>
                </div>
            </div>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn all_words_must_occur_in_any_order() {
        let words = |s: &str| s.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(rank(&words("term new"), "New terminal"), Some(4));
        assert_eq!(rank(&words("new pod"), "New terminal"), None);
    }
}
