//! Where things are: the columns, the bars between them that can be dragged or moved with the arrow keys,
//! and tabs where there is room for one place only.

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{Element, KeyboardEvent, PointerEvent};
use yew::prelude::*;

use super::browser::BrowserPanel;
use super::cluster::ClusterPanel;
use super::cluster::detail::Drawer;
use super::lesson::LessonPanel;
use super::terminals::TerminalPanel;
use super::topics::{Topic, use_topic};
use super::ui::{Place, Ui};

/// Longer than a glow lasts (`glow-a` in cluster.css).
const SETTLE_MS: u32 = 2_000;

/// Which size a bar changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Width of the lesson's column.
    Left,
    /// Width of the cluster's column.
    Right,
    /// Height of the browser pane.
    Bottom,
    /// Share of the left terminal.
    Split,
    /// Width of the details drawer.
    Drawer,
}

impl Axis {
    fn name(self) -> &'static str {
        match self {
            Axis::Left => "Width of the lesson",
            Axis::Right => "Width of the cluster",
            Axis::Bottom => "Height of the browser",
            Axis::Split => "Share of the left terminal",
            Axis::Drawer => "Width of the details",
        }
    }

    /// Smallest and largest size.
    fn limits(self) -> (f64, f64) {
        match self {
            Axis::Left => (220.0, 640.0),
            Axis::Right => (260.0, 900.0),
            Axis::Bottom | Axis::Split => (15.0, 85.0),
            Axis::Drawer => (320.0, 1200.0),
        }
    }

    fn of(self, ui: &mut Ui) -> &mut f64 {
        match self {
            Axis::Left => &mut ui.left,
            Axis::Right => &mut ui.right,
            Axis::Bottom => &mut ui.bottom,
            Axis::Split => &mut ui.split,
            Axis::Drawer => &mut ui.drawer,
        }
    }

    fn value(self, ui: &Ui) -> f64 {
        *self.of(&mut ui.clone())
    }

    /// The size that puts the bar under the pointer, given the element the bar lies in.
    fn at(self, x: f64, y: f64, parent: &Element) -> f64 {
        let r = parent.get_bounding_client_rect();
        match self {
            Axis::Left => x - r.left(),
            Axis::Right | Axis::Drawer => r.right() - x,
            Axis::Bottom => (r.bottom() - y) / r.height().max(1.0) * 100.0,
            Axis::Split => (x - r.left()) / r.width().max(1.0) * 100.0,
        }
    }

    /// How the size changes with an arrow key.
    fn step(self, key: &str) -> Option<f64> {
        Some(match (self, key) {
            (Axis::Left, "ArrowRight") | (Axis::Right | Axis::Drawer, "ArrowLeft") => 24.0,
            (Axis::Left, "ArrowLeft") | (Axis::Right | Axis::Drawer, "ArrowRight") => -24.0,
            (Axis::Bottom, "ArrowUp") | (Axis::Split, "ArrowRight") => 4.0,
            (Axis::Bottom, "ArrowDown") | (Axis::Split, "ArrowLeft") => -4.0,
            _ => return None,
        })
    }
}

/// What a bar is given.
#[derive(Properties, PartialEq)]
pub struct SplitterProps {
    /// Which size it changes.
    pub axis: Axis,
}

/// A bar between two panels.
#[function_component]
pub fn Splitter(props: &SplitterProps) -> Html {
    let page = use_topic(Topic::Ui);
    let axis = props.axis;
    let node = use_node_ref();
    let drag = use_mut_ref(Vec::<EventListener>::new);
    let set = {
        let page = page.clone();
        move |size: f64| {
            let (low, high) = axis.limits();
            page.arrange(|ui| *axis.of(ui) = size.clamp(low, high).round());
        }
    };
    let onpointerdown = {
        let (node, set) = (node.clone(), set.clone());
        move |e: PointerEvent| {
            e.prevent_default();
            let Some(parent) = node.cast::<Element>().and_then(|n| n.parent_element()) else {
                return;
            };
            let window = gloo::utils::window();
            let options = EventListenerOptions::enable_prevent_default();
            let set = set.clone();
            let moving =
                EventListener::new_with_options(&window, "pointermove", options, move |e| {
                    if let Some(e) = e.dyn_ref::<PointerEvent>() {
                        set(axis.at(f64::from(e.client_x()), f64::from(e.client_y()), &parent));
                    }
                });
            let over = drag.clone();
            let end = EventListener::new(&window, "pointerup", move |_| {
                // Dropped once this call is over: one of them is running.
                let done = std::mem::take(&mut *over.borrow_mut());
                gloo::timers::callback::Timeout::new(0, move || drop(done)).forget();
            });
            *drag.borrow_mut() = vec![moving, end];
        }
    };
    let onkeydown = {
        let page = page.clone();
        let set = set.clone();
        move |e: KeyboardEvent| {
            if let Some(step) = axis.step(&e.key()) {
                e.prevent_default();
                let now = axis.value(&page.ui.borrow());
                set(now + step);
            }
        }
    };
    let ondblclick = move |_: MouseEvent| set(axis.value(&Ui::default()));
    let value = axis.value(&page.ui.borrow());
    let across = if axis == Axis::Bottom { "horizontal" } else { "vertical" };
    let (low, high) = axis.limits();
    html! {
        <div class={classes!("splitter", across, format!("axis-{axis:?}").to_lowercase())} ref={node} role="separator" tabindex="0" aria-orientation={across}
            aria-label={axis.name()} aria-valuenow={value.to_string()} aria-valuemin={low.to_string()} aria-valuemax={high.to_string()}
            title="Drag, or use the arrow keys; double-click resets" {onpointerdown} {onkeydown} {ondblclick}/>
    }
}

