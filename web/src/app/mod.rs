//! The page: what a person sees and touches. The map:
//!
//! - [`page`]: the state in one place; [`topics`]: who is told when what changes.
//! - [`engine`]: what is needed of an engine; [`live`]: the one in the worker.
//! - [`ui`], [`layout`]: how the page is arranged; [`commands`], [`keys`], [`palette`]: what it can do.
//! - [`terminals`], [`editor`], [`browser`], [`cluster`], [`lesson`], [`clock`]: a room for each place.
//!
//! It knows the engine by its messages only and holds no truth about the cluster.

pub mod browser;
pub mod clock;
pub mod cluster;
pub mod commands;
pub mod dom;
pub mod editor;
pub mod engine;
#[cfg(feature = "fixture")]
pub mod fixture;
pub mod keys;
pub mod layout;
pub mod lesson;
pub mod live;
pub mod notices;
pub mod page;
pub mod palette;
pub mod terminals;
pub mod topics;
pub mod ui;

use gloo::events::EventListener;
use yew::prelude::*;

use page::Page;
use topics::{Topic, use_topic};
use ui::{NARROW, Overlay};

/// Shows the page.
pub fn run() {
    console_error_panic_hook::set_once();
    // Not in the body itself: the sprite of icons stays there.
    match gloo::utils::document().get_element_by_id("page") {
        Some(root) => yew::Renderer::<App>::with_root(root).render(),
        None => yew::Renderer::<App>::new().render(),
    };
}

#[function_component]
fn App() -> Html {
    let page = use_memo((), |()| start());
    html! {
        <ContextProvider<Page> context={(*page).clone()}>
            <Root/>
        </ContextProvider<Page>>
    }
}

fn start() -> Page {
    let page = Page::new();
    measure(&page);
    page.ui.borrow().paint();
    #[cfg(feature = "fixture")]
    if fixture::attach(&page) {
        return page;
    }
    live::attach(&page);
    page
}

/// Takes note of the window's width.
fn measure(page: &Page) {
    let narrow = dom::media(&format!("(max-width: {}px)", NARROW - 1));
    page.ui.borrow_mut().narrow = narrow;
}

#[function_component]
fn Root() -> Html {
    let page = use_topic(Topic::Ui);
    {
        let page = page.clone();
        use_effect_with((), move |()| {
            let window = gloo::utils::window();
            let (sized, themed) = (page.clone(), page.clone());
            let scheme = window.match_media("(prefers-color-scheme: dark)").ok().flatten();
            let listeners = (
                keys::listen(&page),
                page.start_ticking(),
                EventListener::new(&window, "resize", move |_| {
                    measure(&sized);
                    for topic in [Topic::Ui, Topic::Nodes, Topic::Workloads, Topic::Load] {
                        sized.touch(topic);
                    }
                }),
                scheme.map(|s| EventListener::new(&s, "change", move |_| themed.repaint())),
            );
            move || drop(listeners)
        });
    }
    let overlay = page.ui.borrow().overlay;
    html! {
        <div class="app">
            <layout::Panels/>
            <notices::NoticeList/>
            <clock::TimeBar/>
            if overlay == Some(Overlay::Palette) { <palette::Palette/> }
            if overlay == Some(Overlay::Help) { <palette::Help/> }
        </div>
    }
}
