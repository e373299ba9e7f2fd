//! Repeated requests: a dot each, coloured by the pod that answered, red crosses for failures, and counts.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};
use yew::prelude::*;

use super::state::Load;
use crate::app::dom;
use crate::app::page::Page;
use crate::app::topics::{Topic, use_topic, use_watch};

/// Colours that can be told apart, also by colour-blind people; none of them is the failures' red.
const COLOURS: usize = 8;
/// Distance of two dots, and height of the strip, CSS pixels.
const PITCH: f64 = 8.0;
const ROWS: usize = 5;

/// The strip of dots with its legend.
#[function_component]
pub fn LoadView() -> Html {
    let page = use_topic(Topic::Load);
    let canvas = use_node_ref();
    let again: Rc<dyn Fn()> = {
        let (page, canvas) = (page.clone(), canvas.clone());
        Rc::new(move || paint(&page, &canvas))
    };
    use_watch(Topic::Load, again.clone());
    use_effect_with((), move |()| again());
    let browser = page.browser.borrow();
    let Some(load) = &browser.load else { return html! {} };
    let total: u64 = load.answered.iter().map(|a| a.1).sum::<u64>() + load.failed;
    let words: Vec<String> = load.answered.iter().map(|(name, n)| format!("{name}: {n}")).collect();
    html! {
        <div class="load">
            <canvas ref={canvas} role="img" aria-label={format!("{total} requests. {}; failed: {}", words.join(", "), load.failed)}/>
            <p class="legend">
                <span class="num"><b>{ total }</b>{ " requests" }</span>
                { for load.names.iter().enumerate().map(|(i, name)| {
                    let n = load.answered.iter().find(|a| a.0 == *name).map_or(0, |a| a.1);
                    html! { <span><i class={format!("dot pod-{}", i % COLOURS)}/><span class="mono">{ name }</span><b class="num">{ n }</b></span> }
                }) }
                <span class={classes!("failures", (load.failed > 0).then_some("is-bad"))}><i class="cross">{ "✕" }</i>{ "failed" }<b class="num">{ load.failed }</b></span>
                if !load.on { <span class="muted">{ "stopped" }</span> }
            </p>
        </div>
    }
}

fn paint(page: &Page, canvas: &NodeRef) {
    if let (Some(canvas), Some(load)) =
        (canvas.cast::<HtmlCanvasElement>(), &page.browser.borrow().load)
    {
        let _ = draw(&canvas, load);
    }
}

fn draw(canvas: &HtmlCanvasElement, load: &Load) -> Option<()> {
    let scale = gloo::utils::window().device_pixel_ratio();
    let width = f64::from(canvas.parent_element()?.client_width()) - 20.0;
    let height = ROWS as f64 * PITCH;
    let columns = ((width / PITCH) as usize).max(1);
    let (w, h) = ((width * scale) as u32, (height * scale) as u32);
    if (canvas.width(), canvas.height()) != (w, h) {
        canvas.set_width(w);
        canvas.set_height(h);
        let _ = canvas.set_attribute("style", &format!("width:{width}px;height:{height}px"));
    }
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.set_transform(scale, 0.0, 0.0, scale, 0.0, 0.0).ok()?;
    context.clear_rect(0.0, 0.0, width, height);
    let bad = dom::property("--bad");
    let colours: Vec<String> = (0..COLOURS).map(|i| dom::property(&format!("--pod-{i}"))).collect();
    // Columns fill from top to bottom; the newest is at the right once the strip is full.
    let fits = columns * ROWS;
    let total = load.dots.len();
    let skip = if total > fits { (total - fits).div_ceil(ROWS) * ROWS } else { 0 };
    for (i, (dot, by)) in load.dots.iter().skip(skip).enumerate() {
        let (x, y) =
            ((i / ROWS) as f64 * PITCH + PITCH / 2.0, (i % ROWS) as f64 * PITCH + PITCH / 2.0);
        context.begin_path();
        match by {
            Some(by) if (200..400).contains(&dot.status) => {
                context.set_fill_style_str(colours.get(by % COLOURS)?);
                context.arc(x, y, 2.8, 0.0, std::f64::consts::TAU).ok()?;
                context.fill();
            }
            _ => {
                context.set_stroke_style_str(&bad);
                context.set_line_width(2.0);
                context.move_to(x - 2.6, y - 2.6);
                context.line_to(x + 2.6, y + 2.6);
                context.move_to(x + 2.6, y - 2.6);
                context.line_to(x - 2.6, y + 2.6);
                context.stroke();
            }
        }
    }
    Some(())
}