/// A panel that is shown again would let everything glow anew that ever did: what is old is over.
fn settle() {
    let Some(root) = super::dom::root() else { return };
    let _ = root.set_attribute("data-settling", "");
    let end = move || drop(root.remove_attribute("data-settling"));
    gloo::timers::callback::Timeout::new(SETTLE_MS, end).forget();
}

/// All panels, arranged.
#[function_component]
pub fn Panels() -> Html {
    let page = use_topic(Topic::Ui);
    let _ = use_topic(Topic::Detail);
    let ui = page.ui.borrow().clone();
    let single = ui.single();
    let shown = |place: Place| {
        if single {
            ui.place == place
        } else {
            match place {
                Place::Lesson => ui.lesson,
                Place::Terminal => true,
                Place::Browser => ui.browser,
                Place::Cluster => ui.cluster,
            }
        }
    };
    {
        let page = page.clone();
        let deps = (
            ui.left,
            ui.right,
            ui.bottom,
            ui.split,
            shown(Place::Lesson),
            shown(Place::Browser),
            shown(Place::Cluster),
        );
        use_effect_with(deps, move |_| {
            for topic in [Topic::Nodes, Topic::Workloads, Topic::Load] {
                page.touch(topic);
            }
        });
        use_effect_with(shown(Place::Cluster), |shown| {
            if *shown {
                settle();
            }
        });
    }
    let hidden = |place: Place| (!shown(place)).then_some("hidden");
    let middle = shown(Place::Terminal) || shown(Place::Browser);
    let style = format!(
        "--left:{}px;--right:{}px;--bottom:{}%;--drawer:{}px",
        ui.left, ui.right, ui.bottom, ui.drawer
    );
    let detail = page.detail.borrow().is_some();
    html! {
        <>
            if single { <PlaceTabs/> }
            <main class={classes!("panels", single.then_some("single"))} {style}>
                <section class={classes!("panel", "lesson", hidden(Place::Lesson))} aria-label="Lesson"><LessonPanel/></section>
                if !single && ui.lesson { <Splitter axis={Axis::Left}/> }
                <div class={classes!("middle", (!middle).then_some("hidden"))}>
                    <section class={classes!("panel", "terminals", hidden(Place::Terminal))} aria-label="Terminals"><TerminalPanel/></section>
                    if !single && ui.browser { <Splitter axis={Axis::Bottom}/> }
                    <section class={classes!("panel", "browser", hidden(Place::Browser), (single && shown(Place::Browser)).then_some("whole"))} aria-label="Browser"><BrowserPanel/></section>
                </div>
                if !single && ui.cluster { <Splitter axis={Axis::Right}/> }
                <section class={classes!("panel", "cluster", hidden(Place::Cluster))} aria-label="Cluster"><ClusterPanel/></section>
                if detail {
                    <div class="drawer-place">
                        if !ui.narrow { <Splitter axis={Axis::Drawer}/> }
                        <Drawer/>
                    </div>
                }
            </main>
        </>
    }
}

/// The places as tabs, and in presenter mode the step that is being shown.
#[function_component]
fn PlaceTabs() -> Html {
    let page = use_topic(Topic::Ui);
    let _ = use_topic(Topic::Lesson);
    let ui = page.ui.borrow().clone();
    let view = page.lesson.borrow().view.clone();
    let step = view.steps.get(view.current).filter(|_| ui.place != Place::Lesson);
    html! {
        <nav class="places" aria-label="Places">
            <div class="tabs" role="tablist">
                { for Place::ALL.iter().map(|&place| {
                    let page = page.clone();
                    let on = ui.place == place;
                    html! {
                        <button role="tab" aria-selected={on.to_string()} class={on.then_some("on")} onclick={move |_| {
                            page.show(place);
                            if place == Place::Terminal { page.focus_terminal(); }
                        }}>{ place.name() }</button>
                    }
                }) }
            </div>
            if let Some(step) = step {
                <p class="presented"><b>{ format!("{}. {}", view.current + 1, step.title) }</b>
                    if step.done { <span class="is-good">{ super::dom::icon("tick") }{ "done" }</span> }
                    else if ui.presenter && !step.command.is_empty() { <span class="muted">{ "Page Down types " }</span><code>{ &step.command }</code> }
                    else if !ui.presenter { <span class="muted">{ super::lesson::markdown::inline(&step.missing) }</span> }
                </p>
            }
        </nav>
    }
}
